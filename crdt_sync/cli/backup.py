"""`crdt-sync admin backup` and `restore`: a copy of the database while it is in use, and the way back to one."""

from pathlib import Path
from typing import Annotated

import typer

from crdt_sync.adapters.clock import SystemClock, SystemIds
from crdt_sync.server import backup as backups
from crdt_sync.server import bootstrap

app = typer.Typer()


@app.command()
def backup(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="A new file, which holds everything.")]
) -> None:
    """Copy the database to a file, also while the service runs; the copy is checked before it gets its name."""
    bootstrap.run(backups.back_up(context.obj.url, file))
    typer.echo(f"The backup is {file}.")


@app.command()
def restore(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="A file that `admin backup` wrote.")]
) -> None:
    """Put a backup in the place of the database; the service must not run.

    Clients drop their copies when they come back, and submit again what the backup lacks. What was taken from people
    since the backup stays taken.
    """
    clock = SystemClock()
    restored = bootstrap.run(backups.restore(context.obj.url, file, clock=clock, ids=SystemIds(clock)))
    epoch = restored.epoch
    typer.echo(f"{epoch.documents} documents were written anew; positions go on from {epoch.position}.")
    if epoch.unread is None:
        typer.echo("The replaced database could not be read to its end; copies of its documents may come back.")
    elif epoch.unread:
        typer.echo(f"{epoch.unread} documents of the replaced database could not be read; their copies may come back.")
    if not epoch.knows_access:
        typer.echo("Whatever `admin access` took since the backup is not known and given back; take it again.")
    if restored.aside is not None:
        typer.echo(f"The replaced database is {restored.aside}.")
