"""Rows of the conformance matrix in which a token ends.

That takes seconds, so each is done once, for all kinds of client at the same time; the cells tell how each fared.
"""

import asyncio
from functools import partial

import pytest
from typer.testing import CliRunner

from crdt_sync.cli.main import app
from crdt_sync.server.keys import rotate_development_key
from crdt_sync.wire import hocuspocus
from tests.conformance import matrix
from tests.conformance.matrix import Site, Together, check, ends_of, saved
from tests.conformance.node_client import NodeClient
from tests.conformance.offline_story import Names, opened
from tests.conformance.server_process import ServerProcess

TOKEN_S = 4  # long enough for ten clients to open a document


async def let_it_end(site: Site, client: NodeClient, names: Names, after: str) -> None:
    """Open the card with a token that ends, and be ready to bring `after` when that is asked for."""
    token = site.server.token("tech", seconds=TOKEN_S)
    await client.tell("trace")
    await client.tell("open", document=names.card, token=token)
    await client.hear("synced", document=names.card, synced=True)
    if site.kind is matrix.GRPC:
        await client.hear("token_request")
    await client.tell("token", token=after)
    if site.kind is matrix.Y_WEBSOCKET:
        assert 4501 == (await client.hear("close", document=names.card))["code"]
    elif site.kind is not matrix.GRPC:
        await client.hear("heard", hex=hocuspocus.encode_token_request(names.card.encode()).hex())


async def expire(site: Site, together: Together) -> None:
    del together
    async with site.client() as client, site.server.client("sales") as rest:
        names = await opened(rest)
        await let_it_end(site, client, names, site.server.token("tech"))
        await client.tell("set", document=names.card, root="card", fields={"assignee.tech": "tech-1"})
        await client.settle("synced", names.card, synced=True)
        await saved(client, names.card)
        card = (await rest.get(f"/api/tickets/{names.ticket}")).json()["card"]
        closed = 1 if site.kind is matrix.Y_WEBSOCKET else 0
        assert ("tech-1", closed, 0) == (card["assignee.tech"], client.count("close"), client.count("denied"))


async def narrow(site: Site, together: Together) -> None:
    del together
    async with site.client() as client, site.server.client("sales") as rest:
        names, other = await opened(rest), await opened(rest)
        await let_it_end(site, client, names, site.server.token("tech", tickets=[other.ticket]))
        if site.kind is matrix.PROVIDER_2:  # it does not answer, and brings the token when it comes back
            since = await client.tell("disconnect")
            await client.hear("close", since=since)
            await client.tell("connect")
        denied = await client.hear("denied", document=names.card)
        patched = await rest.patch(f"/api/tickets/{names.ticket}/card", json={"priority": 2})
        await client.tell("attempts", within_ms=200)
        await client.hear("attempts")
        assert ("ticket_scope", 200) == (denied["reason"].partition(":")[0], patched.status_code)
        assert "priority" not in client.contents[names.card]["card"]


async def revoke(site: Site, together: Together) -> None:
    async with site.client() as client, site.server.client("sales") as rest:
        names = await opened(rest)
        await site.open(client, names.card, department="tech")
        since = len(client.events)
        await together.once(partial(take_everything, site.server, "tech-1"))
        closed = await client.hear("close", since=since)
        assert ("revoked" if site.kind is matrix.GRPC else 4401) == closed["code"]
        if site.kind in {matrix.PROVIDER_3, matrix.PROVIDER_4}:  # they come back after every code
            denied = await client.hear("denied", since=since, document=names.card)
            assert "revoked" == denied["reason"].partition(":")[0]
        patched = await rest.patch(f"/api/tickets/{names.ticket}/card", json={"priority": 2})
        await client.tell("attempts", within_ms=200)
        await client.hear("attempts")
        assert 200 == patched.status_code
        assert "priority" not in client.contents[names.card]["card"]


def take_everything(server: ServerProcess, actor: str) -> None:
    """What an operator does, while the service runs."""
    done = CliRunner().invoke(app, ["admin", "--data", str(server.data), "access", "revoke", actor])
    assert 0 == done.exit_code, done.output


async def rotate(site: Site, together: Together) -> None:
    """The key is rotated twice; the first time the former one stays good, so that all can have a token of the new."""
    withdraw = partial(rotate_development_key, site.server.data, keep_former=True)
    async with site.client() as client:
        async with site.server.client("sales") as rest:
            names = await opened(rest)
        await site.open(client, names.card, department="tech")
        await together.once(withdraw)
        await client.tell("token", token=site.server.token("tech"))
        await client.tell("set", document=names.card, root="card", fields={"priority": 2})
        await saved(client, names.card)
        since = len(client.events)
        await together.once(withdraw)
        if site.kind is not matrix.GRPC:  # that has taken the new token while its stream was open
            assert 4501 == (await client.hear("close", since=since))["code"]
            await client.hear("synced", since=since, document=names.card, synced=True)
        await client.tell("set", document=names.card, root="card", fields={"assignee.tech": "tech-1"})
        await saved(client, names.card)
        async with site.server.client("sales") as rest:
            card = (await rest.get(f"/api/tickets/{names.ticket}")).json()["card"]
        closed = 0 if site.kind is matrix.GRPC else 1
        assert ("tech-1", closed, 0) == (card["assignee.tech"], client.count("close"), client.count("denied"))


@pytest.fixture(scope="module")
def ends(node, tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("tokens")) as server:
        return {story: asyncio.run(ends_of(story, node, server)) for story in (expire, narrow, rotate, revoke)}


@matrix.kinds
def test_expire(ends, kind):
    """Whose token ends is asked for another, or closed so that it comes back with one, and loses nothing."""
    check(ends[expire][kind.name])


@matrix.kinds
def test_rotate(ends, kind):
    """Whose key is withdrawn is closed by a code that brings it back with a token of the new key, and loses nothing."""
    check(ends[rotate][kind.name])


@matrix.kinds
def test_narrow(ends, kind):
    """Whose next token names less is shut out by its code, and hears nothing more."""
    check(ends[narrow][kind.name])


@matrix.kinds
def test_revoke(ends, kind):
    """Whom an operator revokes is closed by its code, refused if he comes back, and hears nothing more."""
    check(ends[revoke][kind.name])
