"""`python -m example_crm.server --data FILE --port N`: the CRM. It answers after the commit that holds it."""

import argparse
import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from example_crm import crm_pb2 as pb
from example_crm import crm_pb2_grpc

_TABLES = """
CREATE TABLE IF NOT EXISTS customer (
    ticket TEXT PRIMARY KEY, title TEXT NOT NULL, name TEXT NOT NULL, stage TEXT NOT NULL, version TEXT NOT NULL,
    position INTEGER NOT NULL, status TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS change (
    id INTEGER PRIMARY KEY AUTOINCREMENT, ticket TEXT NOT NULL, status TEXT NOT NULL, amount TEXT NOT NULL,
    seen TEXT NOT NULL, outcome TEXT NOT NULL DEFAULT '', key TEXT NOT NULL UNIQUE
);
"""
_CUSTOMER = "ticket, title, name, stage, version, position, status"
_CHANGE = "id, ticket, status, amount, seen, outcome"

Context = grpc.aio.ServicerContext[Any, Any]


class Crm(crm_pb2_grpc.CrmServiceServicer):
    """The table, and whoever listens to its changes. Each call is one short transaction."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {_TABLES}")
        self._news = asyncio.Event()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    async def Upsert(self, request: pb.Customer, context: Context) -> pb.UpsertResponse:  # noqa: N802 (named by the proto)
        """Take what is newer than what is there."""
        del context
        self._database.execute(
            "INSERT INTO customer (ticket, title, name, stage, version, position) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET title = excluded.title, name = excluded.name, stage = excluded.stage, "
            "version = excluded.version, position = excluded.position WHERE excluded.position >= position",
            (request.ticket, request.title, request.name, request.stage, request.version, request.position),
        )
        return pb.UpsertResponse()

    async def List(self, request: pb.ListRequest, context: Context) -> pb.ListResponse:  # noqa: N802
        """Show the table."""
        del request, context
        return pb.ListResponse(customers=[_customer(row) for row in self._rows(f"SELECT {_CUSTOMER} FROM customer")])

    async def SetStatus(self, request: pb.SetStatusRequest, context: Context) -> pb.Change:  # noqa: N802
        """Set a status and write down the change, in one transaction."""
        known = self._rows("SELECT version FROM customer WHERE ticket = ?", request.ticket)
        if not known:
            await context.abort(grpc.StatusCode.NOT_FOUND, "There is no such customer.")
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            made = self._database.execute(
                "INSERT INTO change (ticket, status, amount, seen, key) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (request.ticket, request.status, request.amount, known[0][0], request.key),
            )
            if made.rowcount:
                self._database.execute(
                    "UPDATE customer SET status = ? WHERE ticket = ?", (request.status, request.ticket)
                )
        self._news.set()
        self._news = asyncio.Event()
        return _change(self._rows(f"SELECT {_CHANGE} FROM change WHERE key = ?", request.key)[0])

    async def Changes(self, request: pb.ChangesRequest, context: Context) -> AsyncIterator[pb.Change]:  # noqa: N802
        """Give what is not settled, each once to this caller, for as long as they listen."""
        del request, context
        given = 0
        while True:
            news = self._news
            for row in self._rows(f"SELECT {_CHANGE} FROM change WHERE outcome = '' AND id > ? ORDER BY id", given):
                yield _change(row)
                given = row[0]
            await news.wait()

    async def Settle(self, request: pb.SettleRequest, context: Context) -> pb.SettleResponse:  # noqa: N802
        """Write down what became of a change; the first word counts."""
        del context
        self._database.execute(
            "UPDATE change SET outcome = ? WHERE id = ? AND outcome = ''", (request.outcome, request.id)
        )
        return pb.SettleResponse()

    def _rows(self, query: str, *given: object) -> Sequence[tuple[Any, ...]]:
        return self._database.execute(query, given).fetchall()


def _customer(row: tuple[Any, ...]) -> pb.Customer:
    return pb.Customer(**dict(zip(_CUSTOMER.split(", "), row, strict=True)))


def _change(row: tuple[Any, ...]) -> pb.Change:
    return pb.Change(**dict(zip(_CHANGE.split(", "), row, strict=True)))


@asynccontextmanager
async def serving(path: Path, port: int = 0) -> AsyncIterator[int]:
    """Serve on loopback; the port."""
    crm, server = Crm(path), grpc.aio.server()
    crm_pb2_grpc.add_CrmServiceServicer_to_server(crm, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(None)
        crm.close()


async def _serve(path: Path, port: int) -> None:
    async with serving(path, port) as bound:
        print(f"grpc://127.0.0.1:{bound}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    chosen = parser.parse_args()
    asyncio.run(_serve(chosen.data, chosen.port))


if __name__ == "__main__":
    main()
