"""`crdt-sync gateway`: what a gateway took and could not bring to the service. Both may run meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from crdt_sync.adapters.clock import SystemClock
from crdt_sync.cli.ticket import SharedOptions
from crdt_sync.domain.lifecycle.node import escaped
from crdt_sync.errors import Malformed, NotFound
from crdt_sync.server import bootstrap
from crdt_sync.server.settings import load
from gateway.inbox import Inbox
from gateway.media_queue import MediaQueue

LISTED = 50  # a screen; --limit shows more
ALL = 1_000_000_000

app = typer.Typer(
    name="dead-letters", cls=SharedOptions, help="Look after callbacks that were set aside.", no_args_is_help=True
)
gateway = typer.Typer(name="gateway", help="Look after a chat gateway.", no_args_is_help=True)
gateway.add_typer(app)
contents = typer.Typer(
    name="refused-contents",
    cls=SharedOptions,
    help="Look after pictures and files that were refused.",
    no_args_is_help=True,
)
gateway.add_typer(contents)

Ids = Annotated[list[int] | None, typer.Argument(help="Ids that `list` shows.")]
Data = Annotated[Path | None, typer.Option(help="Directory of the inbox. [default: `gateway` in that of the service]")]
Code = Annotated[str | None, typer.Option(help="All that were set aside for this reason.")]


@app.callback()
def dead_letters(
    context: typer.Context,
    *,
    data: Data = None,
) -> None:
    """Keep where the inbox is."""
    context.obj = _path(data)


@app.command("list")
def list_(
    context: typer.Context,
    *,
    code: Code = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the oldest first.")] = LISTED,
) -> None:
    """List callbacks: id, when it came, account, why it was set aside, how many bytes it has, by which spec if any.

    Below stands how many wait to be forwarded, for the first time or again.
    """

    async def work() -> None:
        async with _opened(context.obj) as inbox:
            found, waiting = await inbox.dead(code=code, limit=limit), await inbox.waiting_count()
            for one in found:
                at = datetime.fromtimestamp(one.received_at_ms / 1000, UTC).isoformat(timespec="seconds")
                spec = f"  {one.spec}" if one.spec is not None else ""
                typer.echo(f"{one.id}  {at}  {one.account}  {escaped(one.code)}  {len(one.raw)}{spec}")
        if waiting:
            typer.echo(f"{waiting} to be forwarded still: what fails comes into this list.", err=True)

    bootstrap.run(work())


@app.command()
def show(context: typer.Context, id_: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """Print what a callback says, customers' words among it, with what would move the terminal escaped."""

    async def work() -> None:
        async with _opened(context.obj) as inbox:
            found = [one for one in await inbox.dead(limit=ALL) if one.id == id_]
        if not found:
            raise _unknown([id_])
        typer.echo(escaped(found[0].raw.decode(errors="replace")))

    bootstrap.run(work())


@app.command()
def replay(context: typer.Context, ids: Ids = None, *, code: Code = None) -> None:
    """Have callbacks forwarded again; a gateway that runs begins within a minute."""
    if bool(ids) == bool(code):
        raise Malformed("Which ones?", code="ids", advice="Give their ids, or the code of all of them.")

    async def work() -> int:
        async with _opened(context.obj) as inbox:
            chosen = ids or [one.id for one in await inbox.dead(code=code, limit=ALL)]
            unknown = await inbox.replay(chosen)
        if unknown:
            raise _unknown(unknown)
        return len(chosen)

    count = bootstrap.run(work())
    typer.echo(f"{count} to be forwarded again.")
    tell_where_to_look(count)


@contents.callback()
def refused_contents(context: typer.Context, *, data: Data = None) -> None:
    """Keep where the inbox is."""
    dead_letters(context, data=data)


@contents.command("list")
def list_refused(context: typer.Context) -> None:
    """Say for which reasons contents were refused, and how many for each."""

    async def work() -> None:
        async with _opened(context.obj) as inbox:
            for code, count in sorted((await MediaQueue(inbox.file).refused()).items()):
                typer.echo(f"{escaped(code)}  {count}")

    bootstrap.run(work())


@contents.command()
def again(
    context: typer.Context, code: Annotated[str, typer.Argument(help="Why they were refused, as `list` says.")]
) -> None:
    """Have contents fetched again; a gateway that runs begins within a minute."""

    async def work() -> int:
        async with _opened(context.obj) as inbox:
            return await MediaQueue(inbox.file).again(code, SystemClock().now_ms())

    typer.echo(f"{bootstrap.run(work())} to be fetched again.")


def tell_where_to_look(count: int) -> None:
    """Say when and where it is seen what has become of callbacks that are forwarded again."""
    if count:
        typer.echo(
            "A gateway that runs begins within a minute; what fails again is counted as `forward.dead`, and listed by "
            "`crdt-sync gateway dead-letters list`, which says until then how many wait.",
            err=True,
        )


def opened_inbox(data: Path | None) -> AbstractAsyncContextManager[Inbox]:
    """The inbox of a gateway, which may run meanwhile; None is where that of this machine's service is."""
    return _opened(_path(data))


def _path(data: Path | None) -> Path:
    return (data or load().data / "gateway") / "inbox.db"


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[Inbox]:
    if not await asyncio.to_thread(path.exists):
        raise NotFound(f"There is no inbox at {path}.", advice="Say where it is: --data.")
    inbox = Inbox(path, spool_rows_max=1)
    await inbox.open()
    try:
        yield inbox
    finally:
        await inbox.close()


def _unknown(ids: Sequence[int]) -> NotFound:
    listed = ", ".join(map(str, ids[:10]))
    return NotFound(f"Not set aside: {listed}.", advice="`crdt-sync gateway dead-letters list` shows all.")
