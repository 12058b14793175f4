"""The committer and its promises, with jobs that do as they are told: order, batches, and who is refused with whom."""

import asyncio

import pytest
from structlog.testing import capture_logs

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.card import CardDocument
from crdt_sync.domain.ids import Position
from crdt_sync.errors import Conflict, ServiceError, Unavailable
from crdt_sync.ports import Committed, StoreConflict, StoreUnavailable
from crdt_sync.service import committer as committer_module
from crdt_sync.service import live_ticket
from crdt_sync.service import rooms as rooms_module
from crdt_sync.service.committer import Committer
from crdt_sync.service.draft import SERVICE
from crdt_sync.wire import limits
from tests.gated_store import GatedStore
from tests.world import SALES, Wire, World

NOT_STORED = Unavailable("The change could not be stored.", advice="It was not accepted; send it again.")
OUR_FAULT = ServiceError("The service failed on this change.", advice="It was not accepted.")
EARLIER = Unavailable("An earlier change was not stored.", advice="Send everything since then again.")


def told(error) -> tuple:
    """What an error says, since two errors are never equal."""
    return type(error), error.code, error.message, error.advice


class Job:
    """Writes one row under its name, unless told otherwise, and keeps what it heard in a diary."""

    def __init__(self, diary: list, name: str, *, room=None, **deeds) -> None:
        self.diary, self.name, self.room, self.deeds = diary, name, room, deeds
        self.builds_on = deeds.get("builds_on", ())

    async def prepare(self, desk, draft) -> None:
        self.diary.append(("prepare", self.name))
        if "prepare" in self.deeds:
            await self.deeds["prepare"](desk, draft)

    def decide(self, desk, draft) -> None:
        self.diary.append(("decide", self.name))
        if "decide" in self.deeds:
            self.deeds["decide"](desk, draft)
        draft.quarantine(self.name, SALES.actor, "code", b"")

    def succeed(self, committed) -> None:
        self.diary.append(("succeed", self.name, committed.last))
        if "succeed" in self.deeds:
            self.deeds["succeed"](committed)

    def fail(self, error) -> None:
        self.diary.append(("fail", self.name, told(error)))


def raises(error):
    """A deed that fails so."""

    def deed(*_):
        raise error

    return deed


def raises_later(error):
    """The same where it is awaited."""

    async def deed(*_):
        raise error

    return deed


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store)
    yield world
    store.gate.set()
    store.down = False
    await world.stop()


@pytest.fixture
def diary():
    return []


def ends(diary: list) -> list:
    return [entry for entry in diary if entry[0] in {"succeed", "fail"}]


def rows(store) -> list[list[str]]:
    """The names of the rows of each batch that was committed."""
    return [[row.document for row in batch.quarantined] for batch in store.batches]


async def enqueue(world: World, *jobs: Job) -> None:
    """Queue them all before the committer wakes, so that they are one batch, and wait."""
    for job in jobs:
        world.committer.enqueue(job)
    await world.settle()


async def test_what_queues_together_is_prepared_decided_and_committed_in_order_as_one_batch(world, store, diary):
    await enqueue(world, Job(diary, "a"), Job(diary, "b"))

    assert [["a", "b"]] == rows(store)
    position = await store.position()
    assert [
        ("prepare", "a"),
        ("decide", "a"),
        ("prepare", "b"),
        ("decide", "b"),
        ("succeed", "a", position),
        ("succeed", "b", position),
    ] == diary


async def test_rows_carry_the_time_of_the_batch(world, store, diary):
    await enqueue(world, Job(diary, "a"))

    assert [world.clock.now_ms()] == [row.at_ms for row in store.batches[0].quarantined]


async def test_nobody_is_told_before_the_commit(world, store, diary):
    store.gate.clear()
    await enqueue(world, Job(diary, "a"))
    assert [] == ends(diary)

    store.gate.set()
    await world.settle()
    assert ["succeed"] == [entry[0] for entry in ends(diary)]


async def test_a_batch_without_rows_is_not_committed_and_is_told_where_the_store_stands(world, store, diary):
    view = await world.opened()
    before, position = len(store.batches), await store.position()
    heard = []
    asking = Job(diary, "a", succeed=heard.append)
    asking.decide = lambda desk, draft: None
    await enqueue(world, asking)

    assert view.position == position
    assert before == len(store.batches)
    assert [Committed(Position(position + 1), position)] == heard


async def test_a_batch_has_no_more_jobs_than_it_may(world, store, diary, monkeypatch):
    monkeypatch.setattr(committer_module, "BATCH_JOBS_MAX", 2)
    await enqueue(world, *(Job(diary, name) for name in "abcde"))

    assert [["a", "b"], ["c", "d"], ["e"]] == rows(store)


@pytest.mark.parametrize("deed", ["prepare", "decide"])
async def test_a_refused_job_is_refused_alone_and_at_once(world, store, diary, deed):
    error = Conflict("No.", code="no", advice="Do not.")
    refused = Job(diary, "b", **{deed: raises_later(error) if deed == "prepare" else raises(error)})
    await enqueue(world, Job(diary, "a"), refused, Job(diary, "c"))

    assert [["a", "c"]] == rows(store)
    assert [("fail", "b", told(error)), "a", "c"] == [ends(diary)[0], *(entry[1] for entry in ends(diary)[1:])]


async def test_a_job_that_cannot_load_what_it_needs_is_refused_as_unavailable(world, store, diary):
    await enqueue(world, Job(diary, "a", prepare=raises_later(StoreUnavailable("gone"))), Job(diary, "b"))

    refusal = Unavailable("The store does not answer.", advice="Nothing was accepted; try again.")
    assert ("fail", "a", told(refusal)) == ends(diary)[0]
    assert [["b"]] == rows(store)


async def test_a_refused_job_has_its_room_loaded_anew(world, diary):
    room = await world.rooms.get("plain")
    for deeds in ({"prepare": raises_later(Conflict("No."))}, {"decide": raises(Conflict("No."))}):
        before = room.generation
        await enqueue(world, Job(diary, "a", room=room, **deeds))

        assert (before + 1, False) == (room.generation, room.stale)


async def test_a_job_on_a_stale_room_is_refused_before_it_is_decided(world, store, diary):
    room = await world.rooms.get("plain")

    async def spoil(desk, draft):
        world.committer.spoil(room)

    await enqueue(world, Job(diary, "a", prepare=spoil), Job(diary, "b", room=room))

    assert ("fail", "b", told(EARLIER)) == ends(diary)[0]
    assert ("decide", "b") not in diary
    assert [["a"]] == rows(store)


# Commits that fail


async def test_while_the_store_is_down_a_batch_is_tried_once_and_refused_whole(world, store, diary, logged):
    tried = []
    store.refuses = tried.append
    store.down = True
    commit, store.commit = store.commit, lambda batch: (tried.append(batch), commit(batch))[1]
    await enqueue(world, Job(diary, "a"), Job(diary, "b"))

    assert 1 == len(tried)
    assert [("fail", name, told(NOT_STORED)) for name in "ab"] == ends(diary)
    assert {"event": "commit failed", "log_level": "warning", "jobs": 2, "reason": "the disk is gone"} in logged


@pytest.mark.parametrize("error", [StoreConflict(["somebody"]), StoreUnavailable("once")])
async def test_of_a_batch_that_fails_only_the_failing_job_is_refused(world, store, diary, error):
    commit = store.commit

    async def careful(batch):
        if any(row.document == "b" for row in batch.quarantined):
            raise error
        return await commit(batch)

    store.commit = careful
    await enqueue(world, *(Job(diary, name) for name in "abc"))

    assert [["a"], ["c"]] == rows(store)
    assert [("succeed", "a"), ("fail", "b"), ("succeed", "c")] == [entry[:2] for entry in ends(diary)]
    assert told(NOT_STORED) == ends(diary)[1][2]


async def test_a_job_that_fails_alone_is_not_tried_again(world, store, diary):
    tried = []
    store.refuses = lambda batch: tried.append(batch) or True
    await enqueue(world, Job(diary, "a"))

    assert 1 == len(tried)
    assert [("fail", "a", told(NOT_STORED))] == ends(diary)


async def test_what_a_failed_batch_touched_is_forgotten_and_loaded_anew(world, store, diary):
    view = await world.opened()
    room = await world.rooms.get(f"ticket/{view.id}/card")
    live = await world.desk.get(view.id)
    before = room.document_position

    def edit(desk, draft):
        draft.update(room, CardDocument(77).set_fields({"priority": "high"}), SERVICE)
        draft.touch(live)

    store.refuses = lambda batch: True
    await enqueue(world, Job(diary, "a", decide=edit))

    assert (0, before, False, 1) == (room.pending, room.document_position, room.stale, room.generation)
    assert live is not await world.desk.get(view.id)


async def test_a_ticket_whose_entries_were_judged_is_forgotten_by_a_failed_batch(world, store, diary):
    view = await world.opened()
    live = await world.desk.get(view.id)
    store.refuses = lambda batch: True
    await enqueue(world, Job(diary, "a", decide=lambda desk, draft: draft.judged.add(view.id)))

    assert live is not await world.desk.get(view.id)


# Faults of ours


@pytest.mark.parametrize("deed", ["prepare", "decide"])
async def test_a_job_with_a_fault_of_ours_is_refused_and_ends_nobody_elses(world, store, diary, logged, deed):
    fault = {deed: raises_later(ZeroDivisionError()) if deed == "prepare" else raises(ZeroDivisionError())}
    await enqueue(world, Job(diary, "a"), Job(diary, "b", **fault), Job(diary, "c"), Job(diary, "d"))

    assert [["a"], ["c", "d"]] == rows(store)
    assert [("succeed", "a"), ("fail", "b"), ("succeed", "c"), ("succeed", "d")] == [entry[:2] for entry in ends(diary)]
    assert told(OUR_FAULT) == ends(diary)[1][2]
    assert [("job failed", "error")] == [(entry["event"], entry["log_level"]) for entry in logged]


async def test_what_comes_behind_a_fault_is_taken_before_what_came_later(world, store, diary):
    late = Job(diary, "late")
    fault = Job(diary, "fault", decide=lambda *_: (world.committer.enqueue(late) if late else None, 1 // 0))
    await enqueue(world, fault, Job(diary, "b"), Job(diary, "c"))

    assert ["b", "c", "late"] == [name for batch in rows(store) for name in batch][:3]


async def test_a_fault_drops_what_the_batch_had_decided_before(world, store, diary):
    view = await world.opened()
    live = await world.desk.get(view.id)
    touching = Job(diary, "a", decide=lambda desk, draft: draft.judged.add(view.id))
    await enqueue(world, touching, Job(diary, "b", decide=raises(ZeroDivisionError())))

    assert live is not await world.desk.get(view.id)


async def test_an_answer_that_fails_is_told_so_and_the_others_are_told_theirs(world, store, diary, logged):
    await enqueue(world, Job(diary, "a", succeed=raises(ZeroDivisionError())), Job(diary, "b"))

    stored = ServiceError("The change was stored, but the answer could not be made.")
    assert [["a", "b"]] == rows(store)
    assert [("fail", "a", told(stored)), "b"] == [ends(diary)[1], ends(diary)[2][1]]
    assert [("answer failed", "error")] == [(entry["event"], entry["log_level"]) for entry in logged]


# Relays and compaction


async def test_authors_are_told_before_members_and_the_room_settles_last(world, diary):
    room = await world.rooms.get("plain")
    room.relay = lambda relays: diary.append(("relay", [relay.data for relay in relays]))
    commit = room.commit
    room.commit = lambda count: (diary.append(("commit", count)), commit(count))
    edits = [CardDocument(77 + n).set_fields({"priority": str(n)}) for n in range(2)]

    def edit(desk, draft):
        for data in edits:
            draft.update(room, data, SERVICE)

    await enqueue(world, Job(diary, "a", decide=edit))

    assert [("succeed", "a"), ("relay", edits), ("commit", 2)] == [entry[:2] for entry in diary[2:]]


async def test_a_document_with_a_long_tail_is_due_behind_the_commit(world, diary, monkeypatch):
    considered = []
    monkeypatch.setattr(world.compactor, "consider", lambda room: considered.append((room.text, room.pending)))
    room = await world.rooms.get("plain")
    data = CardDocument(77).set_fields({"priority": "high"})

    await enqueue(world, Job(diary, "a", decide=lambda desk, draft: draft.update(room, data, SERVICE)))

    assert [("plain", 0), ("plain", 0)] == considered, "when it is loaded, and when it has grown"
    assert (1, len(data)) == (room.tail_rows, room.tail_bytes)


# What a job builds on


@pytest.mark.parametrize("where", ["batch", "queue"])
async def test_what_a_job_builds_on_is_decided_first(world, store, diary, monkeypatch, where):
    monkeypatch.setattr(committer_module, "BATCH_JOBS_MAX", 2 if where == "queue" else 10)
    room = await world.rooms.get("plain")
    first, second = Job(diary, "x"), Job(diary, "y")
    for job in (first, second):
        room.undecided[job] = None
        job.deeds["decide"] = lambda *_, job=job: room.undecided.pop(job)
    await enqueue(world, Job(diary, "a", builds_on=[room]), Job(diary, "b"), first, Job(diary, "c"), second)

    assert ["x", "y", "a", "b", "c"] == [name for batch in rows(store) for name in batch]
    assert 1 == diary.count(("decide", "a"))


async def test_a_job_that_is_refused_while_it_loads_is_told_so_once_and_gives_way_to_nobody(world, diary):
    room = await world.rooms.get("plain")
    under = Job(diary, "under", decide=lambda *_: room.undecided.clear())
    room.undecided[under] = None
    await enqueue(world, Job(diary, "over", builds_on=[room], prepare=raises_later(Conflict("No."))), under)

    assert [("fail", "over"), ("succeed", "under")] == [entry[:2] for entry in ends(diary)]


async def test_what_fails_before_it_is_decided_leaves_the_batch_to_the_others(world, store, diary):
    """A job that gave way is among the undecided again: a fault behind it must not make it tried alone."""
    room = await world.rooms.get("plain")
    under = Job(diary, "under", decide=lambda *_: room.undecided.clear() or 1 // 0)
    room.undecided[under] = None
    await enqueue(world, Job(diary, "over", builds_on=[room]), under)

    assert [("fail", "under"), ("succeed", "over")] == [entry[:2] for entry in ends(diary)]
    assert 1 == diary.count(("decide", "over"))


# Rooms that are not to be trusted, and memory


async def test_a_spoiled_room_is_loaded_anew_without_any_job(world):
    room = await world.rooms.get("plain")
    world.committer.spoil(room)
    assert room.stale
    await world.settle()

    assert (1, False) == (room.generation, room.stale)


async def test_a_room_that_could_not_be_loaded_anew_is_tried_again_by_itself(world, store, monkeypatch):
    monkeypatch.setattr(committer_module, "STALE_RETRY_S", 0)
    room = await world.rooms.get("plain")
    store.unreadable.add("plain")
    world.committer.spoil(room)
    await world.settle()
    assert room.stale

    store.unreadable.clear()
    await world.settle()
    assert (1, False) == (room.generation, room.stale)


async def test_a_committer_without_work_sleeps(world, monkeypatch):
    monkeypatch.setattr(committer_module, "STALE_RETRY_S", 0)
    world.committer.spoil(await world.rooms.get("plain"))  # so that it waits anew, with this pause or none
    await world.settle()
    woken, refresh = [], world.rooms.refresh
    world.rooms.refresh = lambda: (woken.append(True), refresh())[1]
    await world.settle()

    assert [] == woken


async def test_memory_is_trimmed_behind_each_batch(world, diary, monkeypatch):
    views = [await world.opened() for _ in range(3)]
    monkeypatch.setattr(live_ticket, "LIVE_TICKETS_MAX", 1)
    monkeypatch.setattr(rooms_module, "IDLE_ROOMS_MAX", 0)
    live = await world.desk.get(views[0].id)
    room = await world.rooms.get(f"ticket/{views[1].id}/card")
    await world.desk.get(views[2].id)
    await enqueue(world, Job(diary, "a"))

    assert live is not await world.desk.get(views[0].id)
    assert room is not await world.rooms.get(f"ticket/{views[1].id}/card")


async def test_between_batches_spoiled_rooms_are_loaded_anew(world, diary, monkeypatch):
    monkeypatch.setattr(committer_module, "BATCH_JOBS_MAX", 1)
    room = await world.rooms.get("plain")
    refused = Job(diary, "a", room=room, decide=raises(Conflict("No.")))
    await enqueue(world, refused, Job(diary, "b", room=room))

    assert [("fail", "a"), ("succeed", "b")] == [entry[:2] for entry in ends(diary)]


# The end


async def test_what_is_queued_is_committed_before_the_end_and_what_comes_later_refused(world, store, diary):
    room = await world.rooms.get("plain")
    world.committer.enqueue(Job(diary, "a"))
    await world.committer.stop()
    world.committer.enqueue(Job(diary, "b", room=room))

    stopping = Unavailable("The service is stopping.", advice="Connect again in a moment.")
    assert [["a"]] == rows(store)
    assert [("succeed", "a"), ("fail", "b")] == [entry[:2] for entry in ends(diary)]
    assert told(stopping) == ends(diary)[1][2]
    assert room.stale


async def test_a_committer_that_was_never_started_stops_at_once(world):
    await Committer(world.desk, world.clock, world.meter, notice=world.events.notice, outbox=world.outbox.notice).stop()


async def test_the_consumer_is_found_by_its_name(world):
    assert "committer" in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_committer_that_dies_says_so_and_refuses_what_comes(store, diary):
    """No fault ends it of which we know; it ends its test at once, which would wait for ever, and says why."""
    world = await World.start(store)
    world.committer._next = raises(ZeroDivisionError())
    assert not world.committer.dead
    with capture_logs() as logs:
        world.committer.enqueue(Job(diary, "a"))
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()
        asyncio.current_task().uncancel()
    world.committer.enqueue(Job(diary, "b"))

    assert world.committer.dead
    assert ["committer ended"] == [entry["event"] for entry in logs if entry["log_level"] == "critical"]
    assert [("fail", "a"), ("fail", "b")] == [entry[:2] for entry in diary]
    assert {"The service cannot commit any more."} == {entry[2][2] for entry in diary}
    with pytest.raises(ZeroDivisionError):
        await world.stop()


async def test_a_committer_that_dies_in_a_batch_fails_its_jobs_once_and_reads_on_from_who_was_held(
    store, diary, monkeypatch
):
    """Who was told of his job before it died hears nothing more; the others come again."""
    monkeypatch.setattr(limits, "COMMIT_QUEUE_BYTES_MAX", -1)
    world, wire = await World.start(store), Wire()
    store.gate.clear()
    refused = Job(diary, "refused", decide=raises(Conflict("No.")))
    for job in (refused, Job(diary, "a"), Job(diary, "b")):
        world.committer.enqueue_from(wire, job)
    await world.settle()
    world.committer.enqueue(Job(diary, "queued"))
    assert 1 == wire.pauses
    monkeypatch.undo()
    world.committer._task.cancel()
    await world.settle()

    assert world.committer.dead
    assert ["refused", "a", "b", "queued"] == [entry[1] for entry in ends(diary)]
    assert {"fail"} == {entry[0] for entry in ends(diary)}
    assert {"The service cannot commit any more."} == {entry[2][2] for entry in ends(diary)[1:]}
    assert 0 == wire.pauses
    with pytest.raises(asyncio.CancelledError):
        await world.stop()
