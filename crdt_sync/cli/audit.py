"""`crdt-sync admin audit`: what was refused, to whom, how often."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from crdt_sync.domain.ids import ActorId
from crdt_sync.ports.operator import Refusal, RefusalFilter
from crdt_sync.server import bootstrap, database
from crdt_sync.server.keys import SUBJECT_KEY_FILE, local_secret
from crdt_sync.service.audit import digest_of

app = typer.Typer()


@app.command()
def audit(
    context: typer.Context,
    *,
    actor: Annotated[str | None, typer.Option(help="Only of this person.")] = None,
    code: Annotated[str | None, typer.Option(help="Only with this code.")] = None,
    address: Annotated[str | None, typer.Option(help="Only from this address; the record holds its digest.")] = None,
    count: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many rows at most.")] = 100,
) -> None:
    """Print what was refused, the newest first: time of the last, how often, code, wire, what, who, from where."""
    source = None
    if address is not None:
        source = digest_of(address, local_secret(context.obj.data / SUBJECT_KEY_FILE))
    where = RefusalFilter(actor=ActorId(actor) if actor is not None else None, code=code, source=source)
    for refusal in bootstrap.run(_refusals(context.obj.url, where, count)):
        typer.echo(_line(refusal))


async def _refusals(url: str, where: RefusalFilter, limit: int) -> Sequence[Refusal]:
    async with database.opened(url) as store:
        return await store.refusals(where, limit=limit)


def _line(refusal: Refusal) -> str:
    """What callers chose is quoted, so that it says nothing to a terminal."""
    when = datetime.fromtimestamp(refusal.last_ms / 1000, UTC).isoformat(timespec="seconds")
    who = f"{refusal.actor!a} of {refusal.department!a}" if refusal.actor else "nobody known"
    place = f" from {refusal.source}" if refusal.source else ""
    return f"{when} {refusal.count}x {refusal.code} {refusal.wire} {refusal.subject!a} {who}{place}"
