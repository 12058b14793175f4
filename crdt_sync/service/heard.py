"""What the other sides of conversations said last, what became of the answers since, and who wrote these.

It is asked once for each batch of parts that is given out, and reads of a conversation what is newer than the other
side's last word: only where that is very much is it read as a whole.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from crdt_sync.domain import message
from crdt_sync.domain.delivery import OPEN, DeliveryState, delivery_id, outgoing, session_over
from crdt_sync.domain.ids import MessageId, TicketId
from crdt_sync.domain.message import Message
from crdt_sync.ports import JournalRow, Store

SENT_COUNTED_MAX = 100  # no platform allows as many before the other side writes again
TAIL_MESSAGES = 32  # read at first: few conversations have more answers before the other side writes again


class Heard(NamedTuple):
    """When the customer last wrote, in the platform's time; how many parts were sent since, and how many are to be.

    All are 0 if nobody wrote. `over` is the event by which the platform has ended the session since, empty if none.
    """

    at_ms: int
    sent_since: int
    waiting: int
    over: str = ""


class Told(NamedTuple):
    """What is told of a conversation with its parts. `authors` are those of its newest messages."""

    heard: Heard
    authors: Mapping[MessageId, str]


UNHEARD = Heard(0, 0, 0)


class _Tail(NamedTuple):
    """The newest messages of a conversation, back to what the other side said last."""

    said: Message | None
    answers: list[Message]  # the newest first
    over: str


async def told_of(store: Store, tickets: Collection[TicketId]) -> Mapping[TicketId, Told]:
    """Return what is told of the conversations of these tickets. Raises `StoreUnavailable`."""
    found = await store.newest_messages(tickets, TAIL_MESSAGES)
    tails = {ticket: _tail(rows) for ticket, rows in found.items()}
    for ticket, rows in found.items():
        if tails[ticket].said is None and len(rows) == TAIL_MESSAGES:
            tails[ticket] = _tail(reversed(await store.messages(ticket)))
    parts = {ticket: _parts(ticket, tail) for ticket, tail in tails.items()}
    states = await store.delivery_states([id_ for ids in parts.values() for id_ in ids])
    counted = {ticket: [states[id_] for id_ in ids if id_ in states] for ticket, ids in parts.items()}
    return {ticket: _told(tail, counted[ticket]) for ticket, tail in tails.items()}


def _tail(rows: Iterable[JournalRow]) -> _Tail:
    answers: list[Message] = []
    over = ""
    for row in rows:
        posted = message.decode(row.record.encode())
        assert isinstance(posted, Message), "the journal holds admitted messages only"
        if posted.kind == "customer":
            return _Tail(posted, answers, over)
        answers.append(posted)
        over = over or session_over(posted)
    return _Tail(None, answers, over)


def _parts(ticket: TicketId, tail: _Tail) -> list[str]:
    """Name the parts that count: none where nobody wrote."""
    if tail.said is None:
        return []
    ids = [delivery_id(ticket, one.id, index) for one in tail.answers for index, _ in outgoing(one)]
    return ids[-SENT_COUNTED_MAX:]


def _told(tail: _Tail, states: list[DeliveryState]) -> Told:
    authors = {MessageId(one.id): one.author for one in tail.answers}
    if tail.said is None:
        return Told(UNHEARD._replace(over=tail.over), authors)
    waiting = sum(state in OPEN for state in states)
    return Told(Heard(tail.said.at, states.count(DeliveryState.SENT), waiting, tail.over), authors)
