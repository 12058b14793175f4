"""The command `crdt-sync`: each command is a module; what goes wrong is one sentence and an exit code."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from crdt_sync.adapters.clock import SystemClock
from crdt_sync.cli import (
    access,
    admin,
    audit,
    backup,
    channel,
    compaction,
    dead_letters,
    lifecycle,
    outbox,
    quarantine,
    replica,
    ticket,
    user,
    webhooks,
)
from crdt_sync.cli import demo as walkthrough
from crdt_sync.cli.options import setting
from crdt_sync.cli.process import development_token, running, until_signal
from crdt_sync.domain.lifecycle.phrases import Language
from crdt_sync.errors import Malformed, TicketSyncError
from crdt_sync.server import bootstrap, logs
from crdt_sync.server.settings import Settings, load

EXIT_ERROR = 2

app = typer.Typer(
    name="crdt-sync",
    help="Keeps one ticket true for every department.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # what goes wrong is a sentence; a defect of ours is a plain traceback
)
app.add_typer(lifecycle.app)
app.add_typer(ticket.app)
app.add_typer(replica.app)
app.add_typer(admin.app)
app.add_typer(user.app)
app.add_typer(dead_letters.gateway)
dead_letters.gateway.add_typer(channel.app)
admin.app.add_typer(backup.app)
admin.app.add_typer(compaction.app)
admin.app.add_typer(quarantine.app)
admin.app.add_typer(outbox.app)
admin.app.add_typer(access.app)
admin.app.add_typer(audit.app)
admin.app.add_typer(webhooks.app)

_TTL = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_TTL_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@app.command()
def serve(
    *,
    host: Annotated[str | None, setting("host")] = None,
    port: Annotated[int | None, setting("port")] = None,
    grpc_port: Annotated[int | None, setting("grpc_port")] = None,
    data: Annotated[Path | None, setting("data")] = None,
    database_url: Annotated[str | None, setting("database_url")] = None,
    bus_url: Annotated[str | None, setting("bus_url")] = None,
    auth: Annotated[str | None, setting("auth")] = None,
    jwks_url: Annotated[str | None, setting("jwks_url")] = None,
    jwt_issuer: Annotated[str | None, setting("jwt_issuer")] = None,
    jwt_audience: Annotated[str | None, setting("jwt_audience")] = None,
    origins: Annotated[list[str] | None, setting("origins", "--origin")] = None,
    proxies: Annotated[list[str] | None, setting("proxies", "--proxy")] = None,
    websockets: Annotated[str | None, setting("websockets")] = None,
    connections: Annotated[int | None, setting("connections")] = None,
    tls_certificate: Annotated[Path | None, setting("tls_certificate")] = None,
    tls_key: Annotated[Path | None, setting("tls_key")] = None,
    open_documents: Annotated[bool | None, setting("open_documents", "--open-documents/--no-open-documents")] = None,
    lifecycle: Annotated[str | None, setting("lifecycle")] = None,
    desk: Annotated[Path | None, setting("desk")] = None,
    outbox_days: Annotated[int | None, setting("outbox_days")] = None,
    webhook_origins: Annotated[list[str] | None, setting("webhook_origins", "--webhook-origin")] = None,
    gateway: Annotated[bool | None, setting("gateway", "--gateway/--no-gateway")] = None,
    metrics: Annotated[str | None, setting("metrics")] = None,
    session_hours: Annotated[int | None, setting("session_hours")] = None,
    log_level: Annotated[str | None, setting("log_level")] = None,
) -> None:
    """Run the service: HTTP and WebSocket on one port, gRPC on another, the chat gateway in the same process."""
    chosen = {name: value for name, value in locals().items() if value not in (None, [])}
    settings = load(**chosen)
    logs.configure(settings.log_level)
    bootstrap.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    async with running(settings) as service:
        bootstrap.tune_collector()
        s = "s" if settings.tls_key else ""
        typer.echo(
            f"http{s}://{settings.host}:{service.port}  (WebSocket: /sync/{{document}}, /collab; OpenAPI: /docs)"
        )
        typer.echo(f"grpc{s}://{settings.host}:{service.grpc_port}")
        await until_signal()


@app.command()
def token(
    *,
    actor: Annotated[str, typer.Option(help="Who holds the token.")],
    department: Annotated[str, typer.Option(help="The department; 'gateway' for a chat gateway.")],
    role: Annotated[list[str] | None, typer.Option(help="A role; may be repeated. [default: the department]")] = None,
    ttl: Annotated[str, typer.Option(help="How long it is good for, such as 30m, 12h or 7d.")] = "12h",
    ticket: Annotated[list[str] | None, typer.Option(help="Only this ticket; may be repeated.")] = None,
    account: Annotated[list[str] | None, typer.Option(help="An account of a gateway; may be repeated.")] = None,
    data: Annotated[Path | None, setting("data")] = None,
) -> None:
    """Print a token that is signed with the local development key."""
    match = _TTL.fullmatch(ttl)
    if match is None:
        raise Malformed(f"{ttl!r} is no duration.", code="ttl", advice="Use a number and s, m, h or d, such as 12h.")
    typer.echo(
        development_token(
            load(data=data).data,
            actor=actor,
            department=department,
            roles=role or [department],
            ttl_ms=int(match[1]) * _TTL_MS[match[2]],
            tickets=ticket or None,
            accounts=account or (),
        )
    )


@app.command()
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Stop after the walk-through; exit 1 if it failed.")] = False,
    stories: Annotated[int, typer.Option(min=1, help="How many of the lifecycle's stories to play.")] = 3,
    port: Annotated[int | None, setting("port")] = None,
    grpc_port: Annotated[int | None, setting("grpc_port")] = None,
    data: Annotated[Path | None, setting("data")] = None,
    lifecycle: Annotated[str | None, setting("lifecycle")] = None,
    language: Annotated[Language, typer.Option(help="The language of the explanations.")] = "en",
) -> None:
    """Start everything and walk through the lifecycle's first stories, each with its explanation."""
    settings = load(port=port, grpc_port=grpc_port, data=data, lifecycle=lifecycle, log_level="warning")
    logs.configure(settings.log_level)
    played = walkthrough.play(settings, language=language, stories=stories, once=once, clock=SystemClock())
    if not bootstrap.run(played) and once:
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; an error of ours is one sentence on standard error and exit code 2."""
    try:
        app()
    except TicketSyncError as error:
        sys.stderr.write(f"crdt-sync: {error.message} {error.advice}".rstrip() + "\n")
        sys.exit(EXIT_ERROR)


if __name__ == "__main__":
    main()
