"""A client that nobody here wrote a library for: Node, @grpc/grpc-js, Yjs and the `.proto` files."""

from contextlib import asynccontextmanager

import pytest

from tests.conformance.node_client import NodeClient
from tests.conformance.offline_story import opened, subscribe
from tests.conformance.server_process import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("grpc")) as server:
        yield server


@asynccontextmanager
async def connected(node, server):
    async with NodeClient(node, "grpc_client.mjs", server.grpc) as client:
        yield client


async def test_a_grpc_client_makes_a_transition_in_what_it_has_seen(node, server):
    async with connected(node, server) as sales, server.client("sales") as rest:
        names = await opened(rest)
        await subscribe(server, sales, names, "sales")
        await sales.tell("get", ticket=names.ticket)
        seen = (await sales.hear("ticket", id=names.ticket))["version"]
        await sales.tell("transition", ticket=names.ticket, lane="sales", name="lose", seen=seen)
        assert "cancelled" == (await sales.hear("transitioned"))["stage"]
        await sales.until(lambda held: 2 == len(held[names.log]["log"]))
        await sales.tell("transition", ticket=names.ticket, lane="sales", name="lose", seen="0")
        failed = await sales.hear("failed")
        assert ("FAILED_PRECONDITION", "seen_unknown") == (failed["status"], failed["code"])


async def test_a_grpc_client_tells_presence_to_another_and_is_gone_when_it_leaves(node, server):
    async with connected(node, server) as sales, connected(node, server) as tech, server.client("sales") as rest:
        names = await opened(rest)
        await subscribe(server, sales, names, "sales")
        await subscribe(server, tech, names, "tech")
        await sales.tell("present", document=names.card, state={"name": "Zoë"})
        await tech.hear("presence", document=names.card, states=[{}, {"name": "Zoë"}])
        before = len(tech.events)
        await sales.tell("disconnect")
        await tech.hear("presence", since=before, document=names.card, states=[{}])


async def test_a_grpc_client_with_a_wrong_token_is_refused_once(node, server):
    async with connected(node, server) as sales, server.client("sales") as rest:
        names = await opened(rest)
        await sales.tell("open", document=names.card, token=server.token("sales")[:-6] + "AAAAAA")
        denied = await sales.hear("denied", document=names.card)
        close = await sales.hear("close")
        await sales.tell("attempts", within_ms=1_000)
        assert ("token_invalid", "UNAUTHENTICATED", 1) == (
            denied["reason"].partition(":")[0],
            close["status"],
            (await sales.hear("attempts"))["attempts"],
        )


async def test_a_grpc_client_renews_its_token_and_its_stream_goes_on(node, server):
    async with connected(node, server) as sales, server.client("sales") as rest:
        names = await opened(rest)
        await sales.tell("open", document=names.card, token=server.token("sales", seconds=2))
        await sales.hear("synced", document=names.card)
        await sales.tell("watch")
        await sales.hear("token_request")
        await sales.hear("token_request", of="watch")
        before = await sales.tell("token", token=server.token("sales"))
        await sales.tell("set", document=names.card, root="card", fields={"customer": "Bäckerei"})
        await sales.hear("ack", since=before, document=names.card, status="ACK_STATUS_OK")
        later = await opened(rest)
        await sales.hear("told", subject=later.ticket, type="ticketsync.ticket.opened.v1")
        assert (0, 0) == (sales.count("close"), sales.count("unwatched"))


async def test_a_grpc_client_watches_and_resumes_over_restarts_of_both_sides(node, tmp_path):
    stage_changed = "ticketsync.ticket.stage_changed.v1"
    with ServerProcess(tmp_path) as server:
        async with connected(node, server) as sales:
            await sales.tell("token", token=server.token("sales"))
            await sales.tell("watch", after=0)
            async with server.client("sales") as rest:
                first = await opened(rest)
            await sales.hear("told", subject=first.ticket, type=stage_changed)
            server.kill()
            await sales.hear("unwatched", status="UNAVAILABLE")
            server.start()
            async with server.client("sales") as rest:
                second = await opened(rest)
            await sales.hear("told", subject=second.ticket, type=stage_changed)
            told = [one for one in sales.events if one["event"] == "told"]
        async with connected(node, server) as again, server.client("sales") as rest:
            third = await opened(rest)
            await again.tell("token", token=server.token("sales"))
            await again.tell("watch", after=int(told[-1]["position"]))
            await again.hear("told", subject=third.ticket, type=stage_changed)
            told += [one for one in again.events if one["event"] == "told"]
    positions = [int(one["position"]) for one in told]
    expected = [first.ticket, first.ticket, second.ticket, second.ticket, third.ticket, third.ticket]
    assert sorted(set(positions)) == positions
    assert expected == [one["subject"] for one in told]
