"""`python -m gateway`: the gateway alone, against a service elsewhere. Owns the process, its socket and its signals."""

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette

from crdt_sync.errors import TicketSyncError
from gateway.bootstrap import Gateway
from gateway.channels.web import FRAME_BYTES_MAX
from gateway.health import Health
from gateway.metrics import MetricsPage
from gateway.settings import GatewaySettings
from gateway.widget.transport import VisitorTransport

_REQUESTS_S_MAX = 2  # for callbacks under way at a stop; the gateway itself drains after them, ten seconds in all

_log = structlog.get_logger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal; 2 if the settings or the port cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description="The chat gateway alone.")
    parser.add_argument("--core", help="HOST:PORT of the service's gRPC")
    parser.add_argument("--data", type=Path, help="directory of the inbox")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    options = parser.parse_args(arguments)
    given = {name: value for name in ("core", "data") if (value := getattr(options, name)) is not None}
    try:
        _run(_serve(GatewaySettings(**given), options.host, options.port))
    except ValidationError as error:
        return _refuse("; ".join(f"{_name(one['loc'])}: {one['msg']}" for one in error.errors()))
    except TicketSyncError as error:
        return _refuse(f"{error.message} {error.advice}".strip())
    except OSError as error:
        return _refuse(f"{options.host}:{options.port} cannot be used: {os.strerror(error.errno or 0)}.")
    except KeyboardInterrupt:
        return 130  # uvicorn raises the signal again after an orderly end
    return 0


async def _serve(settings: GatewaySettings, host: str, port: int) -> None:
    gateway = Gateway(settings)
    page = MetricsPage(gateway.counts, settings.metrics)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        _log.info("gateway listening", host=host, port=listener.getsockname()[1])
        yield
        await gateway.stop()  # here, because SIGTERM ends the process as soon as uvicorn is done

    # No access log: the platforms put the customer's id into the query.
    config = uvicorn.Config(
        Starlette(routes=[*gateway.app.routes, *Health(gateway.check).routes(), *page.routes()], lifespan=lifespan),
        access_log=False,
        log_level="warning",
        lifespan="on",
        ws=VisitorTransport,
        ws_max_size=FRAME_BYTES_MAX,
        ws_per_message_deflate=False,
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=[str(proxy) for proxy in settings.proxies],
        timeout_graceful_shutdown=_REQUESTS_S_MAX,
    )
    with socket.create_server((host, port)) as listener:
        await gateway.start()
        try:
            await uvicorn.Server(config).serve(sockets=[listener])
        finally:
            await gateway.stop()


def _run(main: Coroutine[object, object, None]) -> None:
    try:
        import uvloop  # noqa: PLC0415 (absent on Windows)
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


def _name(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "settings"


def _refuse(reason: str) -> int:
    sys.stderr.write(f"gateway: {reason}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
