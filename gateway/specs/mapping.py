"""A callback of a described channel as an envelope: the spec's `keys` and `map`, applied to what was kept. Pure."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import (
    AgentMessage,
    CustomerMessage,
    DeliveryNotice,
    Envelope,
    Location,
    Media,
    SystemNotice,
    UnknownKind,
)
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Part as EnvelopePart
from gateway.channels.base import UNKNOWN_CHARS_MAX
from gateway.specs.bodies import Told
from gateway.specs.expressions import Expression, Scope, text_of
from gateway.specs.model import Inbound, Kind, Moment, Part

_ID_CHARS_MAX = 256
_SECONDS = re.compile(r"([0-9]{1,11})(?:\.([0-9]{1,9}))?")
_MS_MAX = 10**14
_MEDIA = ("image", "voice", "video", "file")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a callback is known by, and how its conversation is answered."""

    keys: tuple[str, ...]
    fingerprint: str | None
    conversation: str
    reply: Mapping[str, object] = field(default_factory=dict)


def scope_of(told: Told, account: Mapping[str, str]) -> dict[str, object]:
    """What expressions about a kept callback see."""
    return {"headers": told.headers, "body": told.body, "item": told.item, "account": account}


def _reading(inbound: Inbound, scope: Scope) -> Reading:
    found = [_key(parts, scope) for parts in inbound.keys]
    if found[0] is None:
        raise Malformed("The mapping `keys` found no key.")
    marks = [f"{place}:{key}" for place, key in enumerate(found[1:], 1) if key is not None]
    fingerprint = None
    if (rule := inbound.fingerprint) is not None:
        said = [one(scope) for one in rule.of]
        if all(one is not None for one in said):
            fingerprint = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        if rule.certain and fingerprint is not None:
            marks.append(f"print:{fingerprint}")
            fingerprint = None
    reply = {name: one(scope) for name, one in inbound.map.reply.items()}
    keys = tuple(dict.fromkeys((found[0], *marks)))
    return Reading(keys, fingerprint, _id(inbound.map.conversation, scope, "conversation"), reply)


def kind_of(inbound: Inbound, scope: Scope) -> Kind | None:
    """The kind of a callback, None if it is none that the spec knows."""
    return next((kind for kind in inbound.map.kinds if kind.when(scope)), None)


def mapped(inbound: Inbound, scope: Scope, *, channel: str, account: str) -> tuple[Reading, Envelope]:
    """A callback read and mapped; raises `Malformed` where its kind says that there is something, and is not."""
    reading, mapping = _reading(inbound, scope), inbound.map
    envelope = Envelope(
        idempotency_key=reading.keys[0],
        channel=channel,
        account=account,
        conversation=reading.conversation,
        sent_at=_moment(mapping.sent_at, scope),
    )
    kind = kind_of(inbound, scope)
    if kind is None:
        known = text_of(mapping.type(scope)) if mapping.type is not None else None
        raw = json.dumps(scope["item"], ensure_ascii=False).encode(errors="replace").decode()
        raw = raw.replace(_id(mapping.sender, scope, "sender"), "")
        envelope.unknown.CopyFrom(UnknownKind(type=(known or "")[:_ID_CHARS_MAX], raw=raw[:UNKNOWN_CHARS_MAX]))
    elif kind.notice is not None:
        state = kind.notice.states.get(text_of(kind.notice.state(scope)) or "")
        if state is None:
            raise Malformed("The mapping `notice.states` knows no such state.")
        envelope.delivery.CopyFrom(DeliveryNotice(message=_id(kind.notice.message, scope, "notice"), state=state))
    elif kind.event is not None:
        envelope.system.CopyFrom(SystemNotice(event=kind.event, parts=list(_parts(kind, scope))))
    else:
        _say(envelope, kind, inbound, scope)
    return reading, envelope


def part_scopes(part: Part, scope: Scope) -> list[Scope]:
    """What the expressions of a part see: once, or once for each piece of its list."""
    if part.each is None:
        return [scope]
    pieces = part.each(scope)
    return [{**scope, "piece": piece} for piece in pieces] if isinstance(pieces, list) else []


def _say(envelope: Envelope, kind: Kind, inbound: Inbound, scope: Scope) -> None:
    parts = list(_parts(kind, scope))
    if not parts:
        raise Malformed("The mapping `parts` found nothing that was said.")
    sender = _id(inbound.map.sender, scope, "sender")
    if kind.author == "agent":
        envelope.agent.CopyFrom(AgentMessage(sender=sender, parts=parts))
        return
    name = text_of(inbound.map.name(scope)) if inbound.map.name is not None else None
    envelope.customer.CopyFrom(CustomerMessage(sender=sender, display_name=name or "", parts=parts))


def _parts(kind: Kind, scope: Scope) -> Iterator[EnvelopePart]:
    for part in kind.parts:
        for one in part_scopes(part, scope):
            yield from _part(part, one)


def _part(part: Part, scope: Scope) -> Iterator[EnvelopePart]:
    if part.text is not None and (text := text_of(part.text(scope))) and text.strip():
        yield EnvelopePart(text=text)
    name = (text_of(part.name(scope)) or "") if part.name is not None else ""
    for kind in _MEDIA:
        refers: Expression | None = getattr(part, kind)
        if refers is not None and (platform_id := text_of(refers(scope))):
            yield EnvelopePart(media=Media(type=kind, platform_id=platform_id, name=name))
    if (place := part.location) is not None:
        latitude, longitude = _degrees(place.latitude(scope)), _degrees(place.longitude(scope))
        if latitude is not None and longitude is not None:
            label = (text_of(place.label(scope)) or "") if place.label is not None else ""
            yield EnvelopePart(location=Location(latitude=latitude, longitude=longitude, label=label))


def _key(parts: tuple[Expression, ...], scope: Scope) -> str | None:
    found = [text_of(one(scope)) for one in parts]
    if any(one is None or not one for one in found):
        return None
    key = ":".join(one for one in found if one is not None)
    return key if len(key) <= _ID_CHARS_MAX else f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def _id(expression: Expression, scope: Scope, what: str) -> str:
    found = text_of(expression(scope))
    if not found or len(found) > _ID_CHARS_MAX or "\0" in found:
        raise Malformed(f"The mapping `{what}` found no name.")
    return found


def _moment(moment: Moment, scope: Scope) -> int:
    found = _milliseconds(moment, moment.value(scope))
    if found is None or not 0 <= found < _MS_MAX:
        raise Malformed("The mapping `sent_at` found no time.")
    return found


def _milliseconds(moment: Moment, value: object) -> int | None:
    if moment.unit in {"rfc3339", "rfc5322"}:
        return _of_text(moment.unit, value)
    matched = _SECONDS.fullmatch(text_of(value) or "") if not isinstance(value, float) else None
    if moment.unit == "s":
        fraction = (matched[2] or "").ljust(3, "0")[:3] if matched is not None else ""
        return int(matched[1]) * 1000 + int(fraction) if matched is not None else None
    text = text_of(value) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 14 else None


def _of_text(unit: str, value: object) -> int | None:
    read = datetime.fromisoformat if unit == "rfc3339" else parsedate_to_datetime
    try:
        at = read(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    return round(at.timestamp() * 1000) if at is not None and at.tzinfo is not None else None


def _degrees(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) <= 180 else None
