"""WeChat Official Accounts: https://developers.weixin.qq.com, "message push".

Owns the reading of WeChat's callbacks. In safe and in compatible mode the ciphertext alone counts, and the parameter
`signature` of a POST, which does not cover the body, is never looked at. Plaintext mode has nothing else: it is taken
only by an account that says so, near its time, and each signature for one body only.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from gateway.channels import flat
from gateway.channels.base import UNKNOWN_CHARS_MAX, Callback, Received, Request, Unverified
from gateway.channels.replays import Replays
from gateway.channels.tencent import SECONDS, Seal

_OPENID = re.compile(r"[!-~]{1,128}")
_ECHO = re.compile(r"[A-Za-z0-9_-]{1,256}")  # the signature does not cover it, so no markup and no bulk is echoed
_KEY_CHARS_MAX = 256  # an EventKey may be a whole URL; the core need not carry it in each id


_PLAIN_WINDOW_S = 300  # a retry comes within 15 s; this leaves room for clocks that differ


@dataclass(frozen=True, slots=True)
class WeChat:
    """One Official Account. `plain` takes callbacks in plaintext mode too, for a console that cannot encrypt."""

    account: str
    seal: Seal
    plain: bool = False
    _replays: Replays = field(default_factory=lambda: Replays(window_s=_PLAIN_WINDOW_S), init=False, repr=False)

    def handshake(self, request: Request, *, now_ms: int) -> bytes:
        """The `echostr` of a request whose plain `signature` holds; raises `Unverified`."""
        self.seal.verify(request.query, "signature", now_ms=now_ms)
        echo = request.query.get("echostr", "")
        if not _ECHO.fullmatch(echo):
            raise Unverified("echo")
        return echo.encode()

    def receive(self, request: Request, *, now_ms: int) -> Received:
        """The content with its keys, and the bare word at which WeChat stops sending, in every mode."""
        if self.plain and "msg_signature" not in request.query:
            callback = self._plain(request, now_ms=now_ms)
        else:
            callback = _callback(self.seal.content(request, now_ms=now_ms))
        return Received(b"success", (callback,))

    def _plain(self, request: Request, *, now_ms: int) -> Callback:
        self.seal.verify(request.query, "signature", now_ms=now_ms, tolerance_s=_PLAIN_WINDOW_S)
        pair = f"plain:{_joined(request.query['timestamp'], request.query.get('nonce', ''))}"
        if not self._replays.admit(pair, request.body, now_ms=now_ms):
            raise Unverified("replay")
        return _callback(request.body, pair)  # as a key, the pair stays used after a restart too

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


def _callback(content: bytes, *more_keys: str) -> Callback:
    try:
        notice = _Notice.read(content)
    except Malformed as error:
        # The retry of the same content is encrypted anew, so the content itself is the key.
        return Callback(content, (f"sha256:{sha256(content).hexdigest()}", *more_keys), "", error.code, urgent=True)
    return Callback(content, (notice.key, *more_keys), notice.sender, fingerprint=notice.fingerprint, urgent=True)


@dataclass(frozen=True, slots=True)
class _Notice:
    """The fields that every callback has, and all the others."""

    sender: str
    created_s: int
    type: str
    fields: Mapping[str, str]
    key: str

    @property
    def fingerprint(self) -> str | None:
        """Of what a message says without its id. Its time has seconds only, so two of them may be alike by chance."""
        if not self.fields.get("MsgId"):
            return None
        said = sorted(field for field in self.fields.items() if field[0] != "MsgId")
        return sha256(json.dumps(said).encode()).hexdigest()

    @classmethod
    def read(cls, content: bytes) -> "_Notice":
        fields = flat.fields(content)
        sender, created, kind = (fields.get(name, "") for name in ("FromUserName", "CreateTime", "MsgType"))
        if not _OPENID.fullmatch(sender) or not SECONDS.fullmatch(created) or not kind:
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
    return content.decode(errors="replace").replace(sender, "")[:UNKNOWN_CHARS_MAX]
