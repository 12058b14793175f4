import asyncio
import json
from contextlib import suppress

import grpc
import pytest

from crdt_sync.errors import Unavailable
from crdt_sync.rpc.ticketsync.v1 import events_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import events_pb2_grpc
from crdt_sync.rpc.ticketsync.v1.sync_pb2 import Token
from crdt_sync.server import grpc_events
from crdt_sync.server.auth import StandingAuthenticator
from crdt_sync.service import events as hub
from crdt_sync.wire import limits
from tests.grpc_ends import Ending
from tests.server.conftest import run_service


class Watching:
    """A caller's side of a watch."""

    def __init__(self, channel, metadata):
        self.call = events_pb2_grpc.EventServiceStub(channel).Watch(metadata=metadata)
        self._ending = Ending(self.call)

    @classmethod
    async def after(cls, running, position, **claims):
        watching = cls(running.channel, running.metadata(**claims))
        await watching.say(pb.WatchRequest(after_position=position))
        return watching

    async def say(self, request):
        with suppress(grpc.aio.AioRpcError):  # whoever hears next is told
            await self.call.write(request)

    async def hear(self, count):
        """The next so many events."""
        found = []
        while len(found) < count:
            found += [json.loads(text) for text in (await self.call.read()).events]
        return found

    async def end(self):
        try:
            while await self.call.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError:
            return self._ending.told
        return await self.call.code(), ""


def types(events):
    return [event["type"].split(".")[2] for event in events]


async def test_a_watch_gives_what_was_and_what_comes(running):
    first = await running.ticket()
    watching = await Watching.after(running, 0)
    old = await watching.hear(2)
    second = await running.ticket()
    new = await watching.hear(2)

    assert ["opened", "stage_changed"] * 2 == types(old + new)
    assert [first, first, second, second] == [event["subject"] for event in old + new]


async def test_a_watch_without_a_position_begins_now(running):
    await running.ticket()
    watching = Watching(running.channel, running.metadata())
    await watching.say(pb.WatchRequest())
    greeting = await watching.call.read()
    later = await running.ticket()

    assert (0, 5) == (len(greeting.events), greeting.position)
    assert {later} == {event["subject"] for event in await watching.hear(2)}


async def test_a_watch_resumes_over_a_restart_of_the_service(tmp_path):
    async with run_service(tmp_path / "data") as running:
        await running.ticket()
        watching = await Watching.after(running, 0)
        first = await watching.call.read()
        await running.ticket()
        stopping = asyncio.ensure_future(running.service.stop())
        assert grpc.StatusCode.UNAVAILABLE is (await watching.end())[0]
        await stopping
    async with run_service(tmp_path / "data") as running:
        await running.ticket()
        rest = await (await Watching.after(running, first.position)).hear(4)

    positions = [int(event["position"]) for event in map(json.loads, first.events)]
    positions += [int(event["position"]) for event in rest]
    assert (6, sorted(set(positions))) == (len(positions), positions)


async def test_a_caller_that_has_said_everything_still_hears(running):
    watching = await Watching.after(running, 0)
    await watching.call.done_writing()
    await running.ticket()

    assert ["opened", "stage_changed"] == types(await watching.hear(2))


REFUSALS = [
    ({}, pb.WatchRequest(after_position=99), (grpc.StatusCode.FAILED_PRECONDITION, "position_unknown")),
    ({}, pb.WatchRequest(after_position=2**63), (grpc.StatusCode.INVALID_ARGUMENT, "after")),
    ({"department": "gateway"}, pb.WatchRequest(), (grpc.StatusCode.PERMISSION_DENIED, "gateway")),
    ({"seconds": -5}, pb.WatchRequest(), (grpc.StatusCode.UNAUTHENTICATED, "token_expired")),
]


async def test_a_watch_that_may_not_be_is_refused_with_its_code(running):
    for claims, request, refusal in REFUSALS:
        watching = Watching(running.channel, running.metadata(**claims))
        await watching.say(request)

        assert refusal == await watching.end()


async def test_a_watch_says_first_where_to_start(running, monkeypatch):
    monkeypatch.setattr(grpc_events, "START_S", 0)
    silent = Watching(running.channel, running.metadata())
    ended = Watching(running.channel, running.metadata())
    await ended.call.done_writing()

    for watching in (silent, ended):
        assert (grpc.StatusCode.INVALID_ARGUMENT, "start_missing") == await watching.end()


async def test_a_watch_asks_for_a_fresh_token_and_goes_on_with_it(running):
    watching = await Watching.after(running, 0, seconds=2)
    while not (response := await watching.call.read()).HasField("token_request"):
        pass
    await watching.say(pb.WatchRequest(token=Token(token=running.token())))
    await running.ticket()

    assert 0 == len(response.events)
    assert ["opened", "stage_changed"] == types(await watching.hear(2))


async def test_a_watch_outlives_an_issuer_that_does_not_answer(running, monkeypatch):
    watching = await Watching.after(running, 0)
    answers = asyncio.Queue()

    async def authenticate(self, token, headers):
        await answers.put(token)
        raise Unavailable("The issuer does not answer.")

    await watching.call.read()
    monkeypatch.setattr(StandingAuthenticator, "authenticate", authenticate)
    await watching.say(pb.WatchRequest(token=Token(token="later")))
    assert "later" == await answers.get()
    monkeypatch.undo()
    await watching.say(pb.WatchRequest(token=Token(token=running.token())))
    await running.ticket()

    assert ["opened", "stage_changed"] == types(await watching.hear(2))


async def test_a_watch_without_a_fresh_token_ends(running, monkeypatch):
    monkeypatch.setattr(limits, "TOKEN_GRACE_S", 0)
    watching = await Watching.after(running, 0, seconds=2)

    assert (grpc.StatusCode.UNAUTHENTICATED, "session_expired") == await watching.end()


@pytest.mark.parametrize(
    ("department", "code"), [("tech", "token_changed"), (None, "token_missing")], ids=["another", "none"]
)
async def test_a_token_of_nobody_or_of_somebody_else_ends_the_watch(running, department, code):
    watching = await Watching.after(running, 0)
    token = running.token(department) if department else ""
    await watching.say(pb.WatchRequest(token=Token(token=token)))

    assert code == (await watching.end())[1]


async def test_who_brings_token_after_token_loses_the_watch_and_is_counted(running):
    watching = await Watching.after(running, 0)
    renewal = pb.WatchRequest(token=Token(token=running.token()))
    for _ in range(100):
        await watching.say(renewal)
    await running.ticket()
    assert ["opened", "stage_changed"] == types(await watching.hear(2))
    await watching.say(renewal)

    assert (grpc.StatusCode.UNAVAILABLE, "too_fast") == await asyncio.wait_for(watching.end(), 20)
    assert 1 == running.service._audit._meter._refusals.labels("grpc", "too_fast")._value.get()


async def test_a_service_that_stops_ends_the_watch_so_that_callers_come_back(running):
    watching = await Watching.after(running, 0)
    await watching.call.read()
    stopping = asyncio.ensure_future(running.service.stop())

    assert (grpc.StatusCode.UNAVAILABLE, "stopping") == await watching.end()
    await stopping


async def test_too_many_watches_of_one_caller_are_refused(running, monkeypatch):
    monkeypatch.setattr(hub, "WATCHERS_PER_CALLER_MAX", 1)
    first = await Watching.after(running, 0)
    await first.call.read()
    second = await Watching.after(running, 0)
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "watchers") == await second.end()
    first.call.cancel()
    while True:  # until the service has heard that the first is gone
        again = await Watching.after(running, 0)
        if await _greeted(again):
            break


async def _greeted(watching):
    try:
        return await watching.call.read() is not grpc.aio.EOF
    except grpc.aio.AioRpcError:
        return False
