"""`crdt-sync admin audit` and `sign-ins`: what was refused, to whom, how often; and who came in."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from crdt_sync.domain.ids import ActorId
from crdt_sync.ports.operator import Refusal, RefusalFilter
from crdt_sync.ports.users import BrowserSession
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


@app.command()
def sign_ins(
    context: typer.Context,
    *,
    actor: Annotated[str | None, typer.Option(help="Only of this person.")] = None,
    count: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many rows at most.")] = 100,
) -> None:
    """Print who came in with a browser, the newest first: when, who, by which way, from where, until when."""
    for session in bootstrap.run(_sessions(context.obj.url, ActorId(actor) if actor is not None else None, count)):
        ended = "until" if session.ended_ms is None else "signed out"
        place = f" from {session.source}" if session.source else ""
        who = f"{session.actor!a} of {session.department!a}"
        last = _when(session.expires_ms if session.ended_ms is None else session.ended_ms)
        typer.echo(f"{_when(session.began_ms)} {who} by {session.way}{place}, {ended} {last}")


async def _sessions(url: str, actor: ActorId | None, limit: int) -> Sequence[BrowserSession]:
    async with database.opened(url) as store:
        return await store.sessions(actor, limit=limit)


async def _refusals(url: str, where: RefusalFilter, limit: int) -> Sequence[Refusal]:
    async with database.opened(url) as store:
        return await store.refusals(where, limit=limit)


def _line(refusal: Refusal) -> str:
    """What callers chose is quoted, so that it says nothing to a terminal."""
    who = f"{refusal.actor!a} of {refusal.department!a}" if refusal.actor else "nobody known"
    place = f" from {refusal.source}" if refusal.source else ""
    return f"{_when(refusal.last_ms)} {refusal.count}x {refusal.code} {refusal.wire} {refusal.subject!a} {who}{place}"


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
