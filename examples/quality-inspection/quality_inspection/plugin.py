"""The plugin: follows conversations in a replica, and notes on their tickets what the rules find."""

import asyncio
from collections.abc import Mapping
from contextlib import closing

import grpc
import structlog

from crdt_sync.replica import Replica, Ticket
from crdt_sync.rpc.ticketsync.v1 import tickets_pb2
from crdt_sync.rpc.ticketsync.v1.tickets_pb2_grpc import TicketServiceStub
from gateway.plugins.api import API_VERSION, Answer, Context, Refusal, TryLater
from gateway.plugins.connector import Connector
from quality_inspection.marks import Marks
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

    async def on_answer(self, answer: Answer) -> Refusal | None:
        """Refuse a part with a forbidden word, if that is wanted."""
        if self._refuses and forbidden_word(answer.text, self._rules) is not None:
            return Refusal("forbidden_word")
        return None

    async def run(self) -> None:
        """Inspect every conversation, and what is new in each that changes."""
        context = self._context
        with closing(Marks(context.data / "marks.db", self._rules)) as marks:
            while True:
                await self._opened(marks)

    async def _opened(self, marks: Marks) -> None:
        """Work for half an hour with one token."""
        context = self._context
        scheme = "grpc" if context.core_certificate is None else "grpcs"
        certificate, token = context.core_certificate, context.token
        connector = Connector(context.core, TicketServiceStub, certificate=certificate, token=token)
        opening = Replica.open(context.data / "replica.db", url=f"{scheme}://{context.core}", token=token())
        async with connector as core, opening as replica:
            try:
                async with asyncio.timeout(REOPEN_S) as lasting:
                    await self._follow(core, replica, marks)
            except TimeoutError:
                if not lasting.expired():
                    raise

    async def _follow(self, core: Connector[TicketServiceStub], replica: Replica, marks: Marks) -> None:
        waiting: dict[str, None] = {}  # in order, and each ticket once, however often it changes meanwhile
        news = asyncio.Event()

        async def hear() -> None:
            async for change in replica.changes():
                waiting[change.ticket] = None
                news.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(hear())
            await asyncio.sleep(0)  # it hears from here on; what was there before is listed
            waiting.update((ticket.id, None) for ticket in await replica.tickets())
            while True:
                while waiting:
                    del waiting[id_ := next(iter(waiting))]
                    await self._inspect(core, replica, await replica.ticket(id_), marks)
                await news.wait()
                news.clear()

    async def _inspect(
        self, core: Connector[TicketServiceStub], replica: Replica, ticket: Ticket, marks: Marks
    ) -> None:
        """Inspect what came after the last answer that was inspected."""
        if ticket.lifecycle is None:
            return
        own = [lane.id for lane in ticket.lifecycle.lanes.values() if lane.owner == replica.principal.department]
        if not own:
            return
        messages = [each for each in ticket.messages if each.kind in {"customer", "agent"}]
        done = marks.done(ticket.id, [each.id for each in messages])
        said = [
            Said(each.id, "customer" if each.kind == "customer" else "agent", each.at, _text(each.parts))
            for each in messages[done:]
        ]
        for finding in inspect(said, self._rules, is_first=not done):
            await self._note(core, ticket.id, own[0], finding)
        answers = [number for number, each in enumerate(said, done + 1) if each.by == "agent"]
        if answers:
            marks.put(ticket.id, answers[-1], messages[answers[-1] - 1].id)

    async def _note(self, core: Connector[TicketServiceStub], ticket: str, lane: str, finding: Finding) -> None:
        """Write a finding down, for as long as it takes. One that the ticket does not take is counted."""
        id_ = f"quality-{finding.rule}-{finding.message}"
        request = tickets_pb2.UpdateFormRequest(id=ticket, lane=lane, note=f"Quality: {finding.note}", request_id=id_)
        while True:
            try:
                await core.call(lambda stub: stub.UpdateForm, request)
            except TryLater as later:
                await asyncio.sleep(later.delay_s)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                    raise
                _log.error("finding not noted", ticket=ticket, rule=finding.rule, code=error.code().name)
                return self._context.count("not_noted")
            else:
                return self._context.count(f"found.{finding.rule}")


def _words(options: Mapping[str, object], name: str) -> tuple[str, ...]:
    return tuple(word for each in str(options.get(name, "")).split(",") if (word := each.strip().lower()))


def _text(parts: tuple[Mapping[str, str], ...]) -> str:
    return "\n".join(part["text"] for part in parts if part["type"] == "text")
