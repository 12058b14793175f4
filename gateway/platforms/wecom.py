"""WeCom's customer service: `sync_msg` to pull what customers wrote, and `send_msg` to answer."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery
from gateway.channels.wecom import WeCom, peer
from gateway.outbound import Dead, Limits, Outcome, RetryLater, Sent, Window, WindowClosed
from gateway.platforms.http import Answer, CallFailed, NoAnswer, PlatformHttp, Refused
from gateway.platforms.outcomes import failed, said_by_id, text_of
from gateway.platforms.tencent import TencentApi
from gateway.platforms.tencent_media import WECOM_FORMS
from gateway.ports import Clock
from gateway.pull import Page

_PAGE_MESSAGES_MAX = 1_000
_TEXT_BYTES_MAX = 2_048
_WINDOW = Window(duration_ms=48 * 3_600_000, parts_max=5)
_CLOSED: Mapping[str, str] = {
    "errcode_95001": "quota",
    "errcode_95002": "window",
    "errcode_95013": "session_ended",
    "errcode_95018": "session_state",
}
TAKEOVER_S = 15.0  # for three calls more; with the first one below the lease of half a minute
_BY_INTERFACE, _QUEUED = 1, 2  # `service_state`; 0 is a session that nobody has yet, in which one may write, too
_STATES: Mapping[int, str] = {3: "session_human", 4: "session_ended"}


def wecom_api(http: PlatformHttp, origin: str, corp_id: str, secret: Callable[[], str], clock: Clock) -> TencentApi:
    """The calls of one corporation's customer service."""

    async def ask_for_token(http: PlatformHttp) -> Answer:
        return await http.get(f"{origin}/cgi-bin/gettoken", {"corpid": corp_id, "corpsecret": secret()})

    return TencentApi(http, origin, ask_for_token, clock)


class WeComPages:
    """The messages of one account's customer services."""

    def __init__(self, channel: WeCom, api: TencentApi) -> None:
        self._channel = channel
        self._api = api

    async def page(self, source: str, cursor: str, token: str) -> Page:
        """One call of `sync_msg`; raises `CallFailed`."""
        body = {"open_kfid": source, "cursor": cursor, "token": token, "limit": _PAGE_MESSAGES_MAX, "voice_format": 0}
        given = {name: value for name, value in body.items() if value != ""}
        answer = await self._api.call("/cgi-bin/kf/sync_msg", given)
        messages, after = answer.fields.get("msg_list", []), answer.text("next_cursor")
        if not isinstance(messages, list) or len(messages) > _PAGE_MESSAGES_MAX or (messages and not after):
            raise NoAnswer("page_form")
        callbacks = [self._channel.pulled(source, message) for message in messages]
        return Page(callbacks, after or cursor, answer.number("has_more") == 1)


class WeComSender:
    """Answers customers of one account's customer services. WeCom suppresses a second send of one `msgid`."""

    has_idempotency = True
    limits = Limits(window=_WINDOW)

    def __init__(self, account: str, api: TencentApi) -> None:
        self.account = account
        self._api = api

    async def send(self, delivery: Delivery) -> Outcome:
        """One attempt at `send_msg`."""
        said = said_by_id(delivery, WECOM_FORMS)
        if said is None:
            text = text_of(delivery, bytes_max=_TEXT_BYTES_MAX)
            if isinstance(text, Dead):
                return text
            said = {"msgtype": "text", "text": {"content": text}}
        source, customer = peer(delivery.conversation)
        # At most 32 bytes of letters, digits, `_` and `-`, and the same at each attempt.
        message_id = hashlib.sha256(delivery.id.encode()).hexdigest()[:32]
        body = {"touser": customer, "open_kfid": source, "msgid": message_id, **said}
        outcome = await self._attempt(body)
        if outcome == WindowClosed("session_state"):
            session = {"open_kfid": source, "external_userid": customer}
            try:
                async with asyncio.timeout(TAKEOVER_S):
                    return await self._refusal(session) or await self._attempt(body)
            except TimeoutError:
                return RetryLater("takeover")  # should it have been sent, WeCom knows its `msgid`
        return outcome

    async def _attempt(self, body: Mapping[str, object]) -> Outcome:
        try:
            answer = await self._api.call("/cgi-bin/kf/send_msg", body)
        except CallFailed as error:
            return failed(error, _CLOSED)
        return Sent(answer.text("msgid") or str(body["msgid"]))

    async def _refusal(self, session: Mapping[str, object]) -> Outcome | None:
        """Take a session over that waits for somebody of the corporation; say why not, if it cannot be.

        It is our agent who answers now. A session that a person has in WeCom, or that has ended, stays what it is.
        """
        try:
            state = (await self._api.call("/cgi-bin/kf/service_state/get", session)).number("service_state")
            if state != _QUEUED:
                return WindowClosed(_STATES.get(state, "session_state"))
            await self._api.call("/cgi-bin/kf/service_state/trans", {**session, "service_state": _BY_INTERFACE})
        except Refused as error:
            return WindowClosed("session_state") if error.retry_ms is None else failed(error, _CLOSED)
        except CallFailed as error:
            return RetryLater(error.code)  # whatever became of it, nothing was sent
        return None

    async def close(self) -> None:
        """Nothing of its own: the gateway closes the connections that all accounts share."""
