"""Domain events as CloudEvents 1.0 in JSON: the same text on every wire. Decides nothing about who may see one.

Source: CloudEvents 1.0.2 with its JSON format and the extension "Distributed Tracing"; types and schemas: proto/events.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from crdt_sync.domain.canonical import dumps
from crdt_sync.domain.ids import ID_PATTERN, Position, TicketId
from crdt_sync.errors import Malformed

SOURCE = "/crdt-sync"
TYPE_PREFIX, TYPE_SUFFIX = "ticketsync.ticket.", ".v1"

_POSITION = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """What a reader takes out of one. `type` is ours, without what CloudEvents wants around it."""

    position: Position
    type: str
    ticket: TicketId
    data: Mapping[str, object]


def encode(
    *,
    position: Position,
    type_: str,
    ticket: TicketId,
    data: Mapping[str, object],
    at_ms: int,
    traceparent: str | None,
) -> str:
    """Write an event. Positions are texts, since an Integer of CloudEvents has 32 bits."""
    attributes: dict[str, object] = {
        "specversion": "1.0",
        "id": str(position),  # unique in the source, and the same whenever the event is given
        "source": SOURCE,
        "type": f"{TYPE_PREFIX}{type_}{TYPE_SUFFIX}",
        "subject": ticket,
        "time": _time(at_ms),
        "datacontenttype": "application/json",
        "dataschema": f"urn:ticketsync:event:{type_}:v1",
        "position": str(position),
        "data": data,
    }
    if traceparent is not None:
        attributes["traceparent"] = traceparent
    return dumps(attributes)


def encode_heartbeat(position: Position) -> str:
    """Write where a stream stands that has nothing to tell: everything up to there was given."""
    return dumps({"position": str(position)})


def decode(text: str) -> CloudEvent | Position:
    """Read an event, or a heartbeat.

    Raises:
        Malformed: it is neither.

    """
    try:
        fields = json.loads(text)
        position = _position(fields["position"])
        if "specversion" not in fields:
            return position
        type_, ticket, data = fields["type"], fields["subject"], fields["data"]
        well_formed = isinstance(type_, str) and isinstance(data, dict) and ID_PATTERN.fullmatch(ticket)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _malformed() from error
    if not well_formed:
        raise _malformed()
    return CloudEvent(position, type_.removeprefix(TYPE_PREFIX).removesuffix(TYPE_SUFFIX), TicketId(ticket), data)


def _position(text: str) -> Position:
    if not _POSITION.fullmatch(text):
        raise _malformed()
    return Position(int(text))


def _malformed() -> Malformed:
    return Malformed("This is no event of a ticket.", code="event")


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"
