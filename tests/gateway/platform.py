"""WeChat's side of a callback: what it would POST for a given content, and its recorded vectors."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from gateway.channels import wxbizmsgcrypt
from gateway.channels.base import Request

VECTORS = json.loads((Path(__file__).parents[2] / "proto" / "vectors" / "wechat.json").read_text())
T5 = next(vector for vector in VECTORS["callbacks"] if vector["name"] == "T5")
T5_NOW_S = int(T5["timestamp"])


@dataclass(frozen=True)
class Post:
    """One POST of the platform."""

    query: dict[str, str]
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def request(self) -> Request:
        return Request(self.query, self.headers, self.body)


def xml_body(encrypt: str) -> bytes:
    return f"<xml><ToUserName><![CDATA[gh]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>".encode()


def json_body(encrypt: str) -> bytes:
    return json.dumps({"ToUserName": "gh", "Encrypt": encrypt}).encode()


def recorded(vector: dict) -> Post:
    """A recorded callback; its `signature` is there to be ignored."""
    body = xml_body if vector["format"] == "xml" else json_body
    query = {"signature": vector.get("signature_to_ignore", "0" * 40), "encrypt_type": "aes", "openid": "any"}
    query |= {name: vector[name] for name in ("timestamp", "nonce", "msg_signature")}
    return Post(query, body(vector["encrypt"]))


@dataclass
class Platform:
    """WeChat with the account of T5 (or another), at T5's time."""

    token: str = T5["token"]
    encoding_aes_key: str = T5["aes_key"]
    app_id: str = T5["app_id"]
    now_s: int = T5_NOW_S
    _sent: int = 0

    def post(self, content: bytes) -> Post:
        """The callback of `content`, encrypted anew each time."""
        self._sent += 1
        key = wxbizmsgcrypt.aes_key(self.encoding_aes_key)
        return self.signed(wxbizmsgcrypt.encrypt(key, content, self.app_id, random=b"%016d" % self._sent))

    def plain(self, content: bytes) -> Post:
        """The callback of `content` in plaintext mode: the signature does not cover it."""
        self._sent += 1
        timestamp, nonce = str(self.now_s), f"plain{self._sent}"
        signature = wxbizmsgcrypt.sign(self.token, timestamp, nonce)
        return Post({"signature": signature, "timestamp": timestamp, "nonce": nonce, "openid": "any"}, content)

    def signed(self, encrypt: str) -> Post:
        timestamp, nonce = str(self.now_s), f"nonce{self._sent}"
        signature = wxbizmsgcrypt.sign(self.token, timestamp, nonce, encrypt)
        query = {"signature": "ignored", "timestamp": timestamp, "nonce": nonce, "msg_signature": signature}
        return Post(query | {"encrypt_type": "aes", "openid": "any"}, xml_body(encrypt))


def notice(sender: str = "openid-1", kind: str = "text", **fields: str) -> bytes:
    """The XML of a notice at T5's time."""
    given = {"ToUserName": "gh", "FromUserName": sender, "CreateTime": str(T5_NOW_S), "MsgType": kind, **fields}
    return (
        "<xml>" + "".join(f"<{name}><![CDATA[{text}]]></{name}>" for name, text in given.items()) + "</xml>"
    ).encode()


def text(number: int, sender: str = "openid-1") -> bytes:
    """A customer's text whose MsgId is `number`."""
    return notice(sender, Content=f"text {number}", MsgId=str(number))
