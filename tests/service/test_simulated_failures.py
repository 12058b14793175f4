"""Clients and commands beside another writer of the same store, and callers who do not wait for their answers.

Each seed is one history. Whatever happens in it, what was acknowledged is in the store once, and the store loads.
Stores that fail and processes that die are `property_tests/simulation`'s.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.document import Document
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.submit import TRANSITIONS, SubmitDocument
from crdt_sync.domain import transition
from crdt_sync.domain.access import Principal
from crdt_sync.domain.transition import Transition
from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import StoreConflict
from crdt_sync.service import committer, compaction, live_ticket
from crdt_sync.service import rooms as rooms_module
from crdt_sync.service.ingest import Ingested
from crdt_sync.service.views import Posted, Transitioned
from crdt_sync.wire import hocuspocus, ysync
from tests.world import BACKOFFICE, GATEWAY, SALES, SALES_2, SUPPORT, TECH, Wire, World, arrival

SEEDS = 4  # some two seconds
STEPS = 120
MOVES = {"sales": ("quote", "sign", "lose", "withdraw"), "tech": ("start", "deliver", "halt"), "support": ("nothing",)}


class SharedStore:
    """A store to which somebody else is quicker by chance, and which takes its time."""

    def __init__(self, inner: MemoryStore, chance: random.Random) -> None:
        self._inner = inner
        self._chance = chance
        self.conflicts = 0.0

    def __getattr__(self, name: str):
        call = getattr(self._inner, name)

        async def slow(*args, **more):
            for _ in range(self._chance.randrange(4)):
                await asyncio.sleep(0)
            if name == "commit" and self._chance.random() < self.conflicts:
                raise StoreConflict(["somebody"])
            answer = await call(*args, **more)
            for _ in range(self._chance.randrange(4)):
                await asyncio.sleep(0)
            return answer

        return slow


@dataclass
class Client:
    """One replica of one document behind a Hocuspocus provider; it sends, hears and sends again as a provider does."""

    world: World
    name: str
    principal: Principal
    copy: Document
    ids: int
    wire: Wire | None = None
    read: int = 0
    outstanding: int = 0
    claimed: int = 0  # the clock up to which the smallest frame under way reaches
    acknowledged: Counter = field(default_factory=Counter)  # clocks by client id

    def connect(self) -> None:
        self.connection, self.wire = self.world.collab()
        self.read = self.outstanding = 0
        address = self.name.encode()
        self.connection.receive(hocuspocus.encode_token(address, self.principal.actor))
        self.connection.receive(hocuspocus.encode_step1(address, self.copy.state_vector()))

    def leave(self) -> None:
        if self.wire is not None:
            self.connection.ended()
            self.wire = None

    def send(self, update: bytes, times: int) -> None:
        if self.wire is None or self.wire.closed is not None:
            self.connect()
        if not self.outstanding:
            self.claimed = self.copy.state().get(self.ids, 0)
        for _ in range(times):
            self.outstanding += 1
            self.connection.receive(hocuspocus.encode_update(self.name.encode(), update))

    def hear(self) -> None:
        while self.wire is not None and self.read < len(self.wire.frames):
            frame = hocuspocus.decode(self.wire.frames[self.read])
            raw, address, self.read = self.wire.frames[self.read], self.name.encode(), self.read + 1
            if raw in {hocuspocus.encode_sync_status(address, accepted=accepted) for accepted in (True, False)}:
                self.outstanding -= 1
                if raw[-1]:
                    self.acknowledged[self.ids] = max(self.acknowledged[self.ids], self.claimed)
            elif isinstance(frame.frame, ysync.Step1):
                self.send(self.copy.diff(b"\0"), 1)
            elif isinstance(frame.frame, ysync.Step2 | ysync.Update):
                self.copy.apply_committed(frame.frame.update)


class Simulation:
    """One history of one seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.inner = MemoryStore()
        self.store = SharedStore(self.inner, self.chance)
        self.clients: list[Client] = []
        self.calls: list[asyncio.Future] = []
        self.numbers = iter(range(1_000_000))
        self.submitted: set[str] = set()

    async def run(self) -> None:
        self.world = await World.start(self.store)
        self.views = [await self.world.opened(), await self.world.opened()]
        for view in self.views:
            self._join(view, "card", TECH, CardDocument)
            for principal in (SALES, SALES_2, TECH):
                self._join(view, f"submit/{principal.department}", principal, SubmitDocument)
                self._join(view, f"form/{principal.department}", principal, FormDocument)
        for _ in range(STEPS):
            self.store.conflicts = self.chance.choice((0.0, 0.0, 0.5))
            await self.chance.choice((self._edit, self._edit, self._edit, self._command, self._reconnect))()
            for _ in range(self.chance.randrange(12)):
                await asyncio.sleep(0)
            for client in self.clients:
                client.hear()
        await self._calm()

    def _join(self, view, part: str, principal: Principal, kind: type[Document]) -> None:
        ids = 1_000 + len(self.clients)
        self.clients.append(Client(self.world, f"ticket/{view.id}/{part}", principal, kind(ids), ids))

    async def _edit(self) -> None:
        client = self.chance.choice(self.clients)
        number, copy = next(self.numbers), client.copy
        if isinstance(copy, CardDocument):
            update = copy.set_fields({"priority": str(number)})
        elif isinstance(copy, FormDocument):
            update = copy.append_note(f"{number}\n")
        else:
            made = await self._transition(client)
            self.submitted.add(made.id)
            update = copy.append_transition(made.record, actor=client.principal.actor)
        client.send(update, self.chance.choice((1, 1, 2)))

    async def _transition(self, client: Client) -> Transition:
        view = next(view for view in self.views if view.id in client.name)
        known = [row.id for row in await self.inner.journal(view.id)] + sorted(self.submitted)
        own = [id_ for id_ in known if id_ in self.submitted or id_ == view.id]
        after = sorted(set(self.chance.choices(own or known, k=2)))
        lane = str(client.principal.department)
        return self.world.made(
            client.principal, view, lane, self.chance.choice(MOVES[lane]), after, at=next(self.numbers)
        )

    async def _command(self) -> None:
        tickets, number = self.world.tickets, next(self.numbers)
        view, key = self.chance.choice(self.views), self.chance.choice((None, f"k{number}"))
        row = await self.inner.ticket(view.id)
        asked = (
            lambda: tickets.transition(
                SALES, view.id, lane="sales", name=self.chance.choice(MOVES["sales"]), seen=str(row.version),
                payload=None, request_id=key,
            ),
            lambda: tickets.post_message(SUPPORT, view.id, text=str(number), request_id=key),
            lambda: tickets.update_card(BACKOFFICE, view.id, fields={"priority": str(number)}, request_id=key),
            lambda: tickets.update_form(SALES, view.id, "sales", fields={}, note=str(number), request_id=key),
            lambda: tickets.open(SALES, title="", subject=f"s{number % 5}", request_id=key),
            lambda: tickets.ingest(GATEWAY, [arrival(f"m{number % 20}", f"{number % 20}"), arrival(f"n{number}")]),
        )  # fmt: skip
        call = asyncio.ensure_future(self.chance.choice(asked)())
        self.calls.append(call)
        if self.chance.random() < 0.3:
            call.cancel()

    async def _reconnect(self) -> None:
        self.chance.choice(self.clients).leave()

    async def _calm(self) -> None:
        self.store.conflicts = 0.0
        for client in self.clients:
            client.leave()
            client.connect()
        for _ in range(60):
            await self.world.settle()
            for client in self.clients:
                client.hear()
        self.answers = await asyncio.wait_for(asyncio.gather(*self.calls, return_exceptions=True), 5)
        for client in self.clients:
            assert (0, None) == (client.outstanding, client.wire.closed), client.name
        await self.world.stop()


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(rooms_module, "IDLE_ROOMS_MAX", 1)
    monkeypatch.setattr(compaction, "TAIL_ROWS_MAX", 7)
    monkeypatch.setattr(compaction, "in_thread", inline)  # no thread, so that a seed is one story
    monkeypatch.setattr(live_ticket, "LIVE_TICKETS_MAX", 1)
    monkeypatch.setattr(committer, "STALE_RETRY_S", 0)


async def inline(work, *arguments):
    await asyncio.sleep(0)
    return work(*arguments)


async def check(simulation: Simulation) -> None:
    store = simulation.inner
    again = await World.start(store)
    for name, rows in store._updates.items():
        first = (await store.document(name)).snapshot_position + 1
        assert list(range(first, first + len(rows))) == [row.document_position for row in rows], name
        await again.rooms.get(name)
    for client in simulation.clients:
        document = (await again.rooms.get(client.name)).document
        assert document.state().get(client.ids, 0) >= client.acknowledged[client.ids], client.name
        assert document.state() == client.copy.state(), "everybody has everything"
    for ticket in list(store._tickets):
        live = await again.desk.get(ticket)
        log = live.log.transitions()
        assert sorted(row.record for row in await store.journal(ticket)) == sorted(log)
        assert len(log) == len(set(log))
        talk = (await again.rooms.get(f"ticket/{ticket}/talk")).document.messages()
        assert sorted(row.record for row in await store.messages(ticket)) == sorted(talk)
        state, row = live.fold.state(), await store.ticket(ticket)
        assert state.stage == row.stage
        assert live.card.card() == row.card
        for department in ("sales", "tech"):
            submit = (await again.rooms.get(f"ticket/{ticket}/submit/{department}")).document
            for entry in submit.entries():
                made = transition.decode(entry.text.encode())
                assert TRANSITIONS == entry.root
                decided = made.id in live.fold or made.id in live.log.refused()
                assert decided or live.fold.judge(made) is None, "what waits lacks a parent"
    stored = {row.id for rows in store._journals.values() for row in rows} | set(store._by_id)
    for answer in simulation.answers:
        if isinstance(answer, BaseException):
            assert isinstance(answer, TicketSyncError | asyncio.CancelledError), answer
        elif isinstance(answer, Transitioned):
            assert answer.transition in stored
        elif isinstance(answer, Posted):
            assert answer.message in stored
        elif isinstance(answer, list):
            said = [each for each in answer if isinstance(each, Ingested)]
            assert all(each.message in stored for each in said if each.status in {"accepted", "duplicate"})
    await again.stop()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_what_was_acknowledged_is_in_the_store_and_the_store_loads(seed):
    simulation = Simulation(seed)
    await simulation.run()
    await check(simulation)
