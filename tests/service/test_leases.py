"""Tokens end while connections are open: asked for, renewed, given up, on every wire by the same rules."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.identity import Identity
from crdt_sync.errors import Unavailable
from crdt_sync.protocol.collab_dialect import CollabDialect
from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as pb
from crdt_sync.server.grpc_dialect import GrpcDialect
from crdt_sync.service.leases import Leases
from crdt_sync.wire import hocuspocus, limits
from tests.world import PEOPLE, SALES, TECH, World

GRACE_MS = limits.TOKEN_GRACE_S * 1000
ASKED = hocuspocus.encode_token_request(b"notes")


@pytest.fixture
async def world():
    world = await World.start(MemoryStore(), open_documents=True)
    world.expires_at_ms = world.clock.now_ms() + 1_000
    yield world
    await world.stop()


async def collab(world, *names):
    connection, wire = world.collab()
    for name in names or ("notes",):
        connection.receive(hocuspocus.encode_token(name.encode(), "sales-1", "4.7.0"))
    await world.settle()
    wire.frames.clear()
    return connection, wire


def later(world, by_ms=1_000):
    """Go on, and look after the tokens as the one task does once a second."""
    world.clock.advance(by_ms)
    world.leases.look()
    world.connections.flush()


async def bring(world, connection, token="sales-1", name=b"notes"):
    world.expires_at_ms = world.clock.now_ms() + 3_600_000
    connection.receive(hocuspocus.encode_token(name, token, "4.7.0"))
    await world.settle()


async def test_nothing_is_asked_before_the_token_ends(world):
    _, wire = await collab(world)
    later(world, 999)

    assert ([], None) == (wire.frames, wire.closed)


async def test_a_collab_client_is_asked_once_and_goes_on_with_its_new_token(world):
    connection, wire = await collab(world)
    later(world)
    later(world)
    assert [ASKED] == wire.frames
    await bring(world, connection)
    later(world, 2 * GRACE_MS)

    assert ([ASKED], None) == (wire.frames, wire.closed)


async def test_a_collab_client_that_brings_none_in_time_loses_its_socket(world):
    _, wire = await collab(world)
    later(world)
    later(world, GRACE_MS - 1)
    assert wire.closed is None
    later(world, 1)

    assert (4501, "session_expired") == (wire.closed[0], wire.closed[1].partition(":")[0])
    assert 1 == world.meter.refusals["collab", "session_expired"]


async def test_each_document_of_a_collab_client_is_asked_for(world):
    connection, wire = await collab(world, "notes", "other")
    later(world)
    assert {ASKED, hocuspocus.encode_token_request(b"other")} == set(wire.frames)
    await bring(world, connection)
    later(world, GRACE_MS)

    assert 4501 == wire.closed[0], "the other document's token has ended as well"


async def test_a_document_that_was_left_is_not_asked_for(world):
    connection, wire = await collab(world, "notes", "other")
    connection.receive(hocuspocus.encode_close(b"other"))
    later(world)

    assert [ASKED] == wire.frames


async def test_somebody_elses_token_closes_the_document_and_not_the_socket(world):
    connection, wire = await collab(world, "notes", "other")
    later(world)
    wire.frames.clear()
    await bring(world, connection, "sales-2")

    denied = hocuspocus.encode_permission_denied(b"notes", "token_changed: The new token is not the old one's.")
    assert ([denied], None) == (wire.frames, wire.closed)
    connection.receive(hocuspocus.encode_update(b"notes", b"\0\0"))
    await world.settle()
    assert [denied] == wire.frames


async def test_a_token_that_cannot_be_judged_leaves_the_time_to_bring_another(world, monkeypatch):
    connection, wire = await collab(world)
    later(world)

    async def away(token):
        raise Unavailable("The issuer's keys cannot be read now.")

    monkeypatch.setattr(connection._tokens, "_authenticate", away)
    await bring(world, connection)
    assert ([ASKED], None) == (wire.frames, wire.closed)
    later(world, GRACE_MS)

    assert 4501 == wire.closed[0]


async def test_a_y_websocket_client_is_closed_so_that_it_comes_back_with_another(world):
    _, wire = await world.yjs("notes", SALES)
    later(world)

    assert 4501 == wire.closed[0]
    assert {("sync", "session_expired"): 1} == world.meter.refusals


async def stream(world):
    connection, wire = world.connect(GrpcDialect(), SALES)
    connection.receive(pb.ClientFrames(frames=[pb.ClientFrame(document=name, open=pb.Open()) for name in ("a", "b")]))
    await world.settle()
    wire.frames.clear()
    return connection, wire


async def test_a_stream_is_asked_once_for_all_its_documents(world):
    connection, wire = await stream(world)
    later(world)
    assert ["token_request"] == [frame.WhichOneof("body") for frame in wire.frames]
    world.expires_at_ms = None
    connection.receive(pb.ClientFrames(frames=[pb.ClientFrame(token=pb.Token(token="sales-1"))]))
    await world.settle()
    later(world, GRACE_MS)

    assert wire.closed is None


async def test_an_empty_token_prolongs_nothing(world):
    connection, wire = await stream(world)
    later(world)
    connection.receive(pb.ClientFrames(frames=[pb.ClientFrame(token=pb.Token())]))
    await world.settle()

    assert 4401 == wire.closed[0]


async def test_a_stream_ends_with_somebody_elses_token(world):
    connection, wire = await stream(world)
    connection.receive(pb.ClientFrames(frames=[pb.ClientFrame(token=pb.Token(token="tech-1"))]))
    await world.settle()

    assert (4403, "token_changed") == (wire.closed[0], wire.closed[1].partition(":")[0])


async def handshake(world):
    """A collab socket whose handshake carried the token."""
    connection, wire = world.connect(CollabDialect(), SALES)
    connection.receive(hocuspocus.encode_step1(b"notes", b"\0"))
    await world.settle()
    wire.frames.clear()
    return connection, wire


async def test_a_document_that_was_opened_with_the_handshakes_token_is_asked_for_in_band(world):
    connection, wire = await handshake(world)
    later(world)
    assert [ASKED] == wire.frames
    await bring(world, connection)
    later(world, GRACE_MS)

    assert wire.closed is None


@pytest.mark.parametrize("first", [hocuspocus.encode_step1(b"more", b"\0"), hocuspocus.encode_token(b"more", "")])
async def test_a_handshake_whose_token_has_ended_opens_nothing_more(world, first):
    connection, wire = await handshake(world)
    world.clock.advance(1_000)
    connection.receive(first)
    await world.settle()

    assert [True] == [b"session_expired" in frame for frame in wire.frames]


async def test_a_new_token_that_says_less_takes_what_it_does_not_name(world, monkeypatch):
    view = await world.opened()
    card = f"ticket/{view.id}/card"
    connection, wire = await collab(world, card)
    monkeypatch.setitem(PEOPLE, "sales-1", replace(SALES, tickets=()))
    await bring(world, connection, name=card.encode())

    assert [hocuspocus.encode_close(card.encode(), "ticket_scope: The token does not name this ticket.")] == wire.frames
    assert {} == (await world.rooms.get(card)).members


async def test_a_new_token_with_other_roles_attests_those_from_then_on(world, monkeypatch):
    connection, _ = await collab(world)
    monkeypatch.setitem(PEOPLE, "sales-1", replace(SALES, roles=("sales", "sales_lead")))
    await bring(world, connection)
    (member,) = (await world.rooms.get("notes")).members

    assert ("sales", "sales_lead") == member.principal.roles


async def test_leases_end_with_their_connection(world):
    connections = [(await collab(world))[0], (await stream(world))[0], (await world.yjs("notes", TECH))[0]]
    assert 3 == len(world.leases._leases)
    for connection in connections:
        connection.ended()

    assert set() == world.leases._leases


async def test_a_department_learns_who_of_it_is_connected_by_which_wire(world):
    view = await world.opened()
    await world.yjs(f"ticket/{view.id}/card", SALES)
    left, _ = await world.yjs(f"ticket/{view.id}/card", SALES)
    await world.yjs(f"ticket/{view.id}/card", TECH)
    watch = await world.events.watch(Identity(SALES, None), None, wire="events")
    left.ended()

    assert {SALES.actor: {"sync": 1, "events": 1}} == world.leases.connected("sales")
    watch.close()


class Mute:
    """A holder whose wire has no word for a token."""

    def __init__(self):
        self.lost = []

    def ask_token(self, lease):
        return False

    def lose(self, lease, error):
        self.lost.append(error.code)


async def test_a_holder_that_fails_keeps_no_other_from_being_looked_after(world, monkeypatch):
    monkeypatch.setattr("crdt_sync.service.leases.LOOK_S", 0)
    failing, mute = Mute(), Mute()
    failing.lose = None
    for holder in (failing, mute):
        world.leases.hold(Identity(SALES, world.clock.now_ms()), holder)
    world.leases.start()
    await world.settle()
    await world.leases.stop()

    assert ["session_expired"] == mute.lost


@pytest.mark.parametrize("task", ["_standing.refresh", "_keys.known", "look"])
async def test_a_fault_in_looking_ends_no_later_look(world, monkeypatch, task):
    monkeypatch.setattr("crdt_sync.service.leases.LOOK_S", 0)
    leases, looks = Leases(world.clock, world.standing, Withdrawn()), []

    def fails(*_):
        looks.append(task)
        raise ZeroDivisionError

    owner, _, name = f"leases.{task}".rpartition(".")
    monkeypatch.setattr(leases if owner == "leases" else getattr(leases, owner.rpartition(".")[2]), name, fails)
    with capture_logs() as logs:
        leases.start()
        await world.settle()
        await leases.stop()

    assert len(looks) > 1
    assert len(looks) == [entry["log_level"] for entry in logs].count("error")


class Withdrawn:
    """A ring without keys."""

    async def known(self):
        return frozenset()


class Holding:
    """A holder that notes what it loses, or fails at it."""

    def __init__(self, *, fails=False):
        self.lost = []
        self._fails = fails

    def lose(self, lease, error):
        self.lost.append(error.code)
        assert not self._fails


async def test_a_holder_that_fails_keeps_no_other_from_losing_a_withdrawn_key(world):
    leases = Leases(world.clock, world.standing, Withdrawn())
    holders = [Holding(fails=True), Holding(fails=True), Holding()]
    for holder in holders:
        leases.hold(Identity(SALES, None, key="former"), holder)
    await leases.follow_keys()

    assert [["key_withdrawn"]] * 3 == [holder.lost for holder in holders]
