"""What may exist once only, and what tickets are found by. Pure: both stores ask here, so that they cannot disagree."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from crdt_sync.domain.tripwire import ALARMS_PER_TICKET_MAX, Alarm
from crdt_sync.ports import Batch, TicketFilter

REFUSAL_ROWS_MAX = 100_000  # some 20 MB; a quiet house keeps years
QUARANTINE_ROWS_MAX = 10_000  # enough to study an attack or a faulty client, and no way to fill the disk with refusals
QUARANTINE_BYTES_MAX = 64 * 1024 * 1024  # rows may be as large as a frame; this much is enough of the large ones
ALARMS_PER_DEPARTMENT_MAX = 100  # some 25 MB at worst; a fault that so many tickets show is known

Key: TypeAlias = tuple[Any, ...]  # the kind of a key, then its columns
Facet: TypeAlias = tuple[str, str]


def unique_keys(batch: Batch) -> Iterator[tuple[Key, str]]:
    """Yield every key that the batch claims, with the name by which a `StoreConflict` calls it."""
    for update in batch.updates:
        yield ("update", update.document, update.document_position), update.document
    for transition in batch.transitions:
        yield ("transition", transition.id), transition.id
    for message in batch.messages:
        yield ("message", message.id), message.id
    for ticket in batch.tickets:
        yield ("ticket", ticket.id), ticket.id
    for subject in batch.subjects:
        yield ("subject", subject.subject), subject.subject
    for result in batch.results:
        yield ("result", result.actor, result.key), result.key
    for delivery in batch.deliveries:
        yield ("delivery", delivery.id), delivery.id
    for change in batch.delivery_changes:
        yield ("delivery_change", change.before.id), change.before.id
    for turn in batch.turns:
        yield ("turn", turn.rule), turn.rule


def collisions(batch: Batch, taken: Iterable[Key]) -> tuple[str, ...]:
    """Name what the batch claims although it is taken, or claims twice."""
    counts = Counter(key for key, _ in unique_keys(batch))
    counts.update(taken)
    return tuple(sorted({name for key, name in unique_keys(batch) if counts[key] > 1}))


def has_room(alarm: Alarm, kept: Iterable[tuple[str, str]]) -> bool:
    """Tell whether an alarm is new and fits, where `kept` are the tickets and heads of its department's alarms."""
    rows = list(kept)
    of_ticket = [heads for ticket, heads in rows if ticket == alarm.ticket]
    if alarm.heads in of_ticket or len(of_ticket) >= ALARMS_PER_TICKET_MAX:
        return False
    return len(rows) < ALARMS_PER_DEPARTMENT_MAX


def facets(
    stage: str | None, participants: Iterable[str], lanes: Mapping[str, str], owing: Iterable[str]
) -> frozenset[Facet]:
    """Return what a ticket is found by: its stage, each participant, each lane's state, each lane that owes."""
    return frozenset(
        [
            *([("stage", stage)] if stage is not None else []),
            *(("department", department) for department in participants),
            *((f"lane:{lane}", state) for lane, state in lanes.items()),
            *(("owed_by", lane) for lane in owing),
        ]
    )


def owing_lanes(obligations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lanes that open obligations name (lifecycle D11: `owes` maps a lane to what would discharge it)."""
    return [lane for obligation in obligations for lane in obligation["owes"]]


def wanted(where: TicketFilter) -> frozenset[Facet]:
    """Return the facets that a ticket must have to pass the filter; the caller's department is always one."""
    owing = [where.owed_by] if where.owed_by is not None else []
    participants = [where.department, *([where.together_with] if where.together_with is not None else [])]
    return facets(where.stage, participants, where.lane_states, owing)
