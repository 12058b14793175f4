"""`crdt-sync admin outbox`: what was not sent, and what is to become of it. The service may run meanwhile."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from crdt_sync.cli.ticket import SharedOptions
from crdt_sync.domain.delivery import DeliveryState
from crdt_sync.domain.lifecycle.node import escaped
from crdt_sync.errors import NotFound
from crdt_sync.ports.outbox import OutboxFilter
from crdt_sync.server import bootstrap, database

LISTED = 50  # a screen; --limit shows more

_RETRIED = (DeliveryState.UNKNOWN, DeliveryState.RETRY, DeliveryState.WINDOW_CLOSED, DeliveryState.DEAD)
_DROPPED = (DeliveryState.UNKNOWN, DeliveryState.RETRY, DeliveryState.PENDING)

app = typer.Typer(name="outbox", cls=SharedOptions, help="Look after what is to be sent.", no_args_is_help=True)

Ids = Annotated[list[str], typer.Argument(help="Ids that `list` shows.")]


@app.command("list")
def list_(
    context: typer.Context,
    *,
    state: Annotated[DeliveryState, typer.Option(help="Those in this state.")] = DeliveryState.UNKNOWN,
    account: Annotated[str | None, typer.Option(help="Those of this account alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the oldest first.")] = LISTED,
) -> None:
    """List parts: id, time, state, code, attempts, account and ticket; by default those that may have been sent."""

    async def work() -> None:
        async with database.opened(context.obj.url) as store:
            for row in await store.deliveries(OutboxFilter(state, account), limit=limit):
                at = datetime.fromtimestamp(row.at_ms / 1000, UTC).isoformat(timespec="seconds")
                words = (row.state, row.code or "-", str(row.attempts), row.account, row.ticket)
                typer.echo("  ".join([row.id, at, *map(escaped, words)]))

    bootstrap.run(work())


@app.command()
def retry(context: typer.Context, ids: Ids) -> None:
    """Have parts sent again: of what may have been sent, the customer may get a second copy."""
    bootstrap.run(_move(context.obj.url, ids, _RETRIED, DeliveryState.PENDING))
    typer.echo(f"{len(ids)} to be sent again.")


@app.command()
def drop(context: typer.Context, ids: Ids) -> None:
    """Give parts up: their tickets show them as failed, and then what comes after them is sent."""
    bootstrap.run(_move(context.obj.url, ids, _DROPPED, DeliveryState.DROPPED))
    typer.echo(f"{len(ids)} dropped.")


async def _move(url: str, ids: Sequence[str], before: Sequence[DeliveryState], after: DeliveryState) -> None:
    async with database.opened(url) as store:
        for id_ in ids:
            if not await store.amend_delivery(id_, before, after):
                raise NotFound(
                    f"There is no {id_[:60]!r} in one of the states {', '.join(before)}.",
                    advice="`crdt-sync admin outbox list --state STATE` shows all.",
                )
