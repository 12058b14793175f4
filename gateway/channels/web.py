"""The chat widget on a web page: a channel of our own, whose other side is a visitor with a signed token.

Owns the tokens, the reading of what a visitor says, and what the visitor's own log keeps of it. A frame of a socket
is a `Request` whose headers are those of its handshake, with the token of its hello as `authorization`: so what
is kept is verified whole, by whatever way it came.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import jwt
from jwt.types import Options

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import (
    CustomerMessage,
    DeliveryNotice,
    Envelope,
    Media,
    Part,
    SystemNotice,
    UnknownKind,
)
from gateway.channels.base import Callback, Received, Request, Unverified

TOKEN_MS = 30 * 86_400_000  # a visitor who stays away for longer begins anew
SECRET_BYTES_MIN = 32  # as long as the digest: RFC 7518, 3.2
FRAME_BYTES_MAX = 16_384
TEXT_CHARS_MAX = 4_000
COMMENT_CHARS_MAX = 1_000
STARS = range(1, 6)

_ALGORITHM = "HS256"
_CID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_STATES = ("delivered", "read")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whom a token names, and until when."""

    id: str
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class Web:
    """One site. `secrets` holds what signs tokens, the current one first; `origins` whose pages may carry the widget.

    Pages of the host that is asked may always.
    """

    account: str
    secrets: tuple[str, ...] = field(repr=False)
    origins: tuple[str, ...] = ()
    tolerance_s: int = 0

    def issue(self, visitor: str, *, now_ms: int) -> str:
        """A token for a visitor's id of 32 hexadecimal digits, good for 30 days."""
        now_s = now_ms // 1000
        claims = {"site": self.account, "sub": visitor, "iat": now_s, "exp": now_s + TOKEN_MS // 1000}
        return jwt.encode(claims, self.secrets[0], algorithm=_ALGORITHM)

    def visitor(self, token: str, *, now_ms: int) -> Visitor:
        """Whom a token names; raises `Unverified` for one that is another's, changed, or over."""
        claims = self._claims(token)
        visitor, issued_s, expires_s = claims["sub"], claims["iat"], claims["exp"]
        if claims["site"] != self.account:
            raise Unverified("receiver")
        if not isinstance(visitor, str) or not isinstance(issued_s, int) or not isinstance(expires_s, int):
            raise Unverified("token")
        if not issued_s * 1000 - self.tolerance_s * 1000 <= now_ms < expires_s * 1000:
            raise Unverified("timestamp")
        return Visitor(visitor, expires_s * 1000)

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Raise `Unverified` for a page that may not carry the widget, and for what is no page."""
        origin, host = headers.get("origin", ""), headers.get("host", "")
        own = bool(host) and origin.partition("://")[2].lower() == host.lower()
        if not own and origin not in self.origins:
            raise Unverified("origin")

    def handshake(self, request: Request, *, now_ms: int) -> bytes:  # noqa: ARG002 - as the port has it
        """Nobody checks our address; raises `Unverified`."""
        raise Unverified("handshake")

    def receive(self, request: Request, *, now_ms: int) -> Received:
        """What one frame of a visitor says; raises `Unverified` if the page or the token will not do."""
        self.check_origin(request.headers)
        visitor = self.visitor(request.headers.get("authorization", "").removeprefix("Bearer "), now_ms=now_ms)
        return Received(b"", (self._said(visitor.id, request.body, now_ms),))

    def _said(self, visitor: str, frame: bytes, now_ms: int) -> Callback:
        """The callback of a frame; one that cannot be read has a code, and one of no known type is `unknown`."""
        digest = f"{visitor}:sha256:{hashlib.sha256(frame).hexdigest()}"
        try:
            fields = frame_fields(frame)
        except Malformed as error:
            return Callback(frame, (digest,), "", error.code)
        if fields.get("t") != "msg":
            return self._callback(visitor, digest, now_ms, {"unknown": frame.decode()})
        cid, text = fields.get("cid"), fields.get("text")
        if not isinstance(cid, str) or not _CID.fullmatch(cid) or not is_text(text):
            return Callback(frame, (digest,), "", Malformed.default_code)
        entry = {"from": "visitor", "cid": cid, "text": text, "at": now_ms}
        return self._callback(visitor, f"{visitor}:{cid}", now_ms, {"text": text}, entry)

    def notice(self, visitor: str, delivery: str, state: str, *, now_ms: int) -> Callback:
        """The callback of what became of an answer on its way to the visitor's eyes: `delivered` or `read`."""
        return self._callback(visitor, f"{visitor}:{state}:{delivery}", now_ms, {"delivery": delivery, "state": state})

    def picture(self, visitor: str, cid: str, digest: str, data: bytes, *, now_ms: int) -> Callback:
        """The callback of a picture that a visitor brought; raises `Malformed` if it has no id."""
        if not _CID.fullmatch(cid):
            raise Malformed("A picture comes with an id of the page's.", code="cid")
        entry = {"from": "visitor", "cid": cid, "picture": digest, "at": now_ms}
        callback = self._callback(visitor, f"{visitor}:{cid}", now_ms, {"picture": digest}, entry)
        return replace(callback, contents={0: data})

    def rating(self, visitor: str, ended: str, stars: int, comment: str, *, now_ms: int) -> Callback:
        """The callback of what a visitor thinks of a conversation; `ended` is the delivery that told of its end."""
        said = {"about": ended, "stars": stars, "comment": comment}
        entry = {"from": "visitor", "event": "rated", "stars": stars, "at": now_ms}
        return self._callback(visitor, f"{visitor}:rated:{ended}", now_ms, said, entry)

    def envelope(self, content: bytes) -> Envelope:
        """The typed envelope of a callback; raises `Malformed`."""
        fields = frame_fields(content)
        visitor, key, at = fields.get("visitor"), fields.get("key"), fields.get("at")
        if not isinstance(visitor, str) or not isinstance(key, str) or not isinstance(at, int):
            raise Malformed("What was kept names no visitor, no key or no time.")
        envelope = Envelope(
            hears_events=True,
            idempotency_key=key,
            channel="web",
            account=self.account,
            conversation=visitor,
            sent_at=at,
        )
        match fields.get("said"):
            case {"text": str(text)}:
                envelope.customer.CopyFrom(CustomerMessage(sender=visitor, parts=[Part(text=text)]))
            case {"picture": str(digest)}:
                part = Part(media=Media(type="image", platform_id=digest))
                envelope.customer.CopyFrom(CustomerMessage(sender=visitor, parts=[part]))
            case {"delivery": str(delivery), "state": str(state)} if state in _STATES:
                envelope.delivery.CopyFrom(DeliveryNotice(message=delivery, state=state))
            case {"about": str(ended), "stars": int(stars), "comment": str(comment)}:
                parts = [Part(text=comment)] if comment else []
                envelope.system.CopyFrom(SystemNotice(event=f"rated {stars} of 5", parts=parts, about=ended))
            case {"unknown": str(raw)}:
                envelope.unknown.CopyFrom(UnknownKind(type="frame", raw=raw))
            case _:
                raise Malformed("What was kept says nothing.")
        return envelope

    def _callback(
        self, visitor: str, key: str, now_ms: int, said: Mapping[str, object], entry: Mapping[str, object] | None = None
    ) -> Callback:
        content = json.dumps({"visitor": visitor, "key": key, "at": now_ms, "said": said}, ensure_ascii=False)
        return Callback(
            content.encode(), (key,), visitor, entry=None if entry is None else json.dumps(entry, ensure_ascii=False)
        )

    def _claims(self, token: str) -> Mapping[str, object]:
        """The claims of a token that one of our secrets signed; our own clock judges its times, not the library's."""
        options: Options = {"verify_exp": False, "verify_iat": False, "require": ["site", "sub", "iat", "exp"]}
        for secret in self.secrets:
            try:
                return jwt.decode(token, secret, algorithms=[_ALGORITHM], options=options)
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, UnicodeError):
                break
        raise Unverified("signature")


def web_secret(secret: str) -> str:
    """A secret that will do; raises `Malformed` (code `secret`) for a short one."""
    if len(secret.encode()) < SECRET_BYTES_MIN:
        raise Malformed(
            f"A site's secret has at least {SECRET_BYTES_MIN} bytes.",
            code="secret",
            advice="Draw it: openssl rand -hex 32",
        )
    return secret


def frame_fields(frame: bytes) -> Mapping[str, object]:
    """A frame's fields; raises `Malformed` for what is no JSON object of text that can be written down."""
    try:
        found = json.loads(frame.decode())
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Malformed("A frame is a JSON object.")
    return found


def is_text(value: object) -> bool:
    """Whether it is something that a person may have written."""
    return isinstance(value, str) and bool(value.strip()) and len(value) <= TEXT_CHARS_MAX
