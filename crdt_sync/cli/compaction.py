"""`crdt-sync admin compact` and `verify`: make a database small, and prove it anew."""

from typing import Annotated

import typer

from crdt_sync.adapters import lifecycle_files
from crdt_sync.adapters.clock import SystemClock, SystemIds
from crdt_sync.cli.admin import EXIT_FOUND
from crdt_sync.domain.lifecycle.node import escaped
from crdt_sync.errors import NotFound, Unavailable
from crdt_sync.ports import Store, StoreConflict, StoreDamaged, StoreUnavailable
from crdt_sync.server import bootstrap, database
from crdt_sync.server.settings import Settings
from crdt_sync.service.compaction import NotProven
from crdt_sync.service.compaction import compact as compact_document
from crdt_sync.service.verify import verify as verify_store

app = typer.Typer()


@app.command()
def compact(
    context: typer.Context,
    *,
    document: Annotated[str | None, typer.Option(help="Only this document, by its name.")] = None,
) -> None:
    """Put proven snapshots in the place of log rows, also beside a running service: each is one short transaction.

    A snapshot that is not proven removes nothing, is told, and makes the exit code 1.
    """
    bootstrap.run(_compact(context.obj, document))


@app.command()
def verify(context: typer.Context) -> None:
    """Prove the whole database anew; exit 1 if something does not hold. A warning is no fault: nothing was damaged.

    Run it on a backup, or while no service writes: what is written meanwhile may look like a fault.
    """
    bootstrap.run(_verify(context.obj))


async def _compact(settings: Settings, document: str | None) -> None:
    try:
        async with database.opened(settings.url) as store:
            if document is not None and await _is_unknown(store, document):
                raise NotFound(f"There is no document {document[:80]!r}.", code="unknown_document")
            documents = rows = failures = 0
            after = ""
            while names := [document] if document is not None else await store.documents(after=after):
                for name in names:
                    removed = await _compact_one(store, name)
                    failures += removed is None
                    documents, rows = documents + bool(removed), rows + (removed or 0)
                if document is not None:
                    break
                after = names[-1]
    except StoreUnavailable as error:
        raise Unavailable(f"The database does not answer: {error}.", advice="What was done stays done.") from error
    typer.echo(f"{documents} documents were compacted, and {rows} updates removed.")
    if failures:
        raise typer.Exit(EXIT_FOUND)


async def _compact_one(store: Store, name: str) -> int | None:
    """Compact a document as far as it goes; return how many rows that removed, None if something was not proven."""
    ids, rows = SystemIds(SystemClock()), 0
    while True:
        try:
            done = await compact_document(store, name, ids)
        except StoreConflict:
            return rows  # a running service has just done it
        except (NotProven, StoreDamaged) as error:
            typer.echo(escaped(f"{name}: {error}"), err=True)
            return None
        if done is None:
            return rows
        rows += done.rows


async def _is_unknown(store: Store, name: str) -> bool:
    return (await store.document(name)).document_position == 0


async def _verify(settings: Settings) -> None:
    count = warnings = 0
    try:
        async with database.opened(settings.url) as store:
            ids = SystemIds(SystemClock())
            async for fault in verify_store(store, store.inspector(), lifecycle_files.load_accepted, ids):
                count, warnings = count + fault.is_damage, warnings + (not fault.is_damage)
                mark = "" if fault.is_damage else "warning: "
                typer.echo(escaped(f"{mark}{fault.where}: {fault.what}. {fault.advice}"))
    except StoreUnavailable as error:
        raise Unavailable(f"The database does not answer: {error}.", advice="Restore a backup.") from error
    if count:
        typer.echo(f"{count} faults.")
        raise typer.Exit(EXIT_FOUND)
    typer.echo(f"Everything holds, with warnings: {warnings}." if warnings else "Everything holds.")
