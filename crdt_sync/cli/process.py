"""One process with the service and its chat gateway: composed, started, stopped. The only importer of both packages.

The two talk gRPC all the same, so that a gateway can move to a process of its own and nothing else changes.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from pydantic import ValidationError

from crdt_sync.adapters.clock import SystemClock
from crdt_sync.domain.access import GATEWAY
from crdt_sync.errors import Malformed
from crdt_sync.server.auth import issue
from crdt_sync.server.bootstrap import Service
from crdt_sync.server.keys import development_key
from crdt_sync.server.settings import Settings
from gateway.bootstrap import Gateway
from gateway.metrics import CountsCollector
from gateway.settings import GatewaySettings

VISITORS_SHARE = 2  # visitors hold at most every second connection, so that strangers shut out nobody who works here
GATEWAY_TOKEN_TTL_MS = 3_600_000  # made anew for each call, so it only has to outlive one


@asynccontextmanager
async def running(settings: Settings, *, gateway: Mapping[str, object] | None = None) -> AsyncIterator[Service]:
    """Run the service, and the gateway if the settings have one; `gateway` overrides settings of the gateway's own.

    Raises:
        Unavailable: a port is taken, or the database does not open.
        Malformed: a setting will not do.

    """
    async with AsyncExitStack() as stack:
        service = Service(settings)
        await service.start()
        stack.push_async_callback(service.stop)
        if settings.gateway:
            read = _gateway_settings(settings, service.gateway_address, gateway or {})
            own_token = _own_token(settings.data) if settings.jwks_url is None else None
            part = Gateway(_with_share(read, service.connections_max), own_token=own_token)
            await part.start()
            stack.push_async_callback(part.stop)
            service.channels.app = part.app
            service.telemetry.show_also(CountsCollector(part.counts))
        yield service


async def until_signal() -> None:
    """Wait for SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def development_token(
    data: Path,
    *,
    actor: str,
    department: str,
    roles: Sequence[str],
    ttl_ms: int,
    tickets: Sequence[str] | None = None,
    accounts: Sequence[str] = (),
) -> str:
    """Sign a token with the local development key.

    Raises:
        Malformed: the key file or a claim will not do.

    """
    now_ms = SystemClock().now_ms()
    return issue(
        development_key(data).key,
        actor=actor,
        department=department,
        roles=roles,
        expires_at_ms=now_ms + ttl_ms,
        issued_at_ms=now_ms,
        tickets=tickets,
        accounts=accounts,
    )


def _gateway_settings(settings: Settings, core: str, overrides: Mapping[str, object]) -> GatewaySettings:
    """Read the gateway's settings and point it at this process; with an issuer, it needs a token of that issuer's."""
    given: dict[str, object] = {"core": core, "data": settings.data / "gateway", **overrides}
    given["core_certificate"] = None  # within one process nothing is encrypted
    if settings.jwks_url is None:
        given["core_token"] = lambda: ""
    try:
        return GatewaySettings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise Malformed(
            f"The gateway's settings do not hold: {wrong}.",
            code="settings",
            advice="Mend CRDT_SYNC_GATEWAY_<NAME>, or start with --no-gateway.",
        ) from error


def _with_share(read: GatewaySettings, connections_max: int) -> GatewaySettings:
    """Leave the departments their connections, however few there are."""
    most = max(1, min(read.visitors.sockets_max, connections_max // VISITORS_SHARE))
    return read.model_copy(update={"visitors": read.visitors.model_copy(update={"sockets_max": most})})


def _own_token(data: Path) -> Callable[[Sequence[str]], str]:
    def sign(accounts: Sequence[str]) -> str:
        return development_token(
            data,
            actor=GATEWAY,
            department=GATEWAY,
            roles=[GATEWAY],
            ttl_ms=GATEWAY_TOKEN_TTL_MS,
            accounts=accounts,
        )

    return sign
