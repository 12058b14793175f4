"""The golden conversations of proto/vectors, frame by frame in both directions, over the real service.

What a client says is what an unmodified @hocuspocus/provider 4.7 says (tests/conformance/test_golden_provider.py).
"""

from dataclasses import replace

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.identity import Identity
from crdt_sync.errors import Unauthenticated
from crdt_sync.protocol.collab_dialect import CollabDialect
from tests.wire import vectors
from tests.world import SALES, World

READER = replace(SALES, actor="reader")
PEOPLE = {"tok": SALES, "readonly": READER}


async def authenticate(token):
    if token not in PEOPLE:
        raise Unauthenticated(token, code="token_invalid")
    return Identity(PEOPLE[token], None)


@pytest.fixture
async def world(monkeypatch):
    world = await World.start(MemoryStore(), open_documents=True)
    admit = world.connections.admit

    async def admitted(document, principal):
        room, writable = await admit(document, principal)
        return room, writable and principal is not READER

    monkeypatch.setattr(world.connections, "admit", admitted)
    yield world
    await world.stop()


@pytest.mark.parametrize("row", vectors.load("hocuspocus_conversations"), ids=lambda row: row["name"])
async def test_conversation(world, row):
    connection, wire = world.connect(CollabDialect())
    connection._tokens._authenticate = authenticate
    for who, what in [*row["steps"], ("end", None)]:
        if who == "client":
            connection.receive(bytes.fromhex(what))
            continue
        await world.settle()
        match who:
            case "service":
                assert what == (wire.frames.pop(0).hex() if wire.frames else None)
            case "close":
                assert what == wire.closed[0]
            case "end":
                assert [] == [frame.hex() for frame in wire.frames], "nothing more is said"
