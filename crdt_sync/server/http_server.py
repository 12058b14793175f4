"""The HTTP and WebSocket server in this event loop. uvicorn speaks HTTP; signals are its caller's, never taken here."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import structlog
import uvicorn
from fastapi import FastAPI
from pydantic import IPvAnyNetwork
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from crdt_sync.server.app import has_websocket
from crdt_sync.server.frame_readers import Choice, choose
from crdt_sync.server.http_protocol import HEAD_S, SPARE_CONNECTIONS, EventSocket, HttpProtocol
from crdt_sync.server.listening import BACKLOG, Tls, bind
from crdt_sync.server.sockets import Sockets
from crdt_sync.server.tls_listener import HANDSHAKES_MAX, TlsListener
from crdt_sync.service.audit import Asked
from crdt_sync.wire import limits

GRACE_S = 5  # for requests under way when the service stops

_log = structlog.get_logger(__name__)


class HttpServer:
    """One port, bound before anything else starts, so that a busy one is told at once."""

    def __init__(self, host: str, port: int, tls: Tls | None = None) -> None:
        self._socket = bind(host, port, "--port")
        self.port: int = self._socket.getsockname()[1]
        self._tls = tls
        self._server: uvicorn.Server | None = None
        self._sockets: Sockets | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(
        self, app: FastAPI, sockets: Sockets, proxies: Sequence[IPvAnyNetwork] = (), websockets: Choice = "auto"
    ) -> None:
        """Serve the application, and `sockets` beside it. Only these proxies may say for whom they ask.

        Raises:
            Unavailable: the chosen WebSocket library will not do (`picows`).

        """
        sockets.start(choose(websockets))
        forwarded = ProxyHeadersMiddleware(cast(Any, app), [str(proxy) for proxy in proxies])
        config = uvicorn.Config(
            forwarded,
            ws=cast(
                "type[asyncio.Protocol]", partial(EventSocket, sockets=sockets, clock=app.state.clock)
            ),  # it is only called  # for the application's own WebSockets
            ws_max_size=limits.TEXT_BYTES_MAX,  # nobody says more on them, and strangers may
            ws_per_message_deflate=False,  # updates hardly shrink, and a bomb would have to be inflated to be seen
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # it would believe whoever asks from this machine
            backlog=BACKLOG,
            ssl_certfile=self._tls.certificate if self._tls else None,
            ssl_keyfile=self._tls.key if self._tls else None,
        )
        config.load()
        self._sockets = sockets
        speak = partial(
            HttpProtocol, sockets=sockets, proxies=forwarded.trusted_hosts, elsewhere=partial(has_websocket, app)
        )
        server = self._server = _Server(config, speak, sockets)
        server.lifespan = config.lifespan_class(config)
        # What `serve` would do, without its signal handlers.
        await server.startup(sockets=[self._socket])
        self._serving = asyncio.create_task(server.main_loop(), name="http")

    async def stop(self) -> None:
        """Stop listening, let requests under way end, close what is left."""
        if self._server is None or self._serving is None or self._sockets is None:
            self._socket.close()
            return
        self._serving.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)
        await self._sockets.stop()
        await self._server.shutdown(sockets=[self._socket])


class _Server(uvicorn.Server):
    """uvicorn's, with our protocol, and with bounds on TLS handshakes."""

    def __init__(self, config: uvicorn.Config, protocol: Callable[..., HttpProtocol], sockets: Sockets) -> None:
        super().__init__(config)
        self._protocol = protocol
        self._sockets = sockets

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on a socket that is bound."""
        assert sockets is not None, "bound before"
        make = partial(
            self._protocol,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        if self.config.ssl is None:
            self.servers = [await asyncio.get_running_loop().create_server(make, sock=sockets[0], backlog=BACKLOG)]
        else:
            listener = TlsListener(
                sockets[0], self.config.ssl, make, handshake_s=HEAD_S, full=self._full, refused=self._refused
            )
            self.servers = [cast(asyncio.Server, listener)]  # it is only closed and waited for
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let requests under way end, but not for ever. uvicorn's looks every tenth of a second."""
        for server in [*self.servers, *(sockets or ())]:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(GRACE_S):
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 (once in a process)
                    await asyncio.sleep(0.01)
                for server in self.servers:
                    await server.wait_closed()
        except TimeoutError:
            _log.warning("requests were cut off", count=len(self.server_state.tasks))
            for task in self.server_state.tasks:
                task.cancel()

    def _full(self, handshakes: int) -> bool:
        """Tell whether even an answer over TLS would take what is kept for others."""
        beside = len(self.server_state.connections) + handshakes - SPARE_CONNECTIONS - HANDSHAKES_MAX
        return self._sockets.full(beside) is not None

    def _refused(self, source: str, code: str) -> None:
        self._sockets.audit.refused(Asked("http", "", source), code)
