"""`crdt-sync admin access`: take from a person what a token would still allow, and give it back.

A running service follows within two seconds, open connections included.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated

import typer

from crdt_sync.adapters.clock import SystemClock
from crdt_sync.domain.ids import ID_PATTERN, ActorId, Role, TicketId
from crdt_sync.domain.restriction import Restriction
from crdt_sync.errors import Malformed
from crdt_sync.ports.operator import StoredRestriction
from crdt_sync.server import bootstrap, database, keys

app = typer.Typer(name="access", help="Take access from people, and give it back.", no_args_is_help=True)

Person = Annotated[str, typer.Argument(help="The `sub` of the person's tokens.")]


@app.command()
def show(context: typer.Context) -> None:
    """List everybody from whom something was taken."""
    for stored in bootstrap.run(_restrictions(context.obj.url)):
        if stored.restriction != Restriction(stored.restriction.actor):
            typer.echo(f"{stored.restriction.actor}: {_described(stored.restriction)}")


@app.command()
def revoke(context: typer.Context, actor: Person) -> None:
    """Refuse a person everything until it is given back; open connections are closed."""
    _change(context, actor, revoked=True)


@app.command()
def sign_out(context: typer.Context, actor: Person) -> None:
    """Make void every token that a person got until now; a new one is good."""
    _change(context, actor, valid_from_ms=SystemClock().now_ms())


@app.command()
def limit(
    context: typer.Context,
    actor: Person,
    *,
    role: Annotated[list[str] | None, typer.Option(help="At most this role; may be repeated.")] = None,
    ticket: Annotated[list[str] | None, typer.Option(help="At most this ticket; may be repeated.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Nothing may be written.")] = False,
) -> None:
    """Leave a person at most what is named; what is not named stays as the token says."""
    wrong = [each for each in ticket or () if not ID_PATTERN.fullmatch(each)]
    if wrong:
        raise Malformed(f"{wrong[0]!r} is no ticket's id.", code="ticket", advice="An id has 52 characters of base32.")
    _change(
        context,
        actor,
        roles=tuple(map(Role, role)) if role else None,
        tickets=tuple(map(TicketId, ticket)) if ticket else None,
        read_only=read_only,
    )


@app.command()
def restore(context: typer.Context, actor: Person) -> None:
    """Give back what was taken; tokens that were made void stay so."""
    _change(context, actor, revoked=False, read_only=False, roles=None, tickets=None)


@app.command()
def rotate_key(
    context: typer.Context,
    *,
    keep_former: Annotated[
        bool, typer.Option("--keep-former", help="Tokens of the key before stay good until the next rotation.")
    ] = False,
) -> None:
    """Make a new development key; tokens of the one before end at once, open connections included."""
    keys.rotate_development_key(context.obj.data, keep_former=keep_former)
    typer.echo("There is a new development key; get new tokens from `crdt-sync token`.")


def _change(context: typer.Context, actor: str, **changes: object) -> None:
    restriction = bootstrap.run(_restrict(context.obj.url, actor, changes))
    typer.echo(f"{restriction.actor}: {_described(restriction)}")


async def _restrict(url: str, actor: str, changes: dict[str, object]) -> Restriction:
    amend = partial(replace, **changes)  # of its fields, which the commands above name
    async with database.opened(url) as store:
        return (await store.restrict(ActorId(actor), amend, SystemClock().now_ms())).restriction


async def _restrictions(url: str) -> Sequence[StoredRestriction]:
    async with database.opened(url) as store:
        return await store.restrictions()


def _described(restriction: Restriction) -> str:
    parts = [
        "everything is refused" if restriction.revoked else "",
        "nothing may be written" if restriction.read_only else "",
        f"roles at most {', '.join(restriction.roles)}" if restriction.roles is not None else "",
        f"tickets at most {', '.join(restriction.tickets)}" if restriction.tickets is not None else "",
        f"tokens from before {restriction.valid_from_ms} ms are void" if restriction.valid_from_ms else "",
    ]
    return "; ".join(part for part in parts if part) or "nothing is taken"
