"""The plugin: events of tickets into the CRM, and changes of the CRM into transitions.

It keeps nothing: where it is in the events the gateway's side writes down, and what is not settled the CRM knows.
"""

import asyncio

import grpc
import structlog
from google.protobuf.struct_pb2 import Struct

from crdt_sync.rpc.status import code_of
from crdt_sync.rpc.ticketsync.v1 import tickets_pb2 as tickets
from crdt_sync.rpc.ticketsync.v1.tickets_pb2_grpc import TicketServiceStub
from example_crm import crm_pb2 as pb
from example_crm.crm_pb2_grpc import CrmServiceStub
from gateway.plugins.api import API_VERSION, Context, Event, TryLater
from gateway.plugins.connector import Connector

DONE = "done"
RETRY_S_MIN, RETRY_S_MAX = 0.2, 10.0
_OF_THE_CONVERSATION = frozenset({"message", "answered", "delivery"})  # they change nothing that the CRM shows

# The ticket's own word on a transition, which another attempt will not change.
_REFUSED = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
    }
)

_log = structlog.get_logger(__name__)


class CrmPlugin:
    """Version 1; its options are `crm`, HOST:PORT, and for each status `status.NAME = "lane.transition"`."""

    api_version = API_VERSION

    def __init__(self, context: Context) -> None:
        self._context = context
        certificate = context.core_certificate
        self._core = Connector(context.core, TicketServiceStub, certificate=certificate, token=context.token)
        self._crm = Connector(str(context.options["crm"]), CrmServiceStub)

    async def on_event(self, event: Event) -> None:
        """Bring the CRM what the ticket is now, which is no older than the event."""
        if event.type in _OF_THE_CONVERSATION:
            return
        try:
            found = await self._core.call(lambda stub: stub.Get, tickets.GetRequest(id=event.ticket))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:  # it is not for us to see any more
                return
            raise
        ticket = found.ticket
        await self._crm.call(
            lambda stub: stub.Upsert,
            pb.Customer(
                ticket=ticket.id,
                title=_text(ticket.card, "title"),
                name=_text(ticket.card, "customer"),
                stage=ticket.stage,
                version=ticket.version,
                position=ticket.position,
            ),
        )

    async def run(self) -> None:
        """Follow what people do in the CRM."""
        wait_s = RETRY_S_MIN
        async with self._core, self._crm:
            while True:
                try:
                    async for change in self._crm.stub().Changes(pb.ChangesRequest()):
                        await self._make(change)
                        wait_s = RETRY_S_MIN
                except (grpc.aio.AioRpcError, TryLater) as error:
                    _log.warning("changes of the CRM wait", reason=str(error)[:200])
                    self._context.count("changes.later")
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RETRY_S_MAX)

    async def _make(self, change: pb.Change) -> None:
        """Make a change's transition, unless that was done, and tell the CRM."""
        lane, _, name = str(self._context.options.get(f"status.{change.status}", "")).partition(".")
        outcome = await self._transition(change, lane, name) if name else "no_transition"
        await self._crm.call(lambda stub: stub.Settle, pb.SettleRequest(id=change.id, outcome=outcome))
        self._context.count("changes.done" if outcome == DONE else "changes.refused")

    async def _transition(self, change: pb.Change, lane: str, name: str) -> str:
        request = tickets.TransitionRequest(
            id=change.ticket, lane=lane, name=name, seen=change.seen, request_id=f"crm-change-{change.id}"
        )
        if change.amount:
            request.payload.update({"price": change.amount})
        try:
            await self._core.call(lambda stub: stub.Transition, request)
        except grpc.aio.AioRpcError as error:
            if error.code() not in _REFUSED:
                raise
            return code_of(error) or error.code().name.lower()
        return DONE


def _text(card: Struct, name: str) -> str:
    return card.fields[name].string_value if name in card.fields else ""
