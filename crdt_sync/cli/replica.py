"""`crdt-sync replica`: how a replica stands, syncing it until it is done, and starting it anew."""

from pathlib import Path
from typing import Annotated

import typer

from crdt_sync.cli.ticket import SharedOptions, place, run
from crdt_sync.domain.lifecycle.node import escaped
from crdt_sync.replica import Replica, Status

SETTLE_S = 30.0

app = typer.Typer(name="replica", cls=SharedOptions, help="Look after a replica of tickets.", no_args_is_help=True)
app.callback()(place)


@app.command()
def status(context: typer.Context) -> None:
    """Show what is pending, what was refused and why, and which documents the service has closed."""

    async def work() -> None:
        async with context.obj.replica() as replica:
            _print(await replica.status())

    run(work())


@app.command()
def sync(
    context: typer.Context,
    *,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds until this gives up with exit code 1.")] = SETTLE_S,
) -> None:
    """Sync until both sides have the same."""

    async def work() -> None:
        async with context.obj.replica(sync=False) as replica:
            await replica.synced(timeout)
            _print(await replica.status())

    run(work())


@app.command()
def reset(
    context: typer.Context,
    *,
    export: Annotated[Path | None, typer.Option(help="A new file for what the service lacks.")] = None,
) -> None:
    """Drop the local copy and start again; what the service may lack goes into a JSON-lines file first."""

    async def work() -> None:
        async with context.obj.replica() as replica:
            await _reset(replica, export)

    run(work())


async def _reset(replica: Replica, export: Path | None) -> None:
    path = await replica.reset(export)
    typer.echo(f"The local copy is dropped; what may not have been delivered is in {path}.")


def _print(status: Status) -> None:
    problem = f" ({escaped(f'{status.problem.code}: {status.problem.message}')})" if status.problem else ""
    typer.echo(f"{status.actor} of {status.department}: {status.connection.value}{problem}")
    typer.echo(f"{status.tickets} tickets, {status.settled} of {status.documents} documents in sync")
    for ticket, entry in status.undelivered:
        state = f"refused ({entry.code})" if entry.code else "pending"
        typer.echo(f"{ticket[:12]}  {state}: {entry.label}  {entry.id}")
        if entry.code:
            typer.echo(f"  to do it again: crdt-sync ticket again {ticket[:12]} {entry.id}")
    for document, closed in status.closed.items():
        typer.echo(f"{document}  closed ({escaped(closed.code)}): {escaped(closed.message)}")
    for alarm in status.alarms:
        typer.echo(f"{alarm.ticket[:12]}  diverged: the service reads the same history otherwise; tell its operator.")
        for side, told in (("here", alarm.replica), ("service", alarm.service)):
            typer.echo(f"  {side}:")
            typer.echo("".join(f"    {escaped(line)}\n" for line in told.explanation.splitlines()), nl=False)
