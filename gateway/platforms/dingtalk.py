"""DingTalk robots: answers by the session's own address until it lapses, then by the robot's interface.

DingTalk has no field that would make a second send harmless: an attempt of unknown fate is never repeated by itself.
"""

import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from crdt_sync.errors import Malformed, Unavailable
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery
from gateway.counts import Counts
from gateway.media import UPLOADED
from gateway.outbound import Dead, Limits, Outcome, RetryLater, Sent
from gateway.platforms.http import Answer, CallFailed, NotSent, PlatformHttp, Refused
from gateway.platforms.outcomes import failed, text_of
from gateway.platforms.tokens import AccessToken, Grant
from gateway.ports import Clock

_TEXT_BYTES_MAX = 20_000  # the whole body may have 20 kB
_WEBHOOK_MARGIN_MS = 60_000
_BUSY_DELAY_MS = 60_000  # a robot may send 20 messages a minute
_WEBHOOK_BUSY = {130101, 410100}  # too many a minute
# Nothing but a plain host may stand before the path, so that no reader of addresses sees another one there.
_WEBHOOK = re.compile(r"(https?://[A-Za-z0-9.:-]+)/robot/sendBySession[!-~]{0,1000}")

_log = structlog.get_logger(__name__)


class DingTalkApi:
    """The calls of one app at `origin`."""

    def __init__(self, http: PlatformHttp, origin: str, key: str, secret: Callable[[], str], clock: Clock) -> None:
        self._http = http
        self._origin = origin
        self._key = key
        self._secret = secret
        self.token = AccessToken(self._grant, clock)

    async def call(self, path: str, body: Mapping[str, object]) -> Answer:
        """The answer of a call that was made; raises as `TencentApi.call`."""
        for _ in range(2):
            token = await self.token.get()
            answer = await self._http.post(
                f"{self._origin}{path}", body, headers={"x-acs-dingtalk-access-token": token}
            )
            if answer.status != 401:
                break
            self.token.refused(token)
        else:
            raise NotSent("token")
        if "Throttling" in answer.text("code"):
            raise Refused("busy", retry_ms=_BUSY_DELAY_MS)
        if answer.status >= 300:
            raise Refused(f"http_{answer.status}")
        return answer

    async def open_stream(self, topic: str) -> tuple[str, str]:
        """The address of a stream that carries `topic`, and the ticket that opens it; raises `CallFailed`."""
        body = {
            "clientId": self._key,
            "clientSecret": self._secret(),
            "subscriptions": [{"type": "CALLBACK", "topic": topic}],
            "ua": "crdt-sync-gateway",
            "localIp": "127.0.0.1",
        }
        answer = await self._http.post(f"{self._origin}/v1.0/gateway/connections/open", body)
        endpoint, ticket = answer.text("endpoint"), answer.text("ticket")
        # Whoever answered there is believed, but not that the way to the stream may be less safe than the way there.
        encrypted = endpoint.startswith("wss://") or self._origin.startswith("http://")
        if answer.status >= 300 or not (endpoint and ticket and encrypted):
            raise Refused(f"http_{answer.status}" if answer.status >= 300 else "endpoint")
        return endpoint, ticket

    async def _grant(self) -> Grant:
        try:
            body = {"appKey": self._key, "appSecret": self._secret()}
            answer = await self._http.post(f"{self._origin}/v1.0/oauth2/accessToken", body)
        except (CallFailed, Malformed):  # the second: the secret is not where it was at the start
            raise NotSent("token") from None
        if not answer.text("accessToken"):
            raise NotSent("token")
        return Grant(answer.text("accessToken"), answer.number("expireIn"))


@dataclass(frozen=True, slots=True)
class DingTalkSender:
    """Answers the conversations of one robot. `reply_to` finds what the newest message of one said of how.

    A session's address comes in a message, and over HTTP no signature covers it: only one of `webhook_origins` is ever
    called, and no redirect is followed.
    """

    account: str
    robot_code: str
    api: DingTalkApi
    http: PlatformHttp
    reply_to: Callable[[str, str], Awaitable[str | None]]
    webhook_origins: Collection[str]
    clock: Clock
    counts: Counts

    @property
    def has_idempotency(self) -> bool:
        """Whether a second send does nothing: it does not."""
        return False

    @property
    def limits(self) -> Limits:
        """DingTalk closes no window on the robot's interface."""
        return Limits()

    async def send(self, delivery: Delivery) -> Outcome:
        """One attempt, at the session's address or at the interface; what was uploaded goes to the latter alone."""
        said = _uploaded(delivery)
        text = text_of(delivery, bytes_max=_TEXT_BYTES_MAX) if said is None else ""
        if isinstance(text, Dead):
            return text
        try:
            peer = await self._peer(delivery)
        except Unavailable:
            return RetryLater("store")
        if peer is None:
            return Dead("no_address")
        try:
            if said is None and self._may_call(peer) and await self._by_session(peer["webhook"], text):
                return Sent()
            return await self._by_interface(peer, said or ("sampleText", {"content": text}))
        except CallFailed as error:
            return failed(error, {})

    async def close(self) -> None:
        """Nothing of its own: the gateway closes the connections that all accounts share."""

    async def _peer(self, delivery: Delivery) -> Mapping[str, Any] | None:
        """How to reach the other side; a notice names its group, in which nobody need have spoken."""
        if not delivery.message:
            return {"webhook": "", "until_ms": 0, "user": "", "group": delivery.conversation}
        known = await self.reply_to(self.account, delivery.conversation)
        return None if known is None else json.loads(known)

    def _may_call(self, peer: Mapping[str, object]) -> bool:
        webhook, until_ms = peer["webhook"], peer["until_ms"]
        assert isinstance(webhook, str)
        assert isinstance(until_ms, int)
        if not webhook or until_ms - _WEBHOOK_MARGIN_MS <= self.clock.now_ms():
            return False
        found = _WEBHOOK.fullmatch(webhook)
        if found is not None and found[1] in self.webhook_origins:
            return True
        self.counts.add("send.webhook_refused")
        _log.warning("address of a session refused: its host is not on the list", account=self.account)
        return False

    async def _by_session(self, webhook: str, text: str) -> bool:
        """Whether it was sent; False if surely not, because the session is over sooner than it said."""
        answer = await self.http.post(webhook, {"msgtype": "text", "text": {"content": text}})
        if answer.number("errcode") in _WEBHOOK_BUSY:
            raise Refused("busy", retry_ms=_BUSY_DELAY_MS)
        return answer.status < 300 and answer.number("errcode") == 0

    async def _by_interface(self, peer: Mapping[str, object], said: tuple[str, Mapping[str, str]]) -> Outcome:
        form, content = said
        body = {"robotCode": self.robot_code, "msgKey": form, "msgParam": json.dumps(content, ensure_ascii=False)}
        if peer["group"]:
            group = {"openConversationId": peer["group"]}
            answer = await self.api.call("/v1.0/robot/groupMessages/send", body | group)
        elif user := peer["user"]:
            answer = await self.api.call("/v1.0/robot/oToMessages/batchSend", {**body, "userIds": [user]})
            if user in _list(answer, "invalidStaffIdList"):
                return Dead("invalid_user")
            if user in _list(answer, "flowControlledStaffIdList"):
                return RetryLater("busy", _BUSY_DELAY_MS)
        else:
            return Dead("no_address")
        return Sent(answer.text("processQueryKey"))


def _uploaded(delivery: Delivery) -> tuple[str, Mapping[str, str]] | None:
    """How the robot's interface says a content that was uploaded; None where there is none, or it has no form."""
    media = delivery.part.media
    if delivery.part.WhichOneof("part") != "media" or media.platform_id.startswith(UPLOADED):
        return None
    match media.type:
        case "image":
            return "sampleImageMsg", {"photoURL": media.platform_id}
        case "voice":
            media_id, _, length_ms = media.platform_id.partition(" ")
            return "sampleAudio", {"mediaId": media_id, "duration": length_ms}
        case "file" | "video":  # `sampleVideo` wants a picture of it, which nobody here has
            ending = media.name.rpartition(".")[2].lower()
            return "sampleFile", {"mediaId": media.platform_id, "fileName": media.name, "fileType": ending}
        case _:
            return None


def _list(answer: Answer, name: str) -> list[object]:
    found = answer.fields.get(name)
    return found if isinstance(found, list) else []
