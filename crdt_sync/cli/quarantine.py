"""`crdt-sync admin quarantine`: what was refused and kept for inspection."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from crdt_sync.cli.ticket import SharedOptions
from crdt_sync.documents.updates import decode
from crdt_sync.domain.lifecycle.node import escaped
from crdt_sync.errors import CallerError, Malformed, NotFound
from crdt_sync.server import bootstrap, database

LISTED = 50  # a screen; --limit shows more

app = typer.Typer(name="quarantine", cls=SharedOptions, help="Look at what was refused.", no_args_is_help=True)


@app.command("list")
def list_(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = LISTED,
) -> None:
    """List what is kept: number, time, code, size, actor and document."""

    async def work() -> None:
        async with database.opened(context.obj.url) as store:
            for row in await store.quarantined(limit=limit):
                at = datetime.fromtimestamp(row.at_ms / 1000, UTC).isoformat(timespec="seconds")
                words = (row.code, f"{row.size_bytes} bytes", row.actor, row.document)
                typer.echo("  ".join([str(row.id), at, *map(escaped, words)]))

    bootstrap.run(work())


@app.command()
def show(context: typer.Context, id: Annotated[int, typer.Argument(help="The number that `list` shows.")]) -> None:  # noqa: A002
    """Print one as JSON: who sent it where, its bytes in hexadecimal, and what they decode to."""

    async def work() -> None:
        async with database.opened(context.obj.url) as store:
            row = await store.quarantined_one(id)
        if row is None:
            raise NotFound(f"There is no {id} in quarantine.", advice="`crdt-sync admin quarantine list` shows all.")
        told = {**asdict(row), "data": row.data.hex(), "update": _decoded(row.data)}
        typer.echo(json.dumps(told, indent=2, default=repr))

    bootstrap.run(work())


@app.command()
def drop(
    context: typer.Context,
    ids: Annotated[list[int] | None, typer.Argument(help="Numbers that `list` shows.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Drop all of it.")] = False,
) -> None:
    """Forget some of it, or all."""
    if bool(ids) == everything:
        raise Malformed("Nothing says what to drop.", code="drop", advice="Give numbers, or --all.")

    async def work() -> None:
        async with database.opened(context.obj.url) as store:
            count = await store.drop_quarantined(None if everything else ids)
        typer.echo(f"{count} dropped.")

    bootstrap.run(work())


def _decoded(data: bytes) -> object:
    """Return the structs and deletions of an update, or why the bytes are none."""
    try:
        update = decode(data)
    except CallerError as error:
        return f"{error.code}: {error.message}"
    return {"structs": [item._asdict() for item in update.structs], "deletes": [list(d) for d in update.deletes]}
