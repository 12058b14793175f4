"""WeChat Official Accounts: the customer-service message `custom/send`, by which answers leave.

WeChat has no field that would make a second send harmless: an attempt of unknown fate is never repeated by itself.
"""

from collections.abc import Callable, Mapping

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery
from gateway.outbound import Dead, Limits, Outcome, Sent, Window
from gateway.platforms.http import Answer, CallFailed, PlatformHttp
from gateway.platforms.outcomes import failed, said_by_id, text_of
from gateway.platforms.tencent import TencentApi
from gateway.platforms.tencent_media import WECHAT_FORMS
from gateway.ports import Clock

_TEXT_BYTES_MAX = 2_048
_WINDOW = Window(duration_ms=48 * 3_600_000, parts_max=5)
_CLOSED: Mapping[str, str] = {"errcode_45015": "window", "errcode_45047": "quota"}


def wechat_api(http: PlatformHttp, origin: str, app_id: str, secret: Callable[[], str], clock: Clock) -> TencentApi:
    """The calls of one Official Account.

    `stable_token` hands out the one token that lives, to whoever asks; the older `token` would end the one before, and
    two gateways would take it from each other.
    """

    async def ask_for_token(http: PlatformHttp) -> Answer:
        body = {"grant_type": "client_credential", "appid": app_id, "secret": secret()}
        return await http.post(f"{origin}/cgi-bin/stable_token", body)

    return TencentApi(http, origin, ask_for_token, clock)


class WeChatSender:
    """Answers the followers of one account."""

    has_idempotency = False
    limits = Limits(window=_WINDOW)

    def __init__(self, account: str, api: TencentApi) -> None:
        self.account = account
        self._api = api

    async def send(self, delivery: Delivery) -> Outcome:
        """One attempt at `custom/send`."""
        said = said_by_id(delivery, WECHAT_FORMS)
        if said is None:
            text = text_of(delivery, bytes_max=_TEXT_BYTES_MAX)
            if isinstance(text, Dead):
                return text
            said = {"msgtype": "text", "text": {"content": text}}
        body = {"touser": delivery.conversation, **said}
        try:
            await self._api.call("/cgi-bin/message/custom/send", body)
        except CallFailed as error:
            return failed(error, _CLOSED)
        return Sent()

    async def close(self) -> None:
        """Nothing of its own: the gateway closes the connections that all accounts share."""
