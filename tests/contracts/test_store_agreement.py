"""Both stores, driven by the same operations, must give the same answers."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.delivery import DeliveryState
from crdt_sync.domain.ids import ActorId, Department, Digest, MessageId, Position
from crdt_sync.domain.tripwire import Alarm
from crdt_sync.ports import Batch, Committed, NewEvent, Store, StoreConflict, StoreDamaged, TicketFilter, TicketWrite
from crdt_sync.ports.desk import Assignment, Turn
from crdt_sync.ports.outbox import DeliveryChange, OutboxFilter
from tests.contracts.batches import (
    alarm,
    claim,
    compaction,
    delivery,
    event,
    message,
    name,
    notice,
    owed,
    owes,
    quarantined,
    result,
    subject,
    ticket,
    transition,
    update,
)
from tests.empty_database import empty_store

WORDS = ["one", "two", "three"]  # few, so that batches meet
LANES = ["sales", "tech"]
STATES = ["idle", "won"]
RIGHT = -1  # the position that the ticket has when the batch is committed, None if it is new
words, lanes, states = st.sampled_from(WORDS), st.sampled_from(LANES), st.sampled_from(STATES)
lane_states = st.dictionaries(lanes, states)

people = st.sampled_from(["support-1", "support-2"])
past = st.integers(0, 20)
keys = st.text("uvwxyz", min_size=1, max_size=3)  # more, so that most batches pass

ticket_writes = st.builds(
    ticket,
    words,
    st.sampled_from([RIGHT, RIGHT, RIGHT, None, 0]),
    st.one_of(st.none(), keys),
    stage=states,
    lanes=lane_states,
    obligations=st.lists(st.builds(owes, lanes), max_size=2),
    participants=st.lists(lanes, min_size=1, unique=True),
)
event_rows = st.builds(event, keys, words, value=st.one_of(st.none(), st.text(), st.tuples(st.integers())))


assignments = st.builds(Assignment, words.map(name), st.dictionaries(lanes, people))


def few(strategy):
    return st.lists(strategy, max_size=2)


batches = st.builds(
    Batch,
    updates=st.lists(st.builds(update, words, st.integers(1, 5), st.binary(max_size=3)), max_size=3),
    transitions=few(st.builds(transition, keys, words, keys)),
    messages=few(st.builds(message, keys, words)),
    events=few(event_rows),
    tickets=few(ticket_writes),
    subjects=few(st.builds(subject, keys, words)),
    results=few(st.builds(result, keys, words)),
    quarantined=few(st.builds(quarantined, st.binary(max_size=3))),
    assignments=st.lists(
        st.builds(Assignment, words.map(name), st.dictionaries(lanes, people)),
        max_size=2,
        unique_by=lambda new: new.ticket,
    ),
    turns=st.lists(st.builds(Turn, words, people, st.just("") | people), max_size=1),
    deliveries=few(st.builds(notice, keys, st.sampled_from(["", *WORDS]), to=words, account=lanes)),
    # At a time: 0 stands for "not red".
    owed=few(st.builds(owed, words, st.sampled_from(["raised", "red", "discharged"]), st.integers(1, 20), words)),
)

delivery_states = st.sampled_from(DeliveryState)

filters = st.builds(
    TicketFilter,
    st.sampled_from([Department(lane) for lane in LANES]),
    tickets=st.one_of(st.none(), st.lists(words.map(name)).map(tuple)),
    stage=st.one_of(st.none(), states),
    lane_states=lane_states,
    owed_by=st.one_of(st.none(), lanes),
    changed_after=st.one_of(st.none(), past),
    together_with=st.one_of(st.none(), st.sampled_from([Department(lane) for lane in LANES])),
)


async def outcome(store: Store, batch: Batch) -> Committed | tuple[str, ...]:
    try:
        return await store.commit(batch)
    except StoreConflict as conflict:
        return conflict.keys


async def told(work):
    """What a store says: its answer, or what it found wrong."""
    try:
        return await work
    except StoreConflict as conflict:
        return conflict.keys
    except StoreDamaged as error:
        return str(error)


class StoreAgreement(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.sql = self.runner.run(empty_store(Path(self.folder.name) / "log.db", synchronous="OFF"))
        self.memory = MemoryStore()

    def teardown(self) -> None:
        try:
            self.compare_everything()
        finally:
            self.runner.run(self.sql.close())
            self.runner.close()
            self.folder.cleanup()

    def agree(self, ask) -> None:
        assert self.runner.run(ask(self.memory)) == self.runner.run(ask(self.sql))

    @rule(batch=batches)
    def commit(self, batch: Batch) -> None:
        batch = self.with_positions(batch)
        self.agree(lambda store: outcome(store, batch))

    @rule(new=ticket_writes, moved=event_rows)
    def write_one_ticket(self, new: TicketWrite, moved: NewEvent) -> None:
        self.commit(Batch(events=[moved], tickets=[new]))

    @rule(word=words, before=st.integers(0, 3), position=st.integers(1, 5), data=st.binary(max_size=3))
    def compact(self, word: str, before: int, position: int, data: bytes) -> None:
        self.agree(lambda store: told(store.compact(compaction(word, before, position, data))))

    @rule(word=words, data=st.binary(max_size=3), ended=st.frozensets(st.integers(0, 3)))
    def renew(self, word: str, data: bytes, ended: frozenset[int]) -> None:
        self.agree(lambda store: store.renew(word, [update(word, 1, data)], ended))

    @rule(position=st.integers(0, 60))
    def begin_epoch(self, position: int) -> None:
        self.agree(lambda store: store.begin_epoch(Position(position), 1))

    @rule(digest=words, source=st.text())
    def save_lifecycle(self, digest: str, source: str) -> None:
        self.agree(lambda store: store.save_lifecycle(Digest(digest), source))

    @rule(new=st.builds(alarm, words, lanes, st.sampled_from("12345"), st.text()))
    def save_alarm(self, new: Alarm) -> None:
        self.agree(lambda store: store.save_alarm(new))

    @rule(where=filters, after=st.one_of(st.none(), words.map(name)), limit=st.integers(1, 3), key=keys, position=past)
    def ask(self, where: TicketFilter, after, limit: int, key: str, position: int) -> None:
        async def answers(store: Store):
            return (
                list(await store.tickets(where, after=after, limit=limit)),
                await store.events(Position(position), limit=limit),
                await store.message(MessageId(key)),
                await store.subject(key),
                await store.readable(key),
                await store.result(ActorId("sales-agent"), key),
                dict(await store.open_tickets(["support-1", "support-2"])),
                await store.turn("one"),
            )

        self.agree(answers)

    @rule(key=keys, parts=st.integers(1, 3), to=words, account=lanes)
    def answer(self, key: str, parts: int, to: str, account: str) -> None:
        new = [delivery(key, index, to=to, account=account) for index in range(parts)]
        self.agree(lambda store: outcome(store, Batch(messages=[message(key)], deliveries=new)))

    @rule(
        owner=words,
        now_ms=st.integers(0, 400),
        accounts=st.lists(lanes, unique=True),
        idempotent=st.lists(lanes, max_size=1),
        limit=st.integers(1, 2),
    )
    def claim(self, owner: str, now_ms: int, accounts, idempotent, limit: int) -> None:
        asked = claim(owner, now_ms, accounts=accounts, idempotent=idempotent, limit=limit)
        self.agree(lambda store: store.claim(asked))

    @rule(owner=words)
    def release(self, owner: str) -> None:
        self.agree(lambda store: store.release(owner))

    @rule(at=st.integers(0, 5), state=delivery_states, due_ms=st.integers(0, 400), stale=st.booleans(), code=words)
    def report(self, at: int, state: DeliveryState, due_ms: int, stale: bool, code: str) -> None:
        rows = self.runner.run(self.memory.deliveries(OutboxFilter()))
        if len(rows) > at:
            before = replace(rows[at], attempts=rows[at].attempts + stale)
            after = replace(rows[at], state=state, due_ms=due_ms, platform_id=code, code=code)
            batch = Batch(delivery_changes=[DeliveryChange(before, after)])
            self.agree(lambda store: outcome(store, batch))

    @rule(at=st.integers(0, 5), before=st.lists(delivery_states), after=delivery_states)
    def amend(self, at: int, before: list[DeliveryState], after: DeliveryState) -> None:
        rows = self.runner.run(self.memory.deliveries(OutboxFilter()))
        if len(rows) > at:
            self.agree(lambda store: store.amend_delivery(rows[at].id, before, after))

    @rule(where=st.builds(OutboxFilter, st.none() | delivery_states, st.none() | lanes, past), called=words)
    def ask_for_deliveries(self, where: OutboxFilter, called: str) -> None:
        async def answers(store: Store):
            return await store.deliveries(where, limit=3), await store.sent_as("sales", called)

        self.agree(answers)

    def compare_everything(self) -> None:
        async def answers(store: Store):
            of_words = [
                (
                    await told(store.document(word)),
                    await store.authorship(word),
                    await store.journal(name(word)),
                    await store.messages(name(word)),
                    await store.ticket(name(word)),
                    await store.alarms(name(word)),
                )
                for word in WORDS
            ]
            rows = await store.deliveries(OutboxFilter(), limit=1000)
            rows += await store.overdue(20)
            rows += [await store.newest_notice(lane, word) for lane in LANES for word in WORDS]
            return rows, of_words, await store.documents(), await store.position(), await store.lifecycles()

        self.agree(answers)

    def with_positions(self, batch: Batch) -> Batch:
        """Put in what only a writer who read the store can know, and name only transitions of the batch."""
        named = {new.id for new in batch.transitions}

        def write(new: TicketWrite) -> TicketWrite:
            row = self.runner.run(self.memory.ticket(new.id))
            right = row.position if row else None
            return replace(
                new,
                expected_position=right if new.expected_position == RIGHT else new.expected_position,
                newest_transition=new.newest_transition if new.newest_transition in named else None,
            )

        return replace(batch, tickets=[write(new) for new in batch.tickets])


TestStoreAgreement = StoreAgreement.TestCase
TestStoreAgreement.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
