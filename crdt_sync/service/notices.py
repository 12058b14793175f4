"""What bound groups and customers are told of a ticket's course: notices as rows of the outbox. Knows no platform.

A row is written by the commit of what it tells.

One commit tells a group of a ticket once, whatever happened to it there: a robot may say little, and a person reads
less. The id of a notice is made of what it tells and of the group, so no commit can be told twice.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crdt_sync.domain import notice
from crdt_sync.domain.canonical import dumps
from crdt_sync.domain.delivery import Conversation
from crdt_sync.domain.group import Group, Groups, Notice
from crdt_sync.domain.ids import MessageId, TicketId
from crdt_sync.domain.notice import Line, Wording
from crdt_sync.domain.transition import Transition
from crdt_sync.ports.outbox import NewDelivery
from crdt_sync.ports.owed import StoredOwed
from crdt_sync.service.live_ticket import LiveTicket

ENDED = "ended"  # the event of which a customer hears
Owed = Mapping[str, Any]  # what is owed, as `OpenObligation.to_json` has it, without its trigger


def of_moves(
    groups: Groups,
    live: LiveTicket,
    moved: tuple[str, str] | None,
    raised: Sequence[Owed],
    steps: Sequence[Transition],
    now_ms: int,
) -> Iterable[NewDelivery]:
    """Tell of the stages before and after, and of what is owed since, by the steps that a commit admits."""
    for group in groups.hearing(live.lifecycle):
        wording = _wording(group, live)
        owed = [one["owes"] for one in raised] if Notice.RAISED in group.notices else []
        lines = [Line(live.id, "raised", wording.raised([owes])) for owes in owed]
        kind: notice.Kind
        if moved is not None and Notice.STAGE in group.notices:
            stage = wording.moved(*moved, steps)
            kind, text = "stage", "\n".join([stage, *map(wording.owed, owed)])
            lines.insert(0, Line(live.id, "stage", stage))
        elif owed:
            kind, text = "raised", wording.raised(owed)
        else:
            continue
        yield to_group(group, live.id, f"moved:{steps[-1].id}", notice.content(kind, text, lines), now_ms)


def of_red(groups: Groups, live: LiveTicket, owed: StoredOwed, now_ms: int) -> Iterable[NewDelivery]:
    """Tell of what has been owed for too long."""
    owes = json.loads(owed.obligation)["owes"]
    for group in groups.hearing(live.lifecycle):
        if Notice.RED in group.notices:
            text = _wording(group, live).red(owes, now_ms - owed.raised_ms)
            red = notice.content("red", text)
            yield to_group(group, live.id, f"red:{owed.raised_ms}:{owed.obligation}", red, now_ms)


def of_end(to: Conversation, ticket: TicketId, step: Transition, now_ms: int) -> NewDelivery:
    """Tell the other side of a conversation that it has ended, by the step that closed its ticket."""
    id_ = notice.notice_id(ticket, f"ended:{step.id}", to)
    return NewDelivery(id_, ticket, MessageId(""), 0, to, dumps({"type": "event", "event": ENDED}), now_ms)


def to_group(group: Group, ticket: TicketId | None, cause: str, content: str, now_ms: int) -> NewDelivery:
    """Return one notice as a row; `cause` is what it tells of, and may happen once."""
    id_ = notice.notice_id(ticket or "", cause, group.at)
    return NewDelivery(id_, ticket or TicketId(""), MessageId(""), 0, group.at, content, now_ms)


def _wording(group: Group, live: LiveTicket) -> Wording:
    return Wording(live.lifecycle, group.language, live.id, live.card.card().get("title"))
