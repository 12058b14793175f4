"""Short ways to say what a test commits."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from crdt_sync.adapters.storage.sql import SqlStore
from crdt_sync.domain.delivery import Conversation, delivery_id
from crdt_sync.domain.ids import ActorId, Department, Digest, MessageId, Position, TicketId, TransitionId
from crdt_sync.domain.tripwire import Alarm, Evidence
from crdt_sync.ports import (
    Batch,
    NewEvent,
    NewMessage,
    NewResult,
    NewSubject,
    NewTransition,
    NewUpdate,
    Quarantined,
    TicketWrite,
)
from crdt_sync.ports.operator import Refusal
from crdt_sync.ports.outbox import Claim, NewDelivery
from crdt_sync.ports.owed import OwedChange
from crdt_sync.ports.stored import Author, Compaction, Snapshot

AT_MS = 1_700_000_000_000
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def name(word: str) -> TicketId:
    """Pad a word to the length of an id."""
    return TicketId(f"{word:a<52}")


def update(document: str, document_position: int, data: bytes = b"\x00\x00") -> NewUpdate:
    actor = ActorId("sales-agent")
    return NewUpdate(document, document_position, data, actor, Department("sales"), ("rep", "lead"), AT_MS, TRACE)


def snapshot(document_position: int, data: bytes = b"state") -> Snapshot:
    """A snapshot by two people; a store does not look into it."""
    lead, clerk = (
        Author(ActorId("sales-agent"), Department("sales"), ("rep", "lead")),
        Author(ActorId("tech-agent"), Department("tech"), ()),
    )
    return Snapshot(document_position, data, (lead, clerk), Digest("f" * 64))


def compaction(
    document: str, before: int, document_position: int, data: bytes = b"state", *, position: int | None = None
) -> Compaction:
    kept = b"who wrote what up to %d" % document_position
    newest = Position(position or document_position)
    return Compaction(document, before, newest, snapshot(document_position, data), kept)


def transition(key: str, ticket: str = "one", record: str = "{}") -> NewTransition:
    return NewTransition(TransitionId(key), name(ticket), record, AT_MS, TRACE)


def message(key: str, ticket: str = "one", record: str = "{}") -> NewMessage:
    return NewMessage(MessageId(key), name(ticket), record, AT_MS)


def event(kind: str, ticket: str = "one", **data: object) -> NewEvent:
    return NewEvent(kind, name(ticket), data, (Department("sales"), Department("tech")), AT_MS, TRACE)


def ticket(
    word: str,
    expected: int | None = None,
    newest: str | None = None,
    *,
    stage: str = "negotiation",
    lanes: Mapping[str, str] | None = None,
    obligations: Sequence[Mapping[str, Any]] = (),
    participants: Sequence[str] = ("sales", "tech"),
) -> TicketWrite:
    return TicketWrite(
        id=name(word),
        expected_position=None if expected is None else Position(expected),
        newest_transition=None if newest is None else TransitionId(newest),
        lifecycle=Digest("d" * 64),
        subject=f"subject of {word}",
        stage=stage,
        kind="progress",
        lanes={"sales": "open", "tech": "idle"} if lanes is None else lanes,
        flags={"tech": ("review",)},
        obligations=obligations,
        card={"title": "Glasfaser für 王"},
        participants=tuple(Department(department) for department in participants),
        opened_at_ms=AT_MS,
        updated_at_ms=AT_MS + 1,
    )


def owes(lane: str) -> Mapping[str, Any]:
    return {"row": "unwind", "owes": {lane: ["dismantle"]}, "trigger": []}


def subject(text: str, ticket: str = "one") -> NewSubject:
    return NewSubject(text, name(ticket), '["web","x"]')


def result(key: str, actor: str = "sales-agent", text: str = "{}") -> NewResult:
    return NewResult(ActorId(actor), key, Digest("e" * 64), text, AT_MS)


def quarantined(data: bytes) -> Quarantined:
    return Quarantined("ticket/x/submit/sales", ActorId("sales-agent"), "deletion", data, AT_MS)


def alarm(ticket: str = "one", department: str = "sales", heads: str = "a", text: str = "Sales has signed.") -> Alarm:
    believed = Evidence(f"{text}\nNothing is owed.", '{"stage":"won"}')
    seen = (name(ticket), Department(department), ActorId("sales-agent"), Digest(f"{heads:0>64}"))
    return Alarm(*seen, replica=believed, service=Evidence("Sales has lost. 王", "{}"), at_ms=AT_MS)


def delivery(key: str, index: int = 0, *, to: str = "chen", account: str = "shop", ticket: str = "one") -> NewDelivery:
    """A part of the message `key`, which must be of the same batch."""
    id_ = delivery_id(name(ticket), MessageId(key), index)
    conversation = Conversation("wechat", account, to)
    return NewDelivery(id_, name(ticket), MessageId(key), index, conversation, '{"text":"王"}', AT_MS, TRACE)


def claim(owner: str = "g1", now_ms: int = 0, *, accounts=("shop",), idempotent=(), limit: int = 100) -> Claim:
    return Claim(owner, tuple(accounts), tuple(idempotent), now_ms, now_ms + 100, limit)


def refusal(**changes) -> Refusal:
    fields = {
        "hour_ms": 0,
        "wire": "sync",
        "subject": "ticket/x/log",
        "code": "department",
        "actor": "sales-agent",
        "department": "sales",
        "source": "",
        "count": 1,
        "last_ms": 1,
    }
    return Refusal(**fields | changes)


def notice(key: str, ticket: str = "one", *, to: str = "", account: str = "robot") -> NewDelivery:
    about = name(ticket) if ticket else TicketId("")
    return NewDelivery(key, about, MessageId(""), 0, Conversation("wecom-group", account, to), '{"text":"red"}', AT_MS)


def owed(obligation: str, became: str, at_ms: int = AT_MS, ticket: str = "one") -> OwedChange:
    return OwedChange(name(ticket), obligation, became, at_ms)


async def given_and_taken_back(store: SqlStore) -> None:
    """Renew a new document, which fails, then write another, and it."""
    with pytest.raises(IntegrityError):
        await store.renew("a", [update("a", 1), update("a", 1)], frozenset())
    await store.commit(Batch(updates=[update("b", 1, b"b")]))
    await store.commit(Batch(updates=[update("a", 1, b"a")]))
