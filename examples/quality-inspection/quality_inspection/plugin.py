"""The plugin: follows conversations in a replica, and notes on their tickets what the rules find."""

import asyncio
from collections.abc import Mapping

import grpc
import structlog

from crdt_sync.replica import Replica, Ticket
from crdt_sync.rpc.ticketsync.v1 import tickets_pb2
from crdt_sync.rpc.ticketsync.v1.tickets_pb2_grpc import TicketServiceStub
from gateway.plugins.api import API_VERSION, Answer, Context, Refusal, TryLater
from gateway.plugins.connector import Connector
from quality_inspection.rules import Finding, Rules, Said, forbidden_word, inspect

REOPEN_S = 1_800  # a replica keeps the token that it was opened with, and a fresh one may be there

_log = structlog.get_logger(__name__)


class QualityPlugin:
    """Version 1; its options are `forbidden` and `greetings`, words with commas between, `answer_s` and `refuse`."""

    api_version = API_VERSION

    def __init__(self, context: Context) -> None:
        self._context = context
        options = context.options
        self._rules = Rules(_words(options, "forbidden"), _words(options, "greetings"), int(options.get("answer_s", 0)))
        self._refuses = bool(options.get("refuse", False))
        self._noted: set[str] = set()

    async def on_answer(self, answer: Answer) -> Refusal | None:
        """Refuse a part with a forbidden word, if that is wanted."""
        if self._refuses and forbidden_word(answer.text, self._rules) is not None:
            return Refusal("forbidden_word")
        return None

    async def run(self) -> None:
        """Inspect every conversation, and each again that changes."""
        context = self._context
        while True:
            scheme = "grpc" if context.core_certificate is None else "grpcs"
            connector = Connector(
                context.core, TicketServiceStub, certificate=context.core_certificate, token=context.token
            )
            opening = Replica.open(context.data / "replica.db", url=f"{scheme}://{context.core}", token=context.token())
            async with connector as core, opening as replica:
                try:
                    async with asyncio.timeout(REOPEN_S) as lasting:
                        await self._follow(core, replica)
                except TimeoutError:
                    if not lasting.expired():
                        raise

    async def _follow(self, core: Connector[TicketServiceStub], replica: Replica) -> None:
        changed: asyncio.Queue[str] = asyncio.Queue()

        async def hear() -> None:
            async for change in replica.changes():
                changed.put_nowait(change.ticket)

        async with asyncio.TaskGroup() as group:
            group.create_task(hear())
            await asyncio.sleep(0)  # it hears from here on; what was there before is listed
            for ticket in await replica.tickets():
                changed.put_nowait(ticket.id)
            while True:
                await self._inspect(core, replica, await replica.ticket(await changed.get()))

    async def _inspect(self, core: Connector[TicketServiceStub], replica: Replica, ticket: Ticket) -> None:
        if ticket.lifecycle is None:
            return
        own = [lane.id for lane in ticket.lifecycle.lanes.values() if lane.owner == replica.principal.department]
        said = [
            Said(each.id, "customer" if each.kind == "customer" else "agent", each.at, _text(each.parts))
            for each in ticket.messages
            if each.kind in {"customer", "agent"}
        ]
        for finding in inspect(said, self._rules) if own else ():
            await self._note(core, ticket.id, own[0], finding)

    async def _note(self, core: Connector[TicketServiceStub], ticket: str, lane: str, finding: Finding) -> None:
        """Write a finding down, for as long as it takes. One that the ticket does not take is counted."""
        id_ = f"quality-{finding.rule}-{finding.message}"
        request = tickets_pb2.UpdateFormRequest(id=ticket, lane=lane, note=f"Quality: {finding.note}", request_id=id_)
        while id_ not in self._noted:
            try:
                await core.call(lambda stub: stub.UpdateForm, request)
            except TryLater as later:
                await asyncio.sleep(later.delay_s)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                    raise
                _log.error("finding not noted", ticket=ticket, rule=finding.rule, code=error.code().name)
                self._context.count("not_noted")
                self._noted.add(id_)
            else:
                self._context.count(f"found.{finding.rule}")
                self._noted.add(id_)


def _words(options: Mapping[str, object], name: str) -> tuple[str, ...]:
    return tuple(word for each in str(options.get(name, "")).split(",") if (word := each.strip().lower()))


def _text(parts: tuple[Mapping[str, str], ...]) -> str:
    return "\n".join(part["text"] for part in parts if part["type"] == "text")
