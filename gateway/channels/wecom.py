"""WeCom's customer service (kf): https://developer.work.weixin.qq.com/document/path/94670.

Owns the reading of its callbacks and of the messages that are pulled. A callback carries no message: it is a hint that
one customer service has news. Any other callback to the same address is kept as of an unknown type.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote, unquote

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import (
    AgentMessage,
    CustomerMessage,
    DeliveryNotice,
    Envelope,
    Location,
    Media,
    Part,
    SystemNotice,
    UnknownKind,
)
from gateway.channels import flat
from gateway.channels.base import UNKNOWN_CHARS_MAX, Callback, Hint, Received, Request, object_of
from gateway.channels.tencent import SECONDS, Seal

_ID = re.compile(r"[!-~]{1,128}")
_FROM_CUSTOMER, _FROM_AGENT = 3, 5  # `origin`; 4 is the platform itself
# `change_type`: somebody takes the session in WeCom itself, is given it there, ends it, or takes it back.
_SESSIONS = {1: "session_human", 2: "session_human", 3: "session_ended", 4: "session_human"}


@dataclass(frozen=True, slots=True)
class WeCom:
    """One corporation's customer services under one address; a conversation names the service and the customer."""

    account: str
    seal: Seal

    def handshake(self, request: Request, *, now_ms: int) -> bytes:
        """The plaintext of `echostr`, which WeCom encrypts and signs; raises `Unverified`."""
        return self.seal.open(request.query, request.query.get("echostr", ""), now_ms=now_ms)

    def receive(self, request: Request, *, now_ms: int) -> Received:
        """A hint where to pull; or the callback itself, where it is none."""
        content = self.seal.content(request, now_ms=now_ms)
        key = f"sha256:{sha256(content).hexdigest()}"  # a retry is encrypted anew, with the same content
        try:
            fields = flat.fields(content)
        except Malformed as error:
            return Received(b"success", (Callback(content, (key,), "", error.code),))
        source = fields.get("OpenKfId", "")
        if fields.get("Event") == "kf_msg_or_event" and _ID.fullmatch(source):
            return Received(b"success", hint=Hint(source, fields.get("Token", "")))
        return Received(b"success", (Callback(content, (key,), _teller(fields)),))

    def pulled(self, source: str, message: object) -> Callback:
        """The callback of one element of `msg_list`."""
        content = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        try:
            known = _Message.read(content)
        except Malformed as error:
            return Callback(content, (f"sha256:{sha256(content).hexdigest()}",), quote(source), error.code)
        return Callback(content, (known.key,), known.conversation, fingerprint=_fingerprint(content))

    def envelope(self, content: bytes) -> Envelope:
        """The typed envelope of a pulled message or of another callback; raises `Malformed`."""
        if b'"msgid"' not in content:
            return self._other(content)
        message = _Message.read(content)
        envelope = Envelope(
            idempotency_key=message.key,
            channel="wecom",
            account=self.account,
            conversation=message.conversation,
            sent_at=message.sent_s * 1000,
        )
        parts = _parts(message)
        event = _event(message)
        failed = _text(message.content.get("fail_msgid")) if event == "msg_send_fail" else ""
        if failed:
            envelope.delivery.CopyFrom(DeliveryNotice(message=failed, state="failed"))
        elif event:
            envelope.system.CopyFrom(SystemNotice(event=event, parts=parts))
        elif parts and message.origin == _FROM_CUSTOMER:
            envelope.customer.CopyFrom(CustomerMessage(sender=message.customer, parts=parts))
        elif parts and message.origin == _FROM_AGENT:
            envelope.agent.CopyFrom(AgentMessage(sender=message.agent, parts=parts))
        else:
            envelope.unknown.CopyFrom(UnknownKind(type=message.type, raw=_raw(content, message.customer)))
        return envelope

    def _other(self, content: bytes) -> Envelope:
        fields = flat.fields(content)
        if not fields:
            raise Malformed("The platform sent nothing.")
        created = fields.get("CreateTime", "")
        envelope = Envelope(
            idempotency_key=f"sha256:{sha256(content).hexdigest()}",
            channel="wecom",
            account=self.account,
            conversation=_teller(fields),
            sent_at=int(created) * 1000 if SECONDS.fullmatch(created) else 0,
        )
        kind = fields.get("Event") or fields.get("MsgType") or "callback"
        envelope.unknown.CopyFrom(UnknownKind(type=kind, raw=_raw(content, fields.get("FromUserName", ""))))
        return envelope


def peer(conversation: str) -> tuple[str, str]:
    """The customer service and the customer of a conversation, as WeCom names them."""
    source, _, customer = conversation.partition("/")
    return unquote(source), unquote(customer)


@dataclass(frozen=True, slots=True)
class _Message:
    """One element of `msg_list`: what each has, and the object that its type names."""

    key: str
    source: str
    customer: str
    agent: str
    sent_s: int
    origin: int
    type: str
    content: Mapping[str, object]

    @property
    def conversation(self) -> str:
        return f"{quote(self.source, safe='')}/{quote(self.customer, safe='')}"

    @classmethod
    def read(cls, data: bytes) -> "_Message":
        fields = object_of(data)
        kind = fields.get("msgtype")
        content = fields.get(kind) if isinstance(kind, str) else None
        content = content if isinstance(content, dict) else {}
        event = content if kind == "event" else {}
        names = ("msgid", "open_kfid", "external_userid", "servicer_userid")
        key, source, customer, agent = (_text(fields.get(name) or event.get(name)) for name in names)
        sent, origin = fields.get("send_time"), fields.get("origin")
        if not (_ID.fullmatch(key) and _ID.fullmatch(source) and isinstance(kind, str) and kind):
            raise Malformed("The platform sent a message without an id, a customer service or a type.")
        if not (isinstance(sent, int) and 0 <= sent < 10**11 and isinstance(origin, int)):
            raise Malformed("The platform sent a message without a time or an origin.")
        return cls(key, source, customer, agent, sent, origin, kind, content)


def _fingerprint(content: bytes) -> str:
    """Of a message without its id. Its time has seconds only, so two of them may be alike by chance."""
    said = {name: value for name, value in object_of(content).items() if name != "msgid"}
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _parts(message: _Message) -> list[Part]:
    """What was said, or nothing where the type is unknown or lacks what it needs."""
    content = message.content
    match message.type:
        case "text":
            return _texts(_text(content.get("content")))
        case "image" | "voice" | "video" | "file":
            media_id = _text(content.get("media_id"))
            return [Part(media=Media(type=message.type, platform_id=media_id))] if media_id else []
        case "location":
            return _location(content)
        case "link":
            return _texts("\n".join(filter(None, (_text(content.get(name)) for name in ("title", "desc", "url")))))
        case _:
            return []


def _event(message: _Message) -> str:
    """What happened, empty if it is no event; a session's change is named by what it means for who would answer."""
    event = _text(message.content.get("event_type")) if message.type == "event" else ""
    change = message.content.get("change_type")
    if event == "session_status_change" and isinstance(change, int):
        return _SESSIONS.get(change, event)
    return event


def _texts(text: str) -> list[Part]:
    return [Part(text=text)] if text else []


def _location(content: Mapping[str, object]) -> list[Part]:
    latitude, longitude = content.get("latitude"), content.get("longitude")
    label = "\n".join(filter(None, (_text(content.get(name)) for name in ("name", "address"))))
    if not all(isinstance(one, int | float) and -180 <= one <= 180 for one in (latitude, longitude)):
        return []
    return [Part(location=Location(latitude=latitude, longitude=longitude, label=label))]  # type: ignore[arg-type]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _teller(fields: Mapping[str, str]) -> str:
    """Whom a callback without a message is about: a person if it names one, else the address itself."""
    return quote(fields.get("FromUserName", ""), safe="") or "callback"


def _raw(content: bytes, customer: str) -> str:
    """The text of an unknown kind; the customer's platform id stays out of what the service keeps for ever."""
    text = content.decode(errors="replace")
    return (text.replace(customer, "") if customer else text)[:UNKNOWN_CHARS_MAX]
