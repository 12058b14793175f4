"""A simulated customer on WeChat: callbacks as the platform would send them, encrypted by somebody else's code.

With wechatpy installed (a development dependency) it encrypts; without it the one callback is the sample that comes
with Tencent's own demo of its message crypto, so this project never checks its decryption by its own encryption.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.accounts import WeChatAccount

ACCOUNT = "demo"
APP_ID = "wx2c2769f8efd9abc2"
TOKEN = "spamtest"  # noqa: S105 - published with the sample
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"

_SAMPLE_ENCRYPT = (
    "hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6F8PGHQHFVAFmOD2LdJF9FrXpbUAh"
    "0B5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T332jisa+h6tEDYsVticbSnyU8dKOIbgU6ux5VTjg3yt+WGzjlpKn6NPhRj"
    "pA912xMezR4kw6KWwMrCVKSVCZciVGCgavjIQ6X8tCOp3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v6h0EIBYYI1BD1DlD+C0CR8e6"
    "OewpusjZ4uBl9FyJvnhvQl+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE="
)
_SAMPLE_QUERY = {
    "timestamp": "1409735669",
    "nonce": "1320562132",
    "msg_signature": "5d197aaffba7e9b25a30732f161a50dee96bd5fa",
    "encrypt_type": "aes",
}
SAMPLE_AGE_S = 20 * 365 * 86_400  # the sample is of 2014


@dataclass(frozen=True, slots=True)
class Callback:
    """One HTTP POST of the platform. `encrypted_by` says whose code made it."""

    query: Mapping[str, str]
    body: str
    encrypted_by: str


def account() -> WeChatAccount:
    """The account that the demonstration's gateway serves."""
    return WeChatAccount(account=ACCOUNT, app_id=APP_ID, token=lambda: TOKEN, aes_key=lambda: AES_KEY)


def callback(*, openid: str, text: str, message_id: int, now_s: int) -> Callback:
    """Return the callback for a customer's text."""
    try:
        from wechatpy.crypto import WeChatCrypto  # noqa: PLC0415 - absent outside development
        from wechatpy.utils import to_text  # noqa: PLC0415
    except ImportError:
        body = f"<xml><ToUserName><![CDATA[demo]]></ToUserName><Encrypt><![CDATA[{_SAMPLE_ENCRYPT}]]></Encrypt></xml>"
        return Callback(_SAMPLE_QUERY, body, "the sample of Tencent's demo")
    plain = (
        f"<xml><ToUserName><![CDATA[demo]]></ToUserName><FromUserName><![CDATA[{openid}]]></FromUserName>"
        f"<CreateTime>{now_s}</CreateTime><MsgType><![CDATA[text]]></MsgType>"
        f"<Content><![CDATA[{text}]]></Content><MsgId>{message_id}</MsgId></xml>"
    )
    nonce = str(message_id % 10**10)
    sealed = to_text(WeChatCrypto(TOKEN, AES_KEY, APP_ID).encrypt_message(plain, nonce, str(now_s)))
    signature = sealed.split("<MsgSignature><![CDATA[")[1].split("]]>")[0]
    query = {"timestamp": str(now_s), "nonce": nonce, "msg_signature": signature, "encrypt_type": "aes"}
    return Callback(query, sealed, "wechatpy")
