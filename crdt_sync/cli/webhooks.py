"""`crdt-sync admin webhooks`: which systems are told what, and how to stop it. The service may run meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from crdt_sync.cli.ticket import SharedOptions
from crdt_sync.domain.lifecycle.node import escaped
from crdt_sync.domain.webhook import Paused
from crdt_sync.errors import Malformed, NotFound
from crdt_sync.ports.webhooks import Webhook
from crdt_sync.server import bootstrap, database

app = typer.Typer(name="webhooks", cls=SharedOptions, help="Look after webhooks.", no_args_is_help=True)


@app.command("list")
def list_(context: typer.Context) -> None:
    """List webhooks: id, state, department, owner, since when nothing is taken, and the receiver's address."""

    async def work() -> None:
        async with database.opened(context.obj.url) as store:
            for hook in await store.webhooks():
                state = f"paused:{hook.paused}" if hook.paused else "active"
                failing = "-" if hook.failing_since_ms is None else _time(hook.failing_since_ms)
                words = (hook.id, state, hook.department, hook.actor, failing, hook.url)
                typer.echo("  ".join(map(escaped, words)))

    bootstrap.run(work())


@app.command()
def pause(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids that `list` shows.")] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="All of them, such as before a copy is started.")] = False,
) -> None:
    """Send nothing more within two seconds; what happens waits until somebody of the department resumes it."""
    if bool(ids) is all_:
        raise Malformed("Name webhooks, or say --all.", code="webhooks", advice="`list` shows their ids.")

    async def work() -> int:
        async with database.opened(context.obj.url) as store:
            chosen = [hook.id for hook in await store.webhooks() if not hook.paused] if all_ else ids or []
            for id_ in chosen:
                if await store.amend_webhook(id_, _paused) is None:
                    raise NotFound(f"There is no webhook {id_[:60]!r}.", code="no_webhook", advice="See `list`.")
            return len(chosen)

    typer.echo(f"{bootstrap.run(work())} paused.")


def _paused(hook: Webhook) -> Webhook:
    return replace(hook, paused=hook.paused or Paused.ASKED)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
