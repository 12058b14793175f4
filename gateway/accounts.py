"""What the gateway is told of each account on a chat platform.

Owns the form of the accounts. A secret never stands in a setting, see `crdt_sync.references`.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from crdt_sync.references import Secret

Origin = Annotated[str, Field(pattern=r"^(https://[A-Za-z0-9.-]+(:[0-9]+)?|http://127\.0\.0\.1:[0-9]+)$")]
"""Where a platform's interface is called: encrypted, unless it is this machine itself."""


MediaOrigin = Annotated[str, Field(pattern=r"^(https://(\*\.)?[A-Za-z0-9.-]+(:[0-9]+)?|http://127\.0\.0\.1:[0-9]+)$")]
"""As `Origin`, or every host of a domain: `https://*.example.com`."""

VideoOrigin = MediaOrigin | Literal["https://*", "http://*"]
"""As `MediaOrigin`, or every host."""


AccountName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class _Account(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    account: AccountName
    """Our name of it, as in `/channels/{account}` and in the gateway's token."""


class WeChatAccount(_Account):
    """One WeChat Official Account. Safe and compatible mode need nothing said: the ciphertext alone counts in both."""

    channel: Literal["wechat"] = "wechat"
    app_id: str = Field(pattern=r"^[A-Za-z0-9]{1,64}$")
    app_secret: Secret | None = None
    """With it the account can answer."""
    token: Secret
    aes_key: Secret | None = None
    """The EncodingAESKey of the console, 43 characters; left out in plaintext mode alone."""
    previous_aes_key: Secret | None = None
    """The one before, while callbacks under it may still arrive."""
    plain: bool = False
    """Take plaintext callbacks too. Their signature does not cover the body: leave it off where WeChat can encrypt."""
    api: Origin = "https://api.weixin.qq.com"
    media_origins: tuple[VideoOrigin, ...] = ("https://*", "http://*")
    """Where the address of a customer's video may lead; a host that `*` covers must have no private address. WeChat
    names bare addresses of its own network, and unencrypted, so no domain can be asked for."""

    @model_validator(mode="after")
    def _has_a_key_unless_plain(self) -> Self:
        if self.aes_key is None and not self.plain:
            raise ValueError("aes_key is needed; only plaintext mode (plain = true) does without")
        return self


class WeComAccount(_Account):
    """The customer services (kf) of one WeCom corporation that call back to one address."""

    channel: Literal["wecom"]
    corp_id: str = Field(pattern=r"^[A-Za-z0-9]{1,64}$")
    secret: Secret
    """Of the customer service, for pulling and answering."""
    token: Secret
    aes_key: Secret
    previous_aes_key: Secret | None = None
    api: Origin = "https://qyapi.weixin.qq.com"


class DingTalkAccount(_Account):
    """One DingTalk robot. In Stream mode, the safer one, nothing is taken over HTTP."""

    channel: Literal["dingtalk"]
    client_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """The app's key."""
    client_secret: Secret
    robot_code: str = Field(pattern=r"^[!-~]{1,128}$")
    """As callbacks name it; for most robots it is the app's key."""
    corp_id: str | None = Field(None, pattern=r"^[!-~]{1,128}$")
    """The corporation whose robot it is; None takes callbacks of any."""
    mode: Literal["stream", "http"] = "stream"
    api: Origin = "https://api.dingtalk.com"
    old_api: Origin = "https://oapi.dingtalk.com"
    """Where files are uploaded, which the newer interface does not take."""
    media_origins: tuple[MediaOrigin, ...] = ("https://*.dingtalk.com", "https://*.aliyuncs.com")
    """Where the address of a picture or file may lead; any other is never called. A host that `*` covers must have no
    private address."""
    webhook_origins: tuple[Origin, ...] = ("https://oapi.dingtalk.com", "https://api.dingtalk.com")
    """Where a `sessionWebhook` may lead; any other is never called."""


class DingTalkGroupAccount(_Account):
    """A custom robot of one DingTalk group, which signs: it is told, and hears nothing."""

    channel: Literal["dingtalk-group"]
    access_token: Secret
    """What its address has behind `access_token=`."""
    secret: Secret
    api: Origin = "https://oapi.dingtalk.com"


class WeComGroupAccount(_Account):
    """A robot of one WeCom group."""

    channel: Literal["wecom-group"]
    key: Secret
    """What its address has behind `key=`."""
    api: Origin = "https://qyapi.weixin.qq.com"


class FeishuGroupAccount(_Account):
    """A custom bot of one Feishu group, which signs."""

    channel: Literal["feishu-group"]
    hook: Secret
    """What its address has behind `/hook/`."""
    secret: Secret
    api: Origin = "https://open.feishu.cn"


GroupAccount = DingTalkGroupAccount | WeComGroupAccount | FeishuGroupAccount


class Words(BaseModel):
    """The same text in both languages of the widget."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    en: str = Field(max_length=500)
    zh: str = Field(max_length=500)


class WebAccount(_Account):
    """One site whose pages carry the chat widget, at `/widget/{account}`."""

    channel: Literal["web"]
    secret: Secret
    """Signs the visitors' tokens: 32 bytes or more, that nobody guesses. A new one signs every visitor out."""
    previous_secret: Secret | None = None
    """The one before, whose tokens are taken still."""
    origins: tuple[Origin, ...] = ()
    """Whose pages may carry the widget, beside pages of the gateway's own address."""
    title: Words = Words(en="Chat with us", zh="在线客服")
    greeting: Words = Words(en="Hello! How can we help you?", zh="您好！请问有什么可以帮您？")
    demo: bool = False
    """Show a page with this site's widget at `/widget/demo`; one account may."""


class DescribedAccount(_Account):
    """An account on a platform that a channel spec describes; `secrets` and `fields` have the names of the spec's."""

    channel: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    secrets: dict[str, Secret] = {}
    previous_secrets: dict[str, Secret] = {}
    """Those before, by which callbacks may still be signed."""
    fields: dict[str, str] = {}
    origins: dict[str, Origin] = {}
    """Hosts that the spec leaves open, or others in their place."""


WRITTEN = frozenset({"wechat", "wecom", "dingtalk", "web", "dingtalk-group", "wecom-group", "feishu-group"})
"""Channels that are code: no spec has such a name."""


def _kind(given: object) -> str:
    """WeChat was the first, so an account that does not say is one of it. What is not code is described."""
    named = given.get("channel", "wechat") if isinstance(given, dict) else getattr(given, "channel", "")
    return named if named in WRITTEN else "described"


Account = Annotated[
    Annotated[WeChatAccount, Tag("wechat")]
    | Annotated[WeComAccount, Tag("wecom")]
    | Annotated[DingTalkAccount, Tag("dingtalk")]
    | Annotated[WebAccount, Tag("web")]
    | Annotated[DingTalkGroupAccount, Tag("dingtalk-group")]
    | Annotated[WeComGroupAccount, Tag("wecom-group")]
    | Annotated[FeishuGroupAccount, Tag("feishu-group")]
    | Annotated[DescribedAccount, Tag("described")],
    Discriminator(_kind),
]
