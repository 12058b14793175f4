"""The plugin between a CRM and a ticket service that follows a script."""

import asyncio
from collections import Counter, deque
from contextlib import asynccontextmanager

import grpc
import pytest
from example_crm import crm_pb2 as pb
from example_crm.crm_pb2_grpc import CrmServiceStub
from example_crm.plugin import CrmPlugin
from example_crm.server import serving
from google.protobuf.struct_pb2 import Struct

from crdt_sync.errors import Conflict
from crdt_sync.rpc.status import abort
from crdt_sync.rpc.ticketsync.v1 import tickets_pb2, tickets_pb2_grpc
from gateway.plugins.api import Context, Event, TryLater
from tests.replica.loopback import until

AWAY = grpc.StatusCode.UNAVAILABLE


class Tickets(tickets_pb2_grpc.TicketServiceServicer):
    """One ticket `t`. A request's id has its first effect alone; `failures` come after it, as a lost answer does."""

    def __init__(self):
        self.made, self.failures, self.refusal = {}, deque(), None

    async def Get(self, request, context):  # noqa: N802
        if request.id != "t":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such ticket")
        card = Struct()
        card.update({"title": "Fibre", "customer": "Chen"})
        ticket = tickets_pb2.Ticket(id="t", stage="presale", version="v1", position=1, card=card)
        return tickets_pb2.GetResponse(ticket=ticket)

    async def Transition(self, request, context):  # noqa: N802
        if self.refusal is not None:
            await abort(context, self.refusal)
        self.made.setdefault(request.request_id, (request.lane, request.name, request.seen, dict(request.payload)))
        if self.failures:
            await context.abort(self.failures.popleft(), "scripted")
        return tickets_pb2.TransitionResponse()


class Office:
    def __init__(self, plugin, tickets, crm, counted):
        self.plugin, self.tickets, self.crm, self.counted = plugin, tickets, crm, counted

    async def heard(self, ticket="t", type_="opened"):
        await self.plugin.on_event(Event(1, type_, ticket, "now", {}))

    async def set(self, status, amount=""):
        await self.crm.SetStatus(pb.SetStatusRequest(ticket="t", status=status, amount=amount, key=status))


@pytest.fixture
async def office(tmp_path):
    server, tickets, counted = grpc.aio.server(), Tickets(), Counter()
    tickets_pb2_grpc.add_TicketServiceServicer_to_server(tickets, server)
    core = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    async with serving(tmp_path / "crm.db") as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        options = {"crm": f"127.0.0.1:{port}", "status.quoted": "sales.quote"}
        count = lambda name: counted.update([name])  # noqa: E731
        context = Context("crm", tmp_path, core, None, options, token=lambda: "token", secret=str, count=count)
        yield Office(CrmPlugin(context), tickets, CrmServiceStub(channel), counted)
    await server.stop(None)


@asynccontextmanager
async def running(plugin):
    task = asyncio.create_task(plugin.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_event_brings_the_customer_and_no_change(office):
    await office.heard()
    await office.heard("another", "transitioned")
    await office.heard(type_="message")
    (shown,) = (await office.crm.List(pb.ListRequest())).customers
    assert ("Fibre", "Chen", "presale", "v1", "") == (
        shown.title,
        shown.name,
        shown.stage,
        shown.version,
        shown.status,
    )


async def test_change_becomes_one_transition_though_the_answer_was_lost(office):
    await office.heard()
    office.tickets.failures.extend([AWAY] * 4)
    async with running(office.plugin):
        await office.set("quoted", "99.50")
        await until(lambda: office.counted["changes.done"] == 1)
    assert {"crm-change-1": ("sales", "quote", "v1", {"price": "99.50"})} == office.tickets.made
    assert 1 <= office.counted["changes.later"], "it was tried again by the plugin, and not by gRPC alone"


async def test_refused_change_and_one_without_a_transition_are_settled_with_their_codes(office):
    await office.heard()
    office.tickets.refusal = Conflict("The ticket has moved on.", code="moved")
    async with running(office.plugin):
        for status in ("quoted", "unheard_of"):
            await office.set(status)
        await until(lambda: office.counted["changes.refused"] == 2)
    changes = [
        await office.crm.SetStatus(pb.SetStatusRequest(ticket="t", status=status, key=status))
        for status in ("quoted", "unheard_of")
    ]
    assert ["moved", "no_transition"] == [change.outcome for change in changes]


async def test_event_waits_for_a_crm_that_is_away(tmp_path, office):
    away = CrmPlugin(
        Context("crm", tmp_path, office.plugin._context.core, None, {"crm": "127.0.0.1:1"}, token=str, secret=str)
    )
    with pytest.raises(TryLater):
        await away.on_event(Event(1, "opened", "t", "now", {}))
