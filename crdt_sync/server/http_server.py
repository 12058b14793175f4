"""The HTTP and WebSocket server in this event loop. uvicorn speaks HTTP; signals are its caller's, never taken here."""

import asyncio

import uvicorn
from starlette.types import ASGIApp

from crdt_sync.server.listening import BACKLOG, bind
from crdt_sync.wire import limits

GRACE_S = 5  # for requests under way when the service stops


class HttpServer:
    """One port, bound before anything else starts, so that a busy one is told at once."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = bind(host, port, "--port")
        self.port: int = self._socket.getsockname()[1]
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self, app: ASGIApp) -> None:
        """Serve the application."""
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="websockets-sansio",
            # Above our own limit, whose close code tells the client more than the library's 1009 would.
            ws_max_size=2 * limits.FRAME_BYTES_MAX,
            ws_per_message_deflate=False,  # updates hardly shrink, and a bomb would have to be inflated to be seen
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE_S,
        )
        config.load()
        server = self._server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        # What `serve` would do, without its signal handlers.
        await server.startup(sockets=[self._socket])
        self._serving = asyncio.create_task(server.main_loop(), name="http")

    async def stop(self) -> None:
        """Stop listening, let requests under way end, close what is left."""
        if self._server is None or self._serving is None:
            self._socket.close()
            return
        self._server.should_exit = True
        await self._serving
        await self._server.shutdown(sockets=[self._socket])
