"""WeChat Official Accounts in safe mode: https://developers.weixin.qq.com, "message push".

Owns the reading of WeChat's callbacks. Never answers in plaintext mode, where an address seen once is enough to forge
any body, and never looks at the parameter `signature` of a POST, which does not cover the body either.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import (
    CustomerMessage,
    Envelope,
    Location,
    Media,
    Part,
    SystemNotice,
    UnknownKind,
)
from gateway.channels import flat, wxbizmsgcrypt
from gateway.channels.base import Callback, Unverified

_OPENID = re.compile(r"[!-~]{1,128}")
_SECONDS = re.compile(r"[0-9]{1,11}")
_ECHO = re.compile(r"[A-Za-z0-9_-]{1,256}")  # the signature does not cover it, so no markup and no bulk is echoed
_KEY_CHARS_MAX = 256  # an EventKey may be a whole URL; the core need not carry it in each id
_UNKNOWN_CHARS_MAX = 16_384  # enough to see what it was; the whole of it stays in the inbox


@dataclass(frozen=True, slots=True)
class WeChatSecrets:
    """What WeChat and we alone know: the token, and the AES keys of 32 bytes, the current one first."""

    token: str
    aes_keys: tuple[bytes, ...]


class WeChat:
    """One Official Account. `tolerance_s` bounds how far from now a signed timestamp may lie."""

    def __init__(self, account: str, app_id: str, secrets: WeChatSecrets, *, tolerance_s: int) -> None:
        self.account = account
        self._app_id = app_id
        self._secrets = secrets
        self._tolerance_s = tolerance_s

    def handshake(self, query: Mapping[str, str], *, now_ms: int) -> bytes:
        """The `echostr` of a request whose plain `signature` holds; raises `Unverified`."""
        self._verify(query, "signature", now_ms=now_ms)
        echo = query.get("echostr", "")
        if not _ECHO.fullmatch(echo):
            raise Unverified("echo")
        return echo.encode()

    def receive(self, query: Mapping[str, str], body: bytes, *, now_ms: int) -> Callback:
        """The decrypted content with its keys; raises `Unverified`."""
        if "msg_signature" not in query:
            raise Unverified("unsigned")
        try:
            encrypted = flat.fields(body)["Encrypt"]
        except (Malformed, KeyError):
            raise Unverified("body") from None
        self._verify(query, "msg_signature", encrypted, now_ms=now_ms)
        content = wxbizmsgcrypt.decrypt(self._secrets.aes_keys, encrypted, self._app_id)
        try:
            notice = _Notice.read(content)
        except Malformed as error:
            # The retry of the same content is encrypted anew, so the content itself is the key.
            return Callback(content, (f"sha256:{sha256(content).hexdigest()}",), "", error.code)
        return Callback(content, (notice.key,), notice.sender)

    def acknowledgement(self) -> bytes:
        """WeChat stops sending at the bare word, also in safe mode."""
        return b"success"

    def envelope(self, content: bytes) -> Envelope:
        """The typed envelope of a decrypted content; raises `Malformed`."""
        notice = _Notice.read(content)
        envelope = Envelope(
            idempotency_key=notice.key,
            channel="wechat",
            account=self.account,
            conversation=notice.sender,
            sent_at=notice.created_s * 1000,
        )
        if notice.type == "event" and notice.fields.get("Event"):
            envelope.system.CopyFrom(SystemNotice(event=notice.fields["Event"], parts=_event_parts(notice.fields)))
        elif parts := _customer_parts(notice):
            envelope.customer.CopyFrom(CustomerMessage(sender=notice.sender, parts=parts))
        else:
            envelope.unknown.CopyFrom(UnknownKind(type=notice.type, raw=_without_sender(content, notice.sender)))
        return envelope

    def _verify(self, query: Mapping[str, str], name: str, *covered: str, now_ms: int) -> None:
        timestamp = query.get("timestamp", "")
        parts = (self._secrets.token, timestamp, query.get("nonce", ""), *covered)
        if not wxbizmsgcrypt.signed(query.get(name, ""), *parts):
            raise Unverified("signature")
        if not _SECONDS.fullmatch(timestamp) or abs(int(timestamp) * 1000 - now_ms) > self._tolerance_s * 1000:
            raise Unverified("timestamp")


@dataclass(frozen=True, slots=True)
class _Notice:
    """The fields that every callback has, and all the others."""

    sender: str
    created_s: int
    type: str
    fields: Mapping[str, str]
    key: str

    @classmethod
    def read(cls, content: bytes) -> "_Notice":
        fields = flat.fields(content)
        sender, created, kind = (fields.get(name, "") for name in ("FromUserName", "CreateTime", "MsgType"))
        if not _OPENID.fullmatch(sender) or not _SECONDS.fullmatch(created) or not kind:
            raise Malformed("The platform sent a notice without a sender, a time or a type.")
        return cls(sender, int(created), kind, fields, _key(sender, created, fields, content))


def _key(sender: str, created: str, fields: Mapping[str, str], content: bytes) -> str:
    """WeChat's own rule: FromUserName and MsgId; events FromUserName, CreateTime, Event and EventKey.

    Neither is there for types that are still to come: then the content counts, which holds the time.
    """
    if fields.get("MsgId"):
        key = _joined(sender, fields["MsgId"])
    elif fields.get("Event"):
        key = _joined(sender, created, fields["Event"], fields.get("EventKey", ""))
    else:
        key = _joined(sender, created, "", sha256(content).hexdigest())
    return key if len(key) <= _KEY_CHARS_MAX else f"sha256:{sha256(key.encode()).hexdigest()}"


def _joined(*parts: str) -> str:
    """The parts with `:` between them and nowhere else, so that different parts never give one key."""
    return ":".join(quote(part, safe="") for part in parts)


def _customer_parts(notice: _Notice) -> list[Part]:
    """What a customer said, or nothing where the type is unknown or lacks what it needs."""
    fields = notice.fields
    parts: list[Part] = []
    match notice.type:
        case "text":
            parts = _texts(fields.get("Content", ""))
        case "image":
            parts = _media("image", fields, url=fields.get("PicUrl", ""))
        case "voice":
            parts = _media("voice", fields) + _texts(fields.get("Recognition", ""))
        case "video" | "shortvideo":
            parts = _media("video", fields)
        case "location":
            parts = _location(fields, "Location_X", "Location_Y", fields.get("Label", ""))
        case "link":
            parts = _texts("\n".join(filter(None, (fields.get(name, "") for name in ("Title", "Description", "Url")))))
    return parts


def _event_parts(fields: Mapping[str, str]) -> list[Part]:
    return _texts(fields.get("EventKey", "")) + _location(fields, "Latitude", "Longitude", "")


def _texts(text: str) -> list[Part]:
    return [Part(text=text)] if text else []


def _media(kind: str, fields: Mapping[str, str], *, url: str = "") -> list[Part]:
    media_id = fields.get("MediaId", "")
    return [Part(media=Media(type=kind, platform_id=media_id, url=url))] if media_id or url else []


def _location(fields: Mapping[str, str], latitude_name: str, longitude_name: str, label: str) -> list[Part]:
    try:
        latitude, longitude = float(fields[latitude_name]), float(fields[longitude_name])
    except (KeyError, ValueError):
        return []
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return []
    return [Part(location=Location(latitude=latitude, longitude=longitude, label=label))]


def _without_sender(content: bytes, sender: str) -> str:
    """The text of an unknown kind; the customer's platform id stays out of what the service keeps for ever."""
    return content.decode(errors="replace").replace(sender, "")[:_UNKNOWN_CHARS_MAX]
