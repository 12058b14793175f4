"""Events reach a plugin at least once and in order, over real gRPC from a service that is a script."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, suppress
from functools import partial

import grpc
import pytest

from crdt_sync.rpc.ticketsync.v1 import events_pb2_grpc, sync_pb2
from crdt_sync.rpc.ticketsync.v1.events_pb2 import WatchResponse
from crdt_sync.wire import cloudevents
from gateway.plugins import follower
from gateway.plugins.api import Context, Event, TryLater
from tests.replica.loopback import until


class Service(events_pb2_grpc.EventServiceServicer):
    """Holds events 1 to `newest`; a watch gives two a page, asks for a token if told so, and breaks after `pages`."""

    def __init__(self, newest):
        self.newest, self.pages, self.asks = newest, 1, False
        self.after, self.tokens = [], []

    async def Watch(self, requests, context):  # noqa: N802
        first = await anext(aiter(requests))
        self.after.append(first.after_position)
        if first.after_position > self.newest:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no such position")
        position = first.after_position
        if self.asks:
            yield WatchResponse(token_request=sync_pb2.TokenRequest())
            self.tokens.append((await anext(aiter(requests))).token.token)
        for _ in range(self.pages):
            page = range(position + 1, min(position + 2, self.newest) + 1)
            position = max(position, *page, 0) if page else position
            yield WatchResponse(events=[told(number) for number in page], position=position)
        await context.abort(grpc.StatusCode.UNAVAILABLE, "it is killed")

    @asynccontextmanager
    async def serving(self):
        server = grpc.aio.server()
        events_pb2_grpc.add_EventServiceServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(None)


REFUSED = grpc.aio.AioRpcError(grpc.StatusCode.INVALID_ARGUMENT, None, None)  # of a call that a plugin made


def told(position):
    return cloudevents.encode(
        position=position, type_="opened", ticket="t", data={"n": position}, at_ms=1_500, traceparent=None
    )


def test_an_event_is_read_as_the_service_writes_it():
    assert Event(5, "opened", "t", "1970-01-01T00:00:01.500Z", {"n": 5}) == follower.event_of(told(5))


class Hearing:
    def __init__(self):
        self.heard, self.script = [], {}

    async def on_event(self, event):
        self.heard.append(event.position)
        raised = self.script.pop(event.position, None)
        if raised is not None:
            raise raised


def is_heard(plugin, position, times):
    return plugin.heard.count(position) == times


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(follower, "RETRY_S_MIN", 0.001)


@asynccontextmanager
async def following(core, data, plugin):
    counted = Counter()

    def count(name):
        counted[name] += 1

    context = Context("crm", data, core, None, {}, token=lambda: "secret", secret=str)
    task = asyncio.create_task(follower.Follower(context, plugin, deadline_s=20, count=count).run())
    try:
        yield counted
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, RuntimeError):
            await task


@pytest.mark.usefixtures("quick")
async def test_each_event_comes_in_order_past_breaks_and_delays(tmp_path):
    service, plugin = Service(5), Hearing()
    plugin.script = {2: TryLater("away", 0.001), 5: TryLater("away", 0.001)}
    async with service.serving() as core, following(core, tmp_path, plugin) as counted:
        await until(lambda: follower.read(tmp_path / "position") == 5)
        assert ([1, 2, 2, 3, 4, 5, 5], [0, 2, 4]) == (plugin.heard, service.after[:3])
        await until(lambda: counted["event"] == 5)
        assert (2, 5) == (counted["later"], counted["event"])


@pytest.mark.usefixtures("quick")
async def test_ten_minutes_of_something_away_lose_nothing(tmp_path):
    """Six hundred tries, one a second but for the waiting, while the service forgets the watch again and again."""
    service, plugin = Service(4), Hearing()

    async def on_event(event):
        plugin.heard.append(event.position)
        if len(plugin.heard) < 600:
            raise TryLater("away", 0.0001)

    plugin.on_event = on_event
    async with service.serving() as core, following(core, tmp_path, plugin):
        await until(lambda: follower.read(tmp_path / "position") == 4)
    assert [1] * 600 + [2, 3, 4] == plugin.heard


@pytest.mark.usefixtures("quick")
async def test_what_a_plugin_raises_ends_it_and_the_event_comes_again(tmp_path):
    service, plugin = Service(3), Hearing()
    plugin.script = {2: ZeroDivisionError()}
    async with service.serving() as core:
        async with following(core, tmp_path, plugin):
            await until(lambda: plugin.heard == [1, 2])
        assert 0 == follower.read(tmp_path / "position")
        async with following(core, tmp_path, plugin):
            await until(lambda: follower.read(tmp_path / "position") == 3)
    assert [1, 2, 1, 2, 3] == plugin.heard, "nothing is left out; a page whose end was not reached comes again"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("error", [ZeroDivisionError(), TimeoutError(), REFUSED])
async def test_event_that_raises_each_time_is_set_aside_after_ten(tmp_path, error):
    service, plugin = Service(4), Hearing()
    async with service.serving() as core:
        for life in range(follower.FAULTS_MAX):
            plugin.script = {1: error}
            async with following(core, tmp_path, plugin):
                await until(partial(is_heard, plugin, 1, life + 1))
        async with following(core, tmp_path, plugin) as counted:
            await until(lambda: follower.read(tmp_path / "position") == 4)
    assert [1] * follower.FAULTS_MAX + [2, 3, 4] == plugin.heard
    assert 1 == counted["set_aside"]


class Lethal(Hearing):
    """One whose process ends over an event, and nothing of it is left to say so."""

    async def on_event(self, event):
        await super().on_event(event)
        if event.position == self.position:
            await asyncio.Event().wait()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("position", "before"), [(1, []), (2, [1])])
async def test_event_that_ends_the_process_each_time_is_set_aside_after_ten(tmp_path, position, before):
    service, plugin = Service(4), Lethal()
    plugin.position = position
    async with service.serving() as core:
        for life in range(follower.FAULTS_MAX):
            async with following(core, tmp_path, plugin):
                await until(partial(is_heard, plugin, position, life + 1))
        async with following(core, tmp_path, plugin) as counted:
            await until(lambda: follower.read(tmp_path / "position") == 4)
    behind = [each for each in (2, 3, 4) if each != position]
    assert [*before, position] * follower.FAULTS_MAX + before + behind == plugin.heard
    assert 1 == counted["set_aside"]


@pytest.mark.usefixtures("quick")
async def test_process_that_ends_while_an_event_waits_for_what_is_away_is_no_fault_of_the_event(tmp_path):
    service, plugin = Service(1), Hearing()
    async with service.serving() as core:
        for life in range(2 * follower.FAULTS_MAX):
            plugin.script = {1: TryLater("away", 60)}
            async with following(core, tmp_path, plugin) as counted:
                await until(lambda counted=counted: counted["later"] == 1)
            assert life + 1 == len(plugin.heard)
        async with following(core, tmp_path, plugin) as counted:
            await until(lambda: counted["event"] == 1)
    assert 0 == counted["set_aside"]


@pytest.mark.usefixtures("quick")
async def test_token_is_renewed_and_a_restored_service_tells_all_anew(tmp_path):
    service, plugin = Service(2), Hearing()
    service.asks = True
    follower.write(tmp_path / "position", 9)
    async with service.serving() as core, following(core, tmp_path, plugin):
        await until(lambda: follower.read(tmp_path / "position") == 2)
        await until(lambda: service.tokens)
    assert ([9, 0], [1, 2], "secret") == (service.after[:2], plugin.heard, service.tokens[0])
