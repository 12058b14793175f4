"""Who hears of what, from which position on, and how often: the hub over a store whose every read is counted."""

import asyncio
import json
from dataclasses import replace

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.access import Principal
from crdt_sync.domain.event import EventType
from crdt_sync.domain.group import RED_AFTER_MS
from crdt_sync.domain.identity import Identity
from crdt_sync.errors import Forbidden, PreconditionUnknown, TooMany, Unauthenticated, Unavailable
from crdt_sync.ports import Batch, NewEvent, StoreUnavailable
from crdt_sync.service import events as hub
from crdt_sync.service.events import Events
from crdt_sync.service.leases import Leases
from crdt_sync.service.standing import Standing
from crdt_sync.wire import limits
from tests.fakes import ManualClock
from tests.wire import schemas
from tests.world import GATEWAY, SALES, SALES_2, SUPPORT, TECH, World, arrival

TICKET, OTHER = "a" * 52, "b" * 51 + "a"
EVERYBODY = ("sales", "tech", "support")


class CountedStore(MemoryStore):
    """Counts reads of events, and fails them while it is told to."""

    def __init__(self):
        super().__init__()
        self.reads = 0
        self.failing = False

    async def events(self, after, *, limit=1000):
        self.reads += 1
        if self.failing:
            raise StoreUnavailable("gone")
        return await super().events(after, limit=limit)


@pytest.fixture
def store():
    return CountedStore()


@pytest.fixture
async def events(store, monkeypatch):
    monkeypatch.setattr(hub, "PAUSE_S", 0)
    events = Events(store, Leases(ManualClock(), Standing(store)))
    events.start()
    yield events
    await events.stop()


async def begin(events, principal, after, *, wire="events"):
    return await events.watch(Identity(principal, None), after, wire=wire)


async def commit(store, events, *names, audience=EVERYBODY, ticket=TICKET):
    """Commit one event a name, and return the position of the last."""
    made = [NewEvent(EventType.REFUSED, ticket, {"entry": name, "code": "x"}, audience, 1) for name in names]
    committed = await store.commit(Batch(events=made))
    events.notice()
    return committed.last


def names(page):
    return [json.loads(told.text)["data"]["entry"] for told in page.events]


async def hear(watch, count):
    """The next so many events, page by page."""
    found = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += names(await anext(watch))
    return found


async def quiet(watch):
    """Tell that a watcher has nothing to hear, by having it prompted."""
    watch.prompt()
    return [] == names(await anext(watch))


async def test_a_watcher_without_a_position_hears_what_comes_from_now_on(store, events):
    last = await commit(store, events, "before")
    watch = await begin(events, SALES, None)
    greeting = await anext(watch)
    await commit(store, events, "after")

    assert ([], last) == (names(greeting), greeting.position)
    assert ["after"] == await hear(watch, 1)


async def test_a_watcher_hears_everything_behind_its_position_once_and_in_order(store, events):
    first = await commit(store, events, "a", "b")
    await commit(store, events, "c")
    watch = await begin(events, SALES, first - 1)
    heard = await hear(watch, 2)
    await commit(store, events, "d", "e")
    heard += await hear(watch, 2)

    assert ["b", "c", "d", "e"] == heard
    assert await quiet(watch)


async def test_a_watcher_resumes_anywhere_without_gap_or_repeat(store, events, monkeypatch):
    """From every position, whether it is in memory or not, and over a restart."""
    monkeypatch.setattr(hub, "RING_EVENTS", 4)
    monkeypatch.setattr(hub, "PAGE_EVENTS", 3)
    witness = await begin(events, TECH, None)
    for number in range(12):
        await commit(store, events, f"{number}")
        assert [f"{number}"] == await hear(witness, 1)
    again = Events(store, Leases(ManualClock(), Standing(store)))
    again.start()

    for serving in (events, again):
        for after in range(13):
            watch = await begin(serving, SALES, after)
            expected = [f"{number}" for number in range(after, 12)]
            assert expected == await hear(watch, len(expected))
            assert await quiet(watch)
            watch.close()
    await again.stop()


async def test_only_the_audience_hears(store, events):
    sales, tech, support = [await begin(events, who, 0) for who in (SALES, TECH, SUPPORT)]
    await commit(store, events, "talk", audience=("sales", "support"))
    await commit(store, events, "refusal", audience=("tech",))

    assert ["talk"] == await hear(sales, 1)
    assert ["talk"] == await hear(support, 1)
    assert ["refusal"] == await hear(tech, 1)
    assert [True] * 3 == [await quiet(watch) for watch in (sales, tech, support)]


async def test_a_token_for_some_tickets_hears_of_those_alone(store, events):
    narrow = await begin(events, Principal("sales-9", "sales", (), tickets=(OTHER,)), 0)
    await commit(store, events, "theirs")
    await commit(store, events, "mine", ticket=OTHER)

    assert ["mine"] == await hear(narrow, 1)


async def test_a_page_without_anything_for_the_caller_still_moves_its_position(store, events):
    watch = await begin(events, SALES, 0)
    last = await commit(store, events, "theirs", audience=("tech",))
    tech = await begin(events, TECH, 0)
    await hear(tech, 1)
    watch.prompt()

    assert last == (await anext(watch)).position


async def test_what_is_committed_while_the_reader_reads_is_told_once(store, events, monkeypatch):
    watch = await begin(events, SALES, 0)
    read = store.events

    async def late(after, *, limit):
        monkeypatch.setattr(store, "events", read)
        await commit(store, events, "b")
        return await read(after, limit=limit)

    monkeypatch.setattr(store, "events", late)
    await commit(store, events, "a")
    heard = await hear(watch, 2)
    await commit(store, events, "c")
    heard += await hear(watch, 1)

    assert ["a", "b", "c"] == heard
    assert ["a", "b", "c"] == await hear(await begin(events, SALES, 0), 3)


async def test_what_is_not_for_a_watcher_is_not_read_for_it_again(store, events, monkeypatch):
    monkeypatch.setattr(hub, "RING_EVENTS", 2)
    watch = await begin(events, SALES, 0)
    await anext(watch)
    tech = await begin(events, TECH, 0)
    await commit(store, events, *"abcdef", audience=("tech",))
    await hear(tech, 6)
    reads = store.reads
    assert await quiet(watch)

    assert reads == store.reads


async def test_a_gateway_hears_nothing(events):
    with pytest.raises(Forbidden, match="hears no events"):
        await begin(events, GATEWAY, None)


async def test_a_position_that_is_not_there_yet_is_refused_with_what_to_do(store, events):
    last = await commit(store, events, "a")
    with pytest.raises(PreconditionUnknown, match=f"the newest is {last}") as refused:
        await begin(events, SALES, last + 1)

    assert ("position_unknown", True) == (refused.value.code, "list the tickets" in refused.value.advice)


async def test_one_read_a_commit_serves_every_watcher(store, events):
    watches = [await begin(events, who, None) for who in (SALES, SALES_2, TECH, SUPPORT) * 5]
    for watch in watches:
        await anext(watch)
    store.reads = 0
    waiting = [asyncio.ensure_future(hear(watch, 1)) for watch in watches]
    await asyncio.sleep(0)
    await commit(store, events, "a")

    assert [["a"]] * 20 == await asyncio.gather(*waiting)
    assert 1 == store.reads


async def test_nothing_is_read_while_nobody_watches(store, events):
    await commit(store, events, "a")
    watch = await begin(events, SALES, None)
    watch.close()
    await commit(store, events, "b")
    for _ in range(20):
        await asyncio.sleep(0)

    assert 0 == store.reads


async def test_a_slow_watcher_holds_nothing_and_misses_nothing(store, events, monkeypatch):
    monkeypatch.setattr(hub, "RING_EVENTS", 10)
    slow, quick = await begin(events, SALES, None), await begin(events, TECH, None)
    await anext(slow)
    for number in range(50):
        await commit(store, events, f"{number}")
        assert [f"{number}"] == await hear(quick, 1)

    assert 10 == len(events._ring)
    assert [f"{number}" for number in range(50)] == await hear(slow, 50)


async def test_a_watcher_that_hears_nothing_is_told_where_it_stands(store, events, monkeypatch):
    monkeypatch.setattr(hub, "HEARTBEAT_S", 0.01)
    watch = await begin(events, SALES, None)
    await anext(watch)
    beat = await anext(watch)

    assert ([], await store.position()) == (names(beat), beat.position)


async def test_positions_that_others_move_are_found_by_looking(store, monkeypatch):
    """Another process commits: nobody notices here."""
    monkeypatch.setattr(hub, "LOOK_S", 0.01)
    events = Events(store, Leases(ManualClock(), Standing(store)))
    events.start()
    watch = await begin(events, SALES, None)
    await anext(watch)
    await store.commit(Batch(events=[NewEvent(EventType.REFUSED, TICKET, {"entry": "far", "code": "x"}, EVERYBODY, 1)]))

    assert ["far"] == await hear(watch, 1)
    await events.stop()


async def test_a_store_that_does_not_answer_ends_no_watch_that_has_nothing_to_read(store, events, monkeypatch):
    monkeypatch.setattr(hub, "LOOK_S", 0.01)
    watch, behind = await begin(events, SALES, None), await begin(events, TECH, None)
    for each in (watch, behind):
        await anext(each)
    store.failing = True
    await commit(store, events, "a")
    waiting = asyncio.ensure_future(hear(watch, 1))
    await asyncio.sleep(0.05)
    behind.position = 0
    events._start = 1
    with pytest.raises(Unavailable, match="could not be read"):
        await anext(behind)
    assert not waiting.done()
    store.failing = False

    assert ["a"] == await waiting


async def test_a_caller_and_all_of_them_may_watch_so_often(events, monkeypatch):
    monkeypatch.setattr(hub, "WATCHERS_PER_CALLER_MAX", 2)
    monkeypatch.setattr(hub, "WATCHERS_MAX", 3)
    first, _ = await begin(events, SALES, None), await begin(events, SALES, None)
    with pytest.raises(TooMany, match="This caller"):
        await begin(events, SALES, None)
    await begin(events, TECH, None)
    with pytest.raises(TooMany, match="Too many"):
        await begin(events, SUPPORT, None)
    first.close()
    first.close()

    assert await begin(events, SALES, None)


async def test_a_refused_watch_counts_for_nobody(events, monkeypatch):
    monkeypatch.setattr(hub, "WATCHERS_PER_CALLER_MAX", 1)
    with pytest.raises(PreconditionUnknown):
        await begin(events, SALES, 99)

    assert await begin(events, SALES, 0)


async def test_a_watch_that_is_ended_says_why_whether_it_waits_or_not(events):
    watch = await begin(events, SALES, None)
    await anext(watch)
    waiting = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    watch.fail(Unauthenticated("expired"))
    watch.fail(Unavailable("later"))
    for _ in range(2):
        with pytest.raises(Unauthenticated, match="expired"):
            await waiting
        waiting = asyncio.ensure_future(anext(watch))
    waiting.cancel()


async def test_a_watch_asks_for_a_token_where_its_wire_can_and_ends_without_one(store, events, monkeypatch):
    monkeypatch.setattr(limits, "TOKEN_GRACE_S", 0)
    asking, mute = await begin(events, SALES, None, wire="grpc"), await begin(events, SALES, None)
    for watch in (asking, mute):
        await anext(watch)
        watch._lease.identity = Identity(SALES, 1)
    events.leases.look()

    with pytest.raises(Unauthenticated, match="expired"):
        await anext(mute)
    assert ([], True) == (names(await anext(asking)), asking.asking)
    events.leases.look()
    with pytest.raises(Unauthenticated, match="expired"):
        await anext(asking)


async def test_a_fresh_token_may_say_less_and_from_then_on_less_is_heard(store, events):
    watch = await begin(events, SALES, None, wire="grpc")
    await anext(watch)
    watch.ask_token(watch._lease)
    watch.renew(Identity(replace(SALES, tickets=(OTHER,)), None))
    await commit(store, events, "theirs")
    await commit(store, events, "mine", ticket=OTHER)

    assert ["mine"] == await hear(watch, 1)
    assert not watch.asking
    with pytest.raises(Forbidden, match="not the old one's"):
        watch.renew(Identity(TECH, None))


async def test_a_watch_that_is_left_holds_no_lease(events):
    watch = await begin(events, SALES, None)
    watch.close()

    assert set() == events.leases._leases


async def test_a_service_that_stops_ends_every_watch_and_begins_none(store):
    events = Events(store, Leases(ManualClock(), Standing(store)))
    events.start()
    watch = await begin(events, SALES, None)
    await events.stop()
    with pytest.raises(Unavailable, match="stopping"):
        await anext(watch)
    with pytest.raises(Unavailable, match="stopping"):
        await begin(events, SALES, None)


async def test_each_event_that_the_service_makes_has_its_schema():
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    world = await World.start(MemoryStore())
    watch = await begin(world.events, SALES, 0)
    view = await world.opened(trace=trace)
    view = await world.do(SALES, view, "sales", "quote")
    view = await world.do(SALES, view, "sales", "sign")
    view = await world.do(TECH, view, "tech", "start")
    view = await world.do(SALES, view, "sales", "withdraw")
    world.clock.advance(RED_AFTER_MS)
    await world.overdue.look()
    await world.do(TECH, view, "tech", "halt")
    await world.tickets.post_message(SALES, view.id, text="x")
    (first,) = await world.tickets.ingest(GATEWAY, [arrival("first")])
    await world.conversations.mark_duplicate(SALES, view.id, first.ticket)
    await world.conversations.clear_duplicate(SALES, view.id)
    made = [event.type for event in await world.store.events(0)]
    heard = []
    while len(heard) < len(made):
        heard += [json.loads(told.text) for told in (await anext(watch)).events]
    await world.stop()

    assert [[]] * len(made) == [schemas.faults(event) for event in heard]
    assert {*EventType} - {"delivery", "refused"} == set(made), "the access tests see a refused one"
    assert trace == heard[0]["traceparent"]
    assert world.lifecycles.default.digest == heard[0]["data"]["lifecycle"]
