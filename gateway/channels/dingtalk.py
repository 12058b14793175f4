"""DingTalk robots: https://open.dingtalk.com, "receive messages", over HTTP and in Stream mode. JSON in both.

Owns the reading of its callbacks. Over HTTP the signature covers the time alone and never the body, so each is good for
a few bodies at most; on a stream the ticket of the connection vouches for what comes. Never calls an address that a
callback names: whether to is decided where answers are sent.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import CustomerMessage, Envelope, Media, Part, UnknownKind
from gateway.channels.base import UNKNOWN_CHARS_MAX, Callback, Received, Request, Unverified, object_of
from gateway.channels.replays import Replays

_WINDOW_S = 3_600  # DingTalk's own bound
_BODIES_MAX = 20  # of one signature: messages of the same millisecond share it, and forgers no more than these
_MILLISECONDS = re.compile(r"[0-9]{1,14}")
_ID = re.compile(r"[!-~]{1,256}")


def sign(secret: str, timestamp: str) -> str:
    """DingTalk's signature of a time: base64 of HMAC-SHA256."""
    digest = hmac.digest(secret.encode(), f"{timestamp}\n{secret}".encode(errors="surrogatepass"), hashlib.sha256)
    return base64.b64encode(digest).decode()


@dataclass(frozen=True, slots=True)
class DingTalk:
    """One robot. `posts` takes its callbacks over HTTP; else they come on a stream alone. `corp_id` None is any."""

    account: str
    secret: str = field(repr=False)
    robot_code: str
    corp_id: str | None
    posts: bool
    tolerance_s: int
    _replays: Replays = field(
        default_factory=lambda: Replays(window_s=_WINDOW_S, bodies_max=_BODIES_MAX), init=False, repr=False
    )

    def handshake(self, request: Request, *, now_ms: int) -> bytes:  # noqa: ARG002 - as the port has it
        """DingTalk makes none; raises `Unverified`."""
        raise Unverified("handshake")

    def receive(self, request: Request, *, now_ms: int) -> Received:
        """The one message of a POST whose header `sign` holds; raises `Unverified`."""
        if not self.posts:
            raise Unverified("transport")
        timestamp = request.headers.get("timestamp", "")
        signature = request.headers.get("sign", "").encode(errors="surrogatepass")
        if not hmac.compare_digest(sign(self.secret, timestamp).encode(), signature):
            raise Unverified("signature")
        tolerance_ms = min(self.tolerance_s, _WINDOW_S) * 1000
        if not _MILLISECONDS.fullmatch(timestamp) or abs(int(timestamp) - now_ms) > tolerance_ms:
            raise Unverified("timestamp")
        if not self._replays.admit(timestamp, request.body, now_ms=now_ms):
            raise Unverified("replay")
        return Received(b"{}", (self.callback(request.body),), media_type="application/json")

    def callback(self, content: bytes, *more_keys: str) -> Callback:
        """The callback of a content that came on either way; raises `Unverified` if it is for another robot."""
        try:
            fields = object_of(content)
            self._check_receiver(fields)
            message = _Message.read(fields)
        except Malformed as error:
            key = f"sha256:{hashlib.sha256(content).hexdigest()}"
            return Callback(content, (key, *more_keys), "", error.code)
        keys = (message.key, f"print:{message.fingerprint}", *more_keys)
        return Callback(content, keys, message.conversation, reply_to=message.reply_to)

    def envelope(self, content: bytes) -> Envelope:
        """The typed envelope of a message; raises `Malformed`."""
        message = _Message.read(object_of(content))
        envelope = Envelope(
            idempotency_key=message.key,
            channel="dingtalk",
            account=self.account,
            conversation=message.conversation,
            sent_at=message.created_ms,
        )
        if parts := _parts(message):
            name = _text(message.fields.get("senderNick"))
            envelope.customer.CopyFrom(CustomerMessage(sender=message.sender, display_name=name, parts=parts))
        else:
            raw = content.decode(errors="replace").replace(message.sender, "")
            envelope.unknown.CopyFrom(UnknownKind(type=message.type, raw=raw[:UNKNOWN_CHARS_MAX]))
        return envelope

    def _check_receiver(self, fields: Mapping[str, object]) -> None:
        if fields.get("robotCode") != self.robot_code:
            raise Unverified("receiver")
        if self.corp_id is not None and fields.get("chatbotCorpId") != self.corp_id:
            raise Unverified("receiver")


@dataclass(frozen=True, slots=True)
class _Message:
    """The fields that every message has, and all the others."""

    key: str
    conversation: str
    sender: str
    created_ms: int
    type: str
    fields: Mapping[str, object]

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> "_Message":
        names = ("msgId", "conversationId", "senderId")
        key, conversation, sender = (_text(fields.get(name)) for name in names)
        created, kind = fields.get("createAt"), _text(fields.get("msgtype"))
        if not all(_ID.fullmatch(one) for one in (key, conversation, sender)) or not kind:
            raise Malformed("The platform sent a message without an id, a conversation, a sender or a type.")
        if not isinstance(created, int) or not 0 <= created < 10**14:
            raise Malformed("The platform sent a message without a time.")
        return cls(key, conversation, sender, created, kind, fields)

    @property
    def content(self) -> Mapping[str, object]:
        """What its type is about: `text` stands under its own name, everything else under `content`."""
        found = self.fields.get("text" if self.type == "text" else "content")
        return found if isinstance(found, dict) else {}

    @property
    def fingerprint(self) -> str:
        """The same for a message that comes again under another id, and for no other: its time has milliseconds."""
        said = [self.conversation, self.sender, self.created_ms, self.type, self.content]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def reply_to(self) -> str:
        """What a sender must know: the address for this session and its end, and who is meant after it."""
        until = self.fields.get("sessionWebhookExpiredTime")
        told = {
            "webhook": _text(self.fields.get("sessionWebhook")),
            "until_ms": until if isinstance(until, int) else 0,
            "user": _text(self.fields.get("senderStaffId")),
            "group": self.conversation if self.fields.get("conversationType") == "2" else "",
        }
        return json.dumps(told)


def _parts(message: _Message) -> list[Part]:
    """What was said, or nothing where the type is unknown or lacks what it needs."""
    content = message.content
    match message.type:
        case "text":
            return _texts(_text(content.get("content")))
        case "picture":
            return _media("image", content)
        case "audio":
            return _media("voice", content) + _texts(_text(content.get("recognition")))
        case "video":
            return _media("video", content)
        case "file":
            return _media("file", content)
        case "richText":
            pieces = content.get("richText")
            return [part for piece in (pieces if isinstance(pieces, list) else []) for part in _piece(piece)]
        case _:
            return []


def _piece(piece: object) -> list[Part]:
    if not isinstance(piece, dict):
        return []
    return _media("image", piece) if piece.get("type") == "picture" else _texts(_text(piece.get("text")))


def _texts(text: str) -> list[Part]:
    return [Part(text=text)] if text.strip() else []


def _media(kind: str, content: Mapping[str, object]) -> list[Part]:
    code, name = _text(content.get("downloadCode")), _text(content.get("fileName"))
    return [Part(media=Media(type=kind, platform_id=code, name=name))] if code else []


def _text(value: object) -> str:
    """A text that can be written down; half a surrogate pair cannot."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""
