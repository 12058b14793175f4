"""The lane of contents with a real queue and a real gRPC service, and a platform that does as it is told."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing

import grpc
import pytest

from crdt_sync.errors import Unavailable
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import AgentMessage, CustomerMessage, Envelope, Media, Part, SystemNotice
from crdt_sync.rpc.ticketsync.v1.gateway_pb2_grpc import IngressServiceStub
from gateway import media_queue
from gateway.arrivals import Arrival, State
from gateway.counts import Counts
from gateway.fetcher import IN_FLIGHT_MAX, PATIENCE_MS, Fetcher
from gateway.inbox import Inbox, Outcome
from gateway.media import MediaFailed
from gateway.media_queue import Levels, MediaQueue, Wanted, wanted_of
from tests.gateway.fakes import FakeIngress, FixedChance, HeldClock, SteppingClock
from tests.replica.loopback import until

ACCOUNTS = ("shop", "club", "bar")


class Port:
    """Gives what it is told: bytes, or a failure, used up one a download; while `gate` is closed, and ever of what is
    `stuck`, nothing."""

    def __init__(self):
        self.forms = {}
        self.script = {}
        self.asked = []
        self.stuck = set()
        self.at_once = self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def download(self, media, *, bytes_max):
        self.asked.append(media.platform_id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            if media.platform_id in self.stuck:
                await asyncio.Event().wait()
        finally:
            self.at_once -= 1
        given = self.script.get(media.platform_id, [])
        told = given.pop(0) if given else media.platform_id.encode()
        if isinstance(told, Exception):
            raise told
        return told


class Lane:
    def __init__(self, data, inbox, queue, fetcher, port, stub, counts, clock):
        self.data, self.inbox, self.queue, self.fetcher, self.port = data, inbox, queue, fetcher, port
        self.stub, self.counts, self.clock = stub, counts, clock

    async def want(self, *ids, account="shop", contents=None):
        """Contents of messages that were forwarded just now."""
        for id_ in ids:
            arrival = Arrival(account, id_, (id_,), b"raw", self.clock.now_ms(), "", contents=contents or {})
            await self.inbox.keep(arrival)
            ((row_id, _),) = await self.inbox.lanes([account], limit=9)
            wanted = Wanted(account, id_, 0, "image", id_, self.clock.now_ms())
            await self.inbox.settle([Outcome(row_id, State.FORWARDED, wanted=(wanted,))])
            self.queue.notice()

    async def empty(self):
        await until(lambda: self._wanted() == 0)

    def _wanted(self):
        with closing(sqlite3.connect(self.data / "inbox.db")) as connection:
            return connection.execute("SELECT count(*) FROM media_wanted WHERE code = ''").fetchone()[0]


@asynccontextmanager
async def lane(tmp_path, ingress, clock=None):
    counts, clock, port = Counts(), clock or SteppingClock(1_000), Port()
    inbox = Inbox(tmp_path / "inbox.db", spool_rows_max=1_000)
    queue = MediaQueue(inbox.file)
    given = {"token": lambda: "token", "clock": clock, "chance": FixedChance(), "counts": counts}
    fetcher = Fetcher(queue, dict.fromkeys(ACCOUNTS, port), bytes_max=1_000, **given)
    await inbox.open()
    try:
        async with ingress.serving() as number, grpc.aio.insecure_channel(f"127.0.0.1:{number}") as channel:
            yield Lane(tmp_path, inbox, queue, fetcher, port, IngressServiceStub(channel), counts, clock)
            await fetcher.stop()
    finally:
        await inbox.close()


async def test_each_content_is_brought_once_and_never_more_at_once_than_may_be(tmp_path):
    ingress = FakeIngress()
    async with lane(tmp_path, ingress) as it:
        it.port.gate.clear()
        for account, ids in zip(ACCOUNTS, ("abc", "d", "e"), strict=True):
            await it.want(*ids, account=account)
        it.fetcher.start(it.stub)
        await until(lambda: it.port.at_once == IN_FLIGHT_MAX)
        it.port.gate.set()
        await it.empty()

        assert sorted((id_, 0, id_.encode()) for id_ in "abcde") == sorted(ingress.attached)
        assert IN_FLIGHT_MAX == it.port.most_at_once
        assert 5 == it.counts["media.fetched"] == it.counts["media.bytes"]


async def test_a_gateway_that_starts_again_goes_on_with_what_is_wanted(tmp_path):
    ingress = FakeIngress()
    async with lane(tmp_path, ingress) as it:
        it.port.gate.clear()
        await it.want("a")
        it.fetcher.start(it.stub)
        await until(lambda: it.port.asked)
    assert [] == ingress.attached
    async with lane(tmp_path, ingress) as it:
        it.fetcher.start(it.stub)
        await it.empty()
    assert [("a", 0, b"a")] == ingress.attached


async def test_what_fails_for_a_while_is_tried_later_and_later(tmp_path):
    ingress = FakeIngress()
    async with lane(tmp_path, ingress) as it:
        told = MediaFailed("busy", again=True, delay_ms=7_000)
        it.port.script["a"] = [MediaFailed("timeout", again=True), MediaFailed("timeout", again=True), told]
        it.fetcher.start(it.stub)
        await it.want("a")
        await it.empty()

        assert [("a", 0, b"a")] == ingress.attached
        assert [0.75, 1.5, 7.0] == it.clock.sleeps_s
        assert 3 == it.counts["media.later"]


async def test_what_fails_for_longer_than_a_platform_keeps_it_is_given_up(tmp_path):
    ingress, clock = FakeIngress(), HeldClock(1_000)
    async with lane(tmp_path, ingress, clock) as it:
        it.port.script["a"] = [MediaFailed("timeout", again=True)] * 2
        it.fetcher.start(it.stub)
        await it.want("a")
        await clock.asleep(0.75)
        clock.advance(PATIENCE_MS / 1_000 + 1)
        await it.empty()

        assert [("a", 0, "media_unavailable")] == ingress.attached
        assert 1 == it.counts["media.refused.media_unavailable"]


async def test_a_bug_of_one_platform_keeps_no_other_content_waiting(tmp_path):
    ingress, clock = FakeIngress(), HeldClock(1_000)
    async with lane(tmp_path, ingress, clock) as it:
        it.port.script["a"] = [ZeroDivisionError()]
        await it.want("a", "b")
        it.fetcher.start(it.stub)
        await clock.asleep(0.75)

        assert [("b", 0, b"b")] == ingress.attached
        clock.advance(1)
        await it.empty()
        assert [("b", 0, b"b"), ("a", 0, b"a")] == ingress.attached


@pytest.mark.parametrize("status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
async def test_a_service_that_does_not_take_it_now_is_asked_again(tmp_path, status):
    ingress = FakeIngress()
    ingress.attach_failures.extend([status, status])
    async with lane(tmp_path, ingress) as it:
        await it.want("a")
        it.fetcher.start(it.stub)
        await it.empty()

    assert [("a", 0, b"a")] == ingress.attached


async def test_a_platform_that_is_stuck_keeps_contents_of_no_other_account_waiting(tmp_path):
    ingress = FakeIngress()
    async with lane(tmp_path, ingress) as it:
        it.port.stuck = {"a", "b"}
        await it.want("a", "b")
        await it.want("c", "d", account="club")
        it.fetcher.start(it.stub)
        await until(lambda: len(ingress.attached) == 2)

        assert [("c", 0, b"c"), ("d", 0, b"d")] == ingress.attached
        assert 1 == it.port.at_once


async def test_what_is_under_way_ends_before_an_inbox_that_failed_is_asked_again(tmp_path, monkeypatch):
    ingress, clock = FakeIngress(), HeldClock(1_000)
    async with lane(tmp_path, ingress, clock) as it:
        done, failures = it.queue.done, [Unavailable("the disk is full")]

        async def failing(wanted):
            await until(lambda: {"a", "b"} == set(it.port.asked))
            if failures:
                raise failures.pop()
            await done(wanted)

        monkeypatch.setattr(it.queue, "done", failing)
        it.port.stuck = {"b"}
        await it.want("a")
        await it.want("b", account="club")
        it.fetcher.start(it.stub)
        await clock.asleep(0.75)
        assert 0 == it.port.at_once
        it.port.stuck = set()
        clock.advance(1)
        await it.empty()

    assert {("a", 0, b"a"), ("b", 0, b"b")} == set(ingress.attached)


async def test_a_content_is_not_downloaded_again_because_the_service_is_away(tmp_path):
    ingress = FakeIngress()
    ingress.attach_failures.extend([grpc.StatusCode.UNAVAILABLE] * 3)
    async with lane(tmp_path, ingress) as it:
        await it.want("a")
        it.fetcher.start(it.stub)
        await it.empty()

        assert [("a", 0, b"a")] == ingress.attached
        assert ["a"] == it.port.asked


async def test_nothing_more_is_downloaded_while_too_much_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(media_queue, "HELD_BYTES_MAX", 1)
    ingress, clock = FakeIngress(), HeldClock(1_000)
    ingress.attach_failures.append(grpc.StatusCode.UNAVAILABLE)
    async with lane(tmp_path, ingress, clock) as it:
        await it.want("a")
        it.fetcher.start(it.stub)
        await clock.asleep(0.75)
        await it.want("b", account="club")
        await until(lambda: 2 == it.counts["media.wanted"])
        await clock.asleep(0.75)
        assert (["a"], 1) == (it.port.asked, it.counts["media.held_bytes"])
        clock.advance(1)
        await it.empty()

        assert [("a", 0, b"a"), ("b", 0, b"b")] == ingress.attached
        assert ["a", "b"] == it.port.asked


async def test_what_is_held_for_an_operator_keeps_nothing_waiting(tmp_path, monkeypatch):
    monkeypatch.setattr(media_queue, "HELD_BYTES_MAX", 1)
    ingress = FakeIngress()
    ingress.attach_code = "media_type"
    async with lane(tmp_path, ingress) as it:
        await it.want("a", account="site", contents={0: b"odd"})
        it.fetcher.start(it.stub)
        await it.want("b")
        await it.empty()

        assert {"media_type": 2} == await it.queue.refused()
        assert Levels(0, 0, 0) == await it.queue.levels()
        assert (4, 0) == (it.counts["media.refused_bytes"], it.counts["media.bytes"])


async def test_what_is_held_for_an_operator_has_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(media_queue, "HELD_BYTES_MAX", 4)
    ingress = FakeIngress()
    ingress.attach_code = "media_type"
    async with lane(tmp_path, ingress) as it:
        it.fetcher.start(it.stub)
        for id_ in "ab":
            await it.want(id_, account="site", contents={0: b"odd"})
            await it.empty()

        assert {"media_type": 2} == await it.queue.refused()
        await until(lambda: 3 == it.counts["media.refused_held_bytes"])
        assert [b"odd", None] == [await it.queue.held(Wanted("site", id_, 0, "image", "", 0)) for id_ in "ab"]


async def test_what_a_service_refuses_for_days_is_given_up(tmp_path):
    ingress, clock = FakeIngress(), HeldClock(1_000)
    ingress.attach_failures.extend([grpc.StatusCode.UNAVAILABLE] + [grpc.StatusCode.RESOURCE_EXHAUSTED] * 9)
    async with lane(tmp_path, ingress, clock) as it:
        await it.want("a")
        it.fetcher.start(it.stub)
        await clock.asleep(0.75)
        clock.advance(PATIENCE_MS / 1_000 + 1)
        await it.empty()

        assert {"service_refused": 1} == await it.queue.refused()


async def test_a_service_that_will_never_take_it_ends_it(tmp_path):
    ingress = FakeIngress()
    ingress.attach_failures.append(grpc.StatusCode.NOT_FOUND)
    async with lane(tmp_path, ingress) as it:
        await it.want("a")
        it.fetcher.start(it.stub)
        await it.empty()

        assert [] == ingress.attached
        assert 1 == it.counts["media.refused.service_refused"]


async def test_an_account_without_contents_says_so(tmp_path):
    ingress = FakeIngress()
    async with lane(tmp_path, ingress) as it:
        await it.want("a", account="elsewhere")
        it.fetcher.start(it.stub)
        await it.empty()

    assert [("a", 0, "media_unsupported")] == ingress.attached


async def test_what_was_refused_is_tried_again_when_somebody_says_so(tmp_path):
    ingress, clock = FakeIngress(), HeldClock(1_000)
    ingress.attach_code = "media_type"
    async with lane(tmp_path, ingress, clock) as it:
        await it.want("a", "b", contents={0: b"odd"})
        it.fetcher.start(it.stub)
        await it.empty()
        assert {"media_type": 2} == await it.queue.refused()
        assert 0 == await it.queue.again("media_size", 5) == await it.queue.again("", 5)

        ingress.attach_code = ""
        assert 2 == await it.queue.again("media_type", clock.now_ms())
        await clock.asleep(60)
        clock.advance(60)
        await it.empty()
        assert {} == await it.queue.refused()
        assert [b"odd"] * 4 == [content for _, _, content in ingress.attached]


async def test_bytes_that_are_held_are_brought_and_then_forgotten(tmp_path):
    ingress = FakeIngress()
    async with lane(tmp_path, ingress) as it:
        await it.want("a", account="site", contents={0: b"picture"})
        wanted = await it.queue.first()
        assert b"picture" == await it.queue.held(wanted)
        it.fetcher.start(it.stub)
        await it.empty()

        assert [("a", 0, b"picture")] == ingress.attached
        assert await it.queue.held(wanted) is None


async def test_bytes_of_a_callback_that_is_forgotten_are_forgotten_with_it(tmp_path):
    async with lane(tmp_path, FakeIngress()) as it:
        arrival = Arrival("site", "a", ("a",), b"raw", 5, "", code="malformed", contents={0: b"picture"})
        await it.inbox.keep(arrival)
        await it.inbox.forget_rows(6, after=0)

        assert await it.queue.held(Wanted("site", "a", 0, "image", "", 0)) is None


def test_only_what_people_say_has_contents():
    image, file = Media(type="image", platform_id="m1", url="u"), Media(type="file")
    parts = [Part(text="see"), Part(media=image), Part(media=file)]
    given = {"idempotency_key": "k", "account": "shop"}
    expected = (Wanted("shop", "k", 1, "image", "m1", 7), Wanted("shop", "k", 2, "file", "", 7))

    assert expected == wanted_of(Envelope(customer=CustomerMessage(parts=parts), **given), 7)
    assert expected == wanted_of(Envelope(agent=AgentMessage(parts=parts), **given), 7)
    assert () == wanted_of(Envelope(system=SystemNotice(parts=parts), **given), 7)
