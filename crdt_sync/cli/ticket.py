"""`crdt-sync ticket`: a person's command line over a replica. Works offline, and syncs when it can.

Each command opens the replica, gives the service a moment, acts, gives delivery a moment, and prints.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from crdt_sync.domain.lifecycle.explain import Language
from crdt_sync.domain.lifecycle.model import PayloadType
from crdt_sync.domain.message import Message
from crdt_sync.errors import Malformed, TicketSyncError, Unavailable
from crdt_sync.replica import Replica, Ticket
from crdt_sync.replica.view import text_of

EXIT_REFUSED = 1
WAIT_S = 3.0


class SharedOptions(TyperGroup):
    """A group whose own options may stand behind its commands' names, too: people write them last."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Put the group's options first. What follows `--` is text."""
        takes_value = {name: not getattr(option, "is_flag", False) for option in self.params for name in option.opts}
        own: list[str] = []
        others: list[str] = []
        rest = iter(args)
        for arg in rest:
            name, equals, _ = arg.partition("=")
            if arg == "--":
                others += [arg, *rest]
            elif name not in takes_value or name == "--help":
                others.append(arg)
            else:
                own += [arg] if equals or not takes_value[name] else [arg, *islice(rest, 1)]
        return super().parse_args(ctx, [*own, *others])


app = typer.Typer(
    name="ticket", cls=SharedOptions, help="Work on tickets, with or without a network.", no_args_is_help=True
)

File = Annotated[Path, typer.Option("--replica", envvar="CRDT_SYNC_REPLICA", help="The replica's file.")]
Url = Annotated[
    str | None, typer.Option(envvar="CRDT_SYNC_URL", help="The service: ws://HOST:PORT or grpc://HOST:PORT.")
]
Token = Annotated[
    str | None, typer.Option(envvar="CRDT_SYNC_TOKEN", help="Who you are; a replica remembers it for offline use.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Do not look for the service.")]
Wait = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for the service, before and after.")]
TicketId = Annotated[str, typer.Argument(metavar="TICKET", help="A ticket's id, or the beginning of one.")]
Lane = Annotated[str, typer.Argument(metavar="LANE")]
DEFAULT_FILE = Path("replica.db")


class Tongue(StrEnum):
    """Languages of explanations."""

    EN = "en"
    ZH = "zh"


@dataclass(frozen=True, slots=True)
class Place:
    """Which replica, and which service."""

    file: Path
    url: str | None
    token: str | None
    offline: bool
    wait_s: float

    @asynccontextmanager
    async def replica(self, *, sync: bool = True) -> AsyncIterator[Replica]:
        """Open the replica; with a service, wait for it to be in sync, or go on with a word if it is not in time."""
        async with Replica.open(self.file, url=None if self.offline else self.url, token=self.token) as replica:
            if sync and self.url is not None and not self.offline:
                try:
                    await replica.synced(self.wait_s)
                except Unavailable as error:
                    typer.echo(f"{error.message} Showing what is kept here.", err=True)
            yield replica


def place(
    context: typer.Context,
    file: File = DEFAULT_FILE,
    url: Url = None,
    token: Token = None,
    *,
    offline: Offline = False,
    wait: Wait = WAIT_S,
) -> None:
    """Take the options that all commands share."""
    context.obj = Place(file, url, token, offline, wait)


app.callback()(place)


def run(work: Awaitable[None]) -> None:
    """Run a command; an error of ours is one sentence, its advice, and exit code 1."""

    async def whole() -> None:
        await work

    try:
        asyncio.run(whole())
    except TicketSyncError as error:
        typer.echo(f"{error.message}{f' {error.advice}' if error.advice else ''} [{error.code}]", err=True)
        raise typer.Exit(EXIT_REFUSED) from error


@app.command(name="open")
def open_(
    context: typer.Context,
    title: Annotated[str, typer.Argument(metavar="TITLE")],
    *,
    subject: Annotated[str | None, typer.Option(help="What the ticket is about, once for ever.")] = None,
) -> None:
    """Open a ticket and print its id."""

    async def work() -> None:
        async with context.obj.replica() as replica:
            ticket = await replica.open_ticket(title=title, subject=subject)
            typer.echo(ticket.id)
            await _deliver(context.obj, replica, ticket, ticket.id)

    run(work())


@app.command(name="list")
def list_(context: typer.Context) -> None:
    """List the tickets that are kept here."""

    async def work() -> None:
        async with context.obj.replica() as replica:
            for ticket in await replica.tickets():
                marks = [f"{len(ticket.pending)} pending"] if ticket.pending else []
                marks += [f"{len(ticket.refused)} refused"] if ticket.refused else []
                title = f"{ticket.title}  ({', '.join(marks)})" if marks else ticket.title
                typer.echo(f"{ticket.id[:12]}  {ticket.stage or ticket.code:<18}  {title}")

    run(work())


@app.command()
def show(context: typer.Context, ticket: TicketId) -> None:
    """Show a ticket: its card, its lanes, what is owed, the forms and the conversation as far as you may read them."""
    _look(context, ticket, _show)


@app.command()
def explain(
    context: typer.Context, ticket: TicketId, *, language: Annotated[Tongue, typer.Option()] = Tongue.EN
) -> None:
    """Say in sentences why a ticket is where it is."""
    spoken: Language = "zh" if language is Tongue.ZH else "en"
    _look(context, ticket, lambda shown: list(shown.explain(spoken)) or [f"Nothing is known yet ({shown.code})."])


@app.command()
def do(
    context: typer.Context,
    ticket: TicketId,
    lane: Lane,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    *,
    payload: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeat for each field.")] = None,
) -> None:
    """Make a transition."""

    async def act(chosen: Ticket) -> str:
        return await chosen.do(lane, name, _payload(chosen, lane, name, _pairs(payload or [])))

    _act(context, ticket, act)


@app.command()
def again(
    context: typer.Context, ticket: TicketId, entry: Annotated[str, typer.Argument(metavar="ID", help="Its id.")]
) -> None:
    """Do again what was refused, after what the ticket shows now; `crdt-sync replica status` lists it."""

    async def act(chosen: Ticket) -> str:
        return await chosen.again(entry)

    _act(context, ticket, act)


@app.command()
def say(context: typer.Context, ticket: TicketId, text: Annotated[str, typer.Argument(metavar="TEXT")]) -> None:
    """Answer the customer."""

    async def act(chosen: Ticket) -> str:
        return await chosen.say(text)

    _act(context, ticket, act)


@app.command(name="set")
def set_(
    context: typer.Context, ticket: TicketId, fields: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...")]
) -> None:
    """Change fields of the card; an empty value removes one."""

    async def act(chosen: Ticket) -> None:
        await chosen.set({key: value or None for key, value in _pairs(fields).items()})

    _act(context, ticket, act)


@app.command()
def take(context: typer.Context, ticket: TicketId, lane: Lane) -> None:
    """Take a lane of your department; `explain` says who has it, and who else took it at the same time."""

    async def act(chosen: Ticket) -> None:
        await chosen.take(lane)

    _act(context, ticket, act)


@app.command()
def note(
    context: typer.Context, ticket: TicketId, lane: Lane, text: Annotated[str, typer.Argument(metavar="TEXT")]
) -> None:
    """Add a line to the notes of a lane's form."""

    async def act(chosen: Ticket) -> None:
        await chosen.note(lane, text)

    _act(context, ticket, act)


def _look(context: typer.Context, id_: str, lines: Callable[[Ticket], list[str]]) -> None:
    async def work() -> None:
        async with context.obj.replica() as replica:
            for line in lines(await replica.ticket(id_)):
                typer.echo(line)

    run(work())


def _act(context: typer.Context, id_: str, act: Callable[[Ticket], Awaitable[str | None]]) -> None:
    async def work() -> None:
        async with context.obj.replica() as replica:
            ticket = await replica.ticket(id_)
            entry = await act(ticket)
            await _deliver(context.obj, replica, ticket, entry)
            typer.echo(f"{ticket.title or ticket.id}: {ticket.stage or ticket.code}.")

    run(work())


async def _deliver(where: Place, replica: Replica, ticket: Ticket, entry: str | None) -> None:
    """Wait a moment for delivery and say what came of it."""
    delivered = False
    if where.url is not None and not where.offline:
        try:
            await replica.synced(where.wait_s)
            delivered = entry is None or await ticket.delivered(entry, where.wait_s)
        except Unavailable:
            pass  # what the next line says
    code = ticket.refused.get(entry or "")
    if code is not None:
        typer.echo(f"Refused by the service: {code}.", err=True)
        raise typer.Exit(EXIT_REFUSED)
    typer.echo("Delivered." if delivered else "Kept here; it goes out once the service answers.")


def _show(ticket: Ticket) -> list[str]:
    lines = [f"{ticket.title}  [{ticket.stage or ticket.code}]", ticket.id]
    lines += [f"  {key}: {value}" for key, value in ticket.card.items() if key != "title" and value is not None]
    lines += [f"{lane}: {state}" for lane, state in ticket.lanes.items()]
    for owed in ticket.state.obligations:
        lines += [f"owed by {lane}: {' or '.join(names)}" for lane, names in owed.owes.items()]
    for name in ticket.names:
        if name.part is not None and name.kind.value == "form":
            lines += [f"form {name.part}: {key} = {value}" for key, value in ticket.form(name.part).items()]
            lines += [f"note {name.part}: {line}" for line in ticket.notes(name.part).splitlines()]
    lines += [_spoken(posted) for posted in ticket.messages]
    for entry in ticket.undelivered:
        lines.append(f"{'refused (' + entry.code + ')' if entry.code else 'pending'}: {entry.label}  {entry.id}")
    return lines


def _spoken(posted: Message) -> str:
    return f"{posted.kind}: {text_of(posted)}"


def _pairs(fields: list[str]) -> dict[str, str]:
    pairs = [field.partition("=") for field in fields]
    if any(not (key and equals) for key, equals, _ in pairs):
        raise Malformed("A field reads KEY=VALUE.", code="field", advice="For example: --payload price=100.00")
    return {key: value for key, _, value in pairs}


def _payload(ticket: Ticket, lane: str, name: str, fields: dict[str, str]) -> dict[str, object] | None:
    """Return the fields with the types that the transition declares; None if there are none."""
    declared: dict[str, PayloadType] = {}
    if ticket.lifecycle is not None:
        for known in ticket.lifecycle.lanes.values():
            if known.id == lane and name in known.transitions:
                declared = dict(known.transitions[name].payload)
    return {
        key: int(value) if declared.get(key) == "integer" and value.lstrip("-").isdecimal() else value
        for key, value in fields.items()
    } or None
