"""Signed meets pending, played by two unmodified clients that were offline: the same story for every wire."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from crdt_sync.adapters import lifecycle_files
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.log import LogDocument
from crdt_sync.domain import payload, transition
from crdt_sync.domain.ids import TicketId, TransitionId
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.transition import Transition
from crdt_sync.replica import Replica
from tests.conformance.node_client import NodeClient
from tests.conformance.reader import Reader, read
from tests.conformance.server_process import ServerProcess

LIFECYCLE = lifecycle_files.load(lifecycle_files.shipped()["connect-order"])
SALT = "0123456789abcdef" * 2
WAIT_S = 30


@dataclass(frozen=True)
class Names:
    """The documents of one ticket."""

    ticket: str

    @property
    def log(self) -> str:
        return f"ticket/{self.ticket}/log"

    @property
    def card(self) -> str:
        return f"ticket/{self.ticket}/card"

    def submit(self, department: str) -> str:
        return f"ticket/{self.ticket}/submit/{department}"

    def form(self, lane: str) -> str:
        return f"ticket/{self.ticket}/form/{lane}"

    def of(self, department: str) -> tuple[str, ...]:
        """All that a client of the department keeps open."""
        return self.log, self.card, self.submit(department), self.form(department)


async def opened(sales: httpx.AsyncClient) -> Names:
    """Open a ticket over REST."""
    answer = await sales.post("/api/tickets", json={"title": "Fibre for the bakery"})
    assert 201 == answer.status_code, answer.text
    return Names(answer.json()["id"])


def made(
    names: Names, department: str, name: str, *after: str, data: dict[str, str] | None = None
) -> tuple[Transition, str]:
    """A transition as an offline replica would make it, and the sealed text of its payload."""
    sealed = payload.seal(data, SALT) if data else None
    one = transition.make(
        ticket=TicketId(names.ticket),
        lane=department,
        name=name,
        actor=f"{department}-1",
        roles=(department,),
        after=after or (names.ticket,),
        lifecycle=LIFECYCLE.digest,
        payload=sealed.digest if sealed else None,
        at=1,
    )
    return one, sealed.text if sealed else ""


def stage_of(names: Names, records: list[str]) -> str:
    """What a client makes of the records that it holds."""
    fold = Fold(LIFECYCLE, TransitionId(names.ticket))
    for record in records:
        decoded = transition.decode(record.encode())
        assert isinstance(decoded, Transition)
        fold.add(decoded)
    stage = fold.state().stage
    assert stage is not None
    return stage


async def subscribe(server: ServerProcess, client: NodeClient, names: Names, department: str) -> None:
    """Open all documents of a department and wait until each is synced."""
    for name in names.of(department):
        await client.tell("open", document=name, token=server.token(department))
        await client.hear("synced", document=name, synced=True)


async def play(server: ServerProcess, sales: NodeClient, tech: NodeClient, *, replica: str) -> Names:
    """All edit and submit while offline, the service changes meanwhile, all come back; everything must agree.

    Sales quotes and signs. Tech starts without having seen that, which the service refuses. A second of sales works
    with a replica in Python, whose way to the service is the URL `replica`.
    """
    async with server.client("sales") as rest:
        names = await opened(rest)
        async with colleague(server, url=replica) as here:
            await here.refresh()
            await here.synced(WAIT_S)
        for client, department in ((sales, "sales"), (tech, "tech")):
            await subscribe(server, client, names, department)
            before = await client.tell("disconnect")
            await client.hear("close", since=before)
        quote, price = made(names, "sales", "quote", data={"price": "99.50"})
        sign, contract = made(names, "sales", "sign", quote.id, data={"contract": "C-17"})
        start, _ = made(names, "tech", "start")
        await sales.tell("push", document=names.submit("sales"), root="transitions", values=[quote.record])
        await sales.tell("push", document=names.submit("sales"), root="transitions", values=[sign.record])
        payloads = {quote.payload: price, sign.payload: contract}
        await sales.tell("set", document=names.form("sales"), root="payloads", fields=payloads)
        await sales.tell("write", document=names.form("sales"), root="notes", text="签约 for 2 lines 🧵\n")
        await sales.tell("set", document=names.card, root="card", fields={"customer": "Bäckerei", "title": "by sales"})
        await tech.tell("push", document=names.submit("tech"), root="transitions", values=[start.record])
        await tech.tell("write", document=names.form("tech"), root="notes", text="duct is full\n")
        await tech.tell("set", document=names.card, root="card", fields={"assignee.tech": "tech-1", "title": "by tech"})
        patched = await rest.patch(f"/api/tickets/{names.ticket}/card", json={"priority": 2})
        assert 200 == patched.status_code, patched.text
        noted = await rest.patch(f"/api/tickets/{names.ticket}/forms/sales", json={"note": "called twice"})
        assert 200 == noted.status_code, noted.text
        async with colleague(server) as here:
            await (await here.ticket(names.ticket)).note("sales", "from the train")
        for client, department in ((sales, "sales"), (tech, "tech")):
            before = await client.tell("connect")
            for name in names.of(department):
                await client.hear("synced", since=before, document=name, synced=True)
        records = {names.ticket, quote.id, sign.id}
        for client in (sales, tech):
            await client.until(lambda held: records == ids(held[names.log]["log"]))
            await client.until(lambda held: {start.id: "if"} == held[names.log]["refused"])
        async with colleague(server, url=replica) as here:
            lines = sorted(["called twice", "签约 for 2 lines 🧵", "from the train"])
            await sales.until(lambda held: lines == sorted(held[names.form("sales")]["notes"].splitlines()))
            await agree(server, rest, names, {"sales": sales, "tech": tech}, stage="ready_to_start")
            await here.synced(WAIT_S)
            ticket = await here.ticket(names.ticket)
            view = (await rest.get(f"/api/tickets/{names.ticket}")).json()
            assert ("ready_to_start", view["lanes"]) == (ticket.stage, ticket.lanes)
            assert view["card"] == ticket.card
            assert sales.contents[names.form("sales")]["notes"] == ticket.notes("sales")
    return names


@asynccontextmanager
async def colleague(server: ServerProcess, *, url: str | None = None) -> AsyncIterator[Replica]:
    """A second of sales with a replica of its own; without a URL it is offline."""
    token = server.token("sales", actor="sales-2")
    async with Replica.open(server.data / "replica.db", url=url, token=token) as replica:
        yield replica


async def agree(
    server: ServerProcess, rest: httpx.AsyncClient, names: Names, clients: dict[str, NodeClient], *, stage: str
) -> None:
    """Clients, the service's own view and a fresh Python reader of each department hold the same."""
    for client in clients.values():  # what one of them hears of another is committed
        await client.until(lambda held: {"customer", "assignee.tech", "priority"} <= held[names.card]["card"].keys())
    view = (await rest.get(f"/api/tickets/{names.ticket}")).json()
    assert stage == view["stage"]
    assert {"customer": "Bäckerei", "assignee.tech": "tech-1", "priority": 2}.items() <= view["card"].items()
    assert view["card"]["title"] in {"by sales", "by tech"}
    for department, client in clients.items():
        await client.until(lambda held: view["card"] == held[names.card]["card"])
        held = client.contents
        log, card, form = await fresh(server, names, department, notes=held[names.form(department)]["notes"])
        assert stage == stage_of(names, held[names.log]["log"]) == stage_of(names, log.transitions())
        assert sorted(log.transitions()) == sorted(held[names.log]["log"])
        assert log.refused() == held[names.log]["refused"]
        assert view["card"] == card.card()
        assert form.payloads() == held[names.form(department)]["payloads"]
    shown = (await rest.get(f"/api/tickets/{names.ticket}/forms/sales")).json()
    assert clients["sales"].contents[names.form("sales")]["notes"] == shown["notes"]


async def fresh(
    server: ServerProcess, names: Names, department: str, *, notes: str
) -> tuple[LogDocument, CardDocument, FormDocument]:
    """Log, card and the department's form, read anew; waits for `notes`, which the writer is not told of."""
    log, card = await read(server, names.log, department), await read(server, names.card, department)
    async with Reader(server, names.form(department), department) as reader:
        form = await reader.until(lambda form: isinstance(form, FormDocument) and notes == form.notes())
    assert isinstance(log, LogDocument)
    assert isinstance(card, CardDocument)
    assert isinstance(form, FormDocument)
    return log, card, form


async def start_the_work(names: Names, sales: NodeClient, tech: NodeClient) -> None:
    """Tech, back online, starts after what it sees now; both clients hear of it."""
    seen: list[Any] = sorted(ids(tech.contents[names.log]["log"]) - parents(tech.contents[names.log]["log"]))
    start, _ = made(names, "tech", "start", *seen)
    await tech.tell("push", document=names.submit("tech"), root="transitions", values=[start.record])
    for client in (sales, tech):
        await client.until(lambda held: start.id in ids(held[names.log]["log"]))
        assert "in_delivery" == stage_of(names, client.contents[names.log]["log"])


def ids(records: list[str]) -> set[str]:
    return {transition.entry_key(record.encode()) for record in records}


def parents(records: list[str]) -> set[str]:
    decoded = [transition.decode(record.encode()) for record in records]
    return {parent for one in decoded if isinstance(one, Transition) for parent in one.after}
