"""What a described platform is asked, and what its answer means: the spec's `outbound`, applied. Pure; no I/O."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery
from gateway.outbound import Dead, Limits, Outcome, Rate, RetryLater, Sent, Unknown, Window, WindowClosed
from gateway.specs import model
from gateway.specs.expressions import Scope, text_of

_HOUR_MS = 3_600_000
_RETRY_AFTER_MS_MAX = 3_600_000
_HEADER = re.compile(r"[\t -~]*")


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request. `told` says that its address is one that somebody told us. Never shown: it has secrets."""

    method: str
    url: str = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    json: object = field(repr=False)
    form: Mapping[str, str] | None = field(repr=False)
    told: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the body as JSON where it is that, else as a text."""

    status: int
    headers: Mapping[str, str]
    body: object

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], content: bytes) -> "Reply":
        """Read what came back."""
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = content.decode(errors="replace")
        return cls(status, {name.lower(): value for name, value in headers.items()}, body)

    @property
    def scope(self) -> dict[str, object]:
        """What expressions about an answer see."""
        return {"status": self.status, "headers": self.headers, "body": self.body}


def delivery_scope(delivery: Delivery) -> dict[str, object]:
    """What templates know of an answer; `uuid` is the same at every attempt."""
    return {
        "id": delivery.id,
        "uuid": str(UUID(bytes=hashlib.sha256(delivery.id.encode()).digest()[:16], version=4)),
        "text": delivery.part.text,
        "conversation": delivery.conversation,
        "ticket": delivery.ticket,
        "author": delivery.author_name,
    }


def times(now_ms: int) -> dict[str, object]:
    """What templates know of now: an address that a callback told is good for a while."""
    return {"now_ms": now_ms, "in_a_minute_ms": now_ms + 60_000}


def chosen(requests: tuple[model.Request, ...], scope: Scope) -> model.Request | None:
    """The first request whose `when` holds."""
    return next((one for one in requests if one.when is None or one.when(scope)), None)


def call_of(request: model.Request, scope: Scope) -> Call | None:
    """The request with everything filled in; None where its address or a header is not to be had.

    Raises:
        Malformed: an expression cannot be applied.
    """
    url = request.url.filled(scope, quoted_after=1)
    headers = {name: text.filled(scope) for name, text in request.headers.items()}
    if url is None or any(value is None or not _HEADER.fullmatch(value) for value in headers.values()):
        return None
    query = {name: value for name, text in request.query.items() if (value := text.filled(scope)) is not None}
    form = None
    if request.form is not None:
        form = {name: value for name, text in request.form.items() if (value := text.filled(scope)) is not None}
    return Call(
        request.method,
        url,
        query,
        {name: value for name, value in headers.items() if value is not None},
        request.json_.value(scope) if request.json_ is not None else None,
        form,
        told=is_told(request),
    )


def is_told(request: model.Request) -> bool:
    """Whether the address is one out of a callback or an answer."""
    first = next(iter(request.url.expressions()), None)
    return first is None or {root.name for root in first.roots()} != {"origin"}


def outcome_of(outbound: model.Outbound, reply: Reply) -> Outcome:
    """What an answer means; raises `Malformed` where an expression of the spec cannot be applied."""
    scope = reply.scope
    for rule in outbound.classify:
        if rule.when(scope):
            return _by_rule(rule, _retry_ms(outbound, reply))
    if reply.status in {429, 503}:
        return RetryLater("busy", _retry_ms(outbound, reply))
    if reply.status >= 500:
        return Unknown("server_error")
    if outbound.success(scope):
        named = text_of(outbound.message_id(scope)) if outbound.message_id is not None else None
        return Sent(named or "")
    return Dead(f"http_{reply.status}" if reply.status >= 300 else "refused")


def limits_of(outbound: model.Outbound) -> Limits:
    """The limits in the form of the port."""
    given = outbound.limits
    window = None if given.window is None else Window(given.window.hours * _HOUR_MS, given.window.parts_max)
    return Limits(_rate(given.account), _rate(given.conversation), window)


def is_too_long(outbound: model.Outbound, text: str) -> bool:
    """Whether the platform would not take the text."""
    size = len(text) if outbound.text_max.unit == "chars" else len(text.encode())
    return size > outbound.text_max.value


def _by_rule(rule: model.Rule, retry_ms: int | None) -> Outcome:
    match rule.then:
        case "busy":
            return RetryLater(rule.code, rule.delay_s * 1000 if rule.delay_s is not None else retry_ms)
        case "window_closed":
            return WindowClosed(rule.code)
        case "unknown":
            return Unknown(rule.code)
        case "dead":
            return Dead(rule.code)


def _retry_ms(outbound: model.Outbound, reply: Reply) -> int | None:
    unit, given = "s", text_of(reply.headers.get("retry-after"))
    if (rule := outbound.retry_after) is not None and (found := _retry(rule, reply)) is not None:
        unit, given = rule.unit, found
    if given is None or not given.isascii() or not given.isdigit() or len(given) > 10:
        return None
    return min(int(given) * (1000 if unit == "s" else 1), _RETRY_AFTER_MS_MAX)


def _retry(rule: model.RetryAfter, reply: Reply) -> str | None:
    try:
        return text_of(rule.value(reply.scope))
    except Malformed:
        return None


def _rate(given: model.Rate | None) -> Rate | None:
    return None if given is None else Rate(given.burst, given.per_minute / 60)
