"""`crdt-sync admin`: what an operator does with a database. A part of its own is a module with a nameless Typer.

`main` adds it with `admin.app.add_typer(part.app)`, so that its commands stand beside these. A command is told by
`context.obj`, the settings, which database it is for.
"""

from pathlib import Path
from typing import Annotated

import typer

from crdt_sync.cli.options import setting
from crdt_sync.cli.ticket import SharedOptions
from crdt_sync.server import bootstrap, database
from crdt_sync.server.settings import Settings, load

EXIT_FOUND = 1  # what was asked for was looked at, and is not as it should be

app = typer.Typer(name="admin", cls=SharedOptions, help="Look after the service's database.", no_args_is_help=True)


@app.callback()
def place(
    context: typer.Context,
    data: Annotated[Path | None, setting("data")] = None,
    database_url: Annotated[str | None, setting("database_url")] = None,
) -> None:
    """Take the options that all commands share."""
    context.obj = load(data=data, database_url=database_url)


@app.command()
def migrate(
    context: typer.Context,
    *,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if there is something to do.")] = False,
) -> None:
    """Bring the schema up to date, as the service does when it starts."""
    with database.held(context.obj.url):
        bootstrap.run(_migrate(context.obj, check=check))


async def _migrate(settings: Settings, *, check: bool) -> None:
    before = await database.schema(settings.url)
    if before.is_newest:
        typer.echo(f"The schema is {before.newest}, the newest.")
    elif check:
        typer.echo(f"The schema is {before.current or 'none'}, and the newest is {before.newest}.")
        raise typer.Exit(EXIT_FOUND)
    else:
        store = await database.open_store(settings.url)
        await store.close()
        typer.echo(f"The schema was {before.current or 'none'} and is {before.newest}, the newest.")
