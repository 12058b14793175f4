import sys
import time
from contextlib import AsyncExitStack

import pytest

from tests.conformance.server_process import SERVE, ServerProcess
from tests.integration.sources import DEPARTMENT, Notes
from tests.integration.trace import CALLS, STRACE, Exchange, is_synced, parse
from tests.integration.writers import CollabLink, GrpcLink, RestWriter, SyncLink, Tally, WeChatWriter

UNSYNCED = (sys.executable, "-m", "tests.integration.careless_serve", "unsynced")
PATHS = {"/sync", "/collab", "gRPC Sync", "REST", "WeChat"}
CHANGES = 6  # of each path, one after the other; of REST two messages, two transitions and two card fields
SERVICE_LOG, INBOX_LOG = "crdt-sync.db-wal", "inbox.db-wal"

pytestmark = pytest.mark.usefixtures("strace")


async def traced(folder, program):
    """By path, whether each change was on the disk before its acknowledgement left."""
    trace = folder / "trace"
    with ServerProcess(folder / "data", program=(*STRACE, "-o", str(trace), "-e", CALLS, *program)) as server:
        exchanges = [*await of_replicas(server), *await of_callers(server)]
        with trace.open() as lines:
            service = int(lines.readline().split()[0])
        server.stop(service)
    with trace.open() as lines:
        calls = parse(lines)
    verdicts = {}
    for one in exchanges:
        verdicts.setdefault(one.path, []).append(is_synced(calls, one))
    return verdicts


async def of_replicas(server):
    """Notes over the three wires of documents."""
    async with server.client(DEPARTMENT) as rest:
        tickets = [(await rest.post("/api/tickets", json={"title": "Durable"})).json()["id"] for _ in range(3)]
    return [
        *await of_link(server, SyncLink(), Notes(tickets[0], 11), "/sync", server.port),
        *await of_link(server, CollabLink(), Notes(tickets[1], 11), "/collab", server.port),
        *await of_link(server, GrpcLink(), Notes(tickets[2], 11), "gRPC Sync", server.grpc_port),
    ]


async def of_link(server, link, notes, path, port):
    """The first change is not looked at, since greetings may be under way with it."""
    exchanges = []
    async with AsyncExitStack() as stack:
        await link.open(server, stack, [notes.name])
        for number in range(CHANGES + 1):
            mark, update = notes.next()
            sent = time.time()
            await link.send((notes.name, number), update)
            while not await link.acknowledged():
                pass
            text = mark.text.encode()
            request, answer = {
                "/sync": (b"", text),  # the echo; what a browser sends is masked
                "/collab": (b"", notes.name.encode() + b"\x08\x01"),  # SyncStatus(1)
                "gRPC Sync": (text, b"\x0a\x08" + number.to_bytes(8, "big")),  # the batch id of an Ack
            }[path]
            exchanges.append(Exchange(path, port, SERVICE_LOG, sent, time.time(), request, answer))
    return exchanges[1:]


async def of_callers(server):
    """Requests of REST, and callbacks of WeChat, whose file is the gateway's inbox."""
    async with server.client(DEPARTMENT) as client:
        ticket = (await client.post("/api/tickets", json={"title": "Durable"})).json()
        rest = RestWriter(server, Tally("REST", int), ticket["id"], ticket["version"])
        wechat = WeChatWriter(server, Tally("WeChat", int), 1)
        return [
            await of_caller(client, writer, path, server.port, log)
            for writer, path, log in ((rest, "REST", SERVICE_LOG), (wechat, "WeChat", INBOX_LOG))
            for _ in range(CHANGES)
        ]


async def of_caller(client, writer, path, port, log):
    sent = time.time()
    request = await writer.once(client)
    return Exchange(path, port, log, sent, time.time(), request.unique.encode(), b"HTTP/1.1 20")


async def test_every_acknowledged_change_was_on_the_disk_before_its_acknowledgement_left(tmp_path):
    assert dict.fromkeys(PATHS, [True] * CHANGES) == await traced(tmp_path, SERVE)


async def test_service_whose_commits_do_not_wait_for_the_disk_is_caught_on_every_path(tmp_path):
    assert dict.fromkeys(PATHS, [False] * CHANGES) == await traced(tmp_path, UNSYNCED)
