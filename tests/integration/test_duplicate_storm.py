"""The same messages again and again, at once and in any order: under their own ids, and under fresh ones."""

import asyncio
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.gateway import Platform
from crdt_sync.cli import wechat_customer
from tests.conformance.server_process import ServerProcess
from tests.gateway.rig import serving
from tests.integration import chat_oracle
from tests.integration.chat_platform import Written, wire

COPIES = 5
CUSTOMERS, TEXTS = 6, 5
FRESH = 1_000_000


class CheckThenInsert:
    """How it is often done: look whether the id is known, and insert the message if not. The index is not unique."""

    def __init__(self, path):
        self._path = path
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE messages (id TEXT, text TEXT)")
            connection.execute("CREATE INDEX messages_id ON messages (id)")

    async def answer(self, request: Request) -> Response:
        id_, text = request.query_params["id"], (await request.body()).decode()
        if not await asyncio.to_thread(self._do, "SELECT 1 FROM messages WHERE id = ?", id_):
            await asyncio.to_thread(self._do, "INSERT INTO messages VALUES (?, ?)", id_, text)
        return Response("success")

    def texts(self):
        return Counter(text for (text,) in self._do("SELECT text FROM messages"))

    def _do(self, statement, *given):
        with closing(sqlite3.connect(self._path, timeout=20)) as connection, connection:
            return connection.execute(statement, given).fetchall()


def written():
    return [
        Written(f"openid-{customer}", f"customer {customer} text {number}", float(number))
        for customer in range(CUSTOMERS)
        for number in range(TEXTS)
    ]


async def flood(port, requests):
    """Send all of them, five times each, at once and in any order."""
    storm = [request for request in requests for _ in range(COPIES)]
    random.Random(1).shuffle(storm)
    platform = Platform(port)
    answers = await asyncio.gather(*(platform.post(request()) for request in storm))
    await platform.close()
    return answers


async def test_storm_of_copies_makes_no_message_and_no_ticket_twice_where_check_then_insert_does(tmp_path):
    messages, began_s = written(), int(time.time()) - 3_600

    def of_wechat(place, one, *, first=0):
        def request():  # encrypted anew for each copy
            post = wechat_customer.callback(
                openid=one.conversation, text=one.text, message_id=first + place, now_s=began_s + int(one.sent_s)
            )
            return wire(wechat_customer.ACCOUNT, post.query, post.body.encode())

        return request

    def of_anybody(place, one):
        return lambda: wire("any", {"id": str(place)}, one.text.encode())

    baseline = CheckThenInsert(tmp_path / "baseline.db")
    async with serving(Starlette(routes=[Route("/channels/any", baseline.answer, methods=["POST"])])) as url:
        await flood(int(url.rpartition(":")[2]), [of_anybody(*each) for each in enumerate(messages)])
    assert max(baseline.texts().values()) > 1

    with ServerProcess(tmp_path / "service") as server:
        again = [
            *(of_wechat(*each) for each in enumerate(messages)),
            *(of_wechat(*each, first=FRESH) for each in enumerate(messages)),
        ]
        assert {200} == set(await flood(server.port, again))
        inbox = server.data / "gateway" / "inbox.db"
        async with asyncio.timeout(60):
            while ("received",) in (states := rows(inbox, "state")):  # noqa: ASYNC110 - the file alone tells
                await asyncio.sleep(0.05)
        held = chat_oracle.held_in(server.data / "crdt-sync.db")

    taken = [Written(one.conversation, one.text, one.sent_s, one.sent_s) for one in messages]
    verdict = chat_oracle.judged(taken, held, {})
    assert ([], [], []) == (verdict.lost, verdict.doubled, verdict.scattered)
    assert (CUSTOMERS, len(messages)) == (len(held), verdict.held)
    assert {("forwarded",): len(messages), ("dead",): len(messages)} == Counter(states)
    assert {(None,), ("suspected_duplicate",)} == set(rows(inbox, "code"))


def rows(inbox, column):
    with closing(sqlite3.connect(inbox)) as connection:
        return connection.execute(f"SELECT {column} FROM inbox").fetchall()
