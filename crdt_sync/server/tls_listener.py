"""Accepting connections and beginning TLS on them, on so many at once.

The event loop's own servers begin it on any number, and nobody hears of a connection before its handshake is done.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable

import structlog

HANDSHAKES_MAX = 500  # the event loop makes some 1,000 a second; whoever finds no place waits in the system's backlog
PATIENCE_S = 2.0  # with whoever has had a place for longest, while others wait: a bad line takes one
RETRY_S = 1.0  # after the system had no descriptor left

_log = structlog.get_logger(__name__)


class TlsListener:
    """A listening socket, and the handshakes of those who came to it. uvicorn closes it as one of its servers."""

    def __init__(
        self,
        listening: socket.socket,
        context: ssl.SSLContext,
        protocol: Callable[[], asyncio.Protocol],
        *,
        handshake_s: float,
        full: Callable[[int], bool],  # tells whether there is no room, with so many handshakes under way
        refused: Callable[[str, str], None],  # hears the address and the code of whoever did not get in
    ) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._context = context
        self._protocol = protocol
        self._handshake_s = handshake_s
        self._full = full
        self._refused = refused
        self._loop = asyncio.get_running_loop()
        self._handshakes: dict[asyncio.Task[None], tuple[float, str]] = {}  # since when and with whom, the oldest first
        self._paused: asyncio.TimerHandle | None = None
        self._loop.add_reader(listening, self._accept)

    def close(self) -> None:
        """Accept no more, and let go of those who have not got in."""
        self._loop.remove_reader(self._listening)
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None  # and nothing resumes
        for handshake in self._handshakes:
            handshake.cancel()

    async def wait_closed(self) -> None:
        """Wait until nobody is left."""
        await asyncio.gather(*self._handshakes, return_exceptions=True)

    def _accept(self) -> None:
        """Take one connection, if there is a place for it."""
        if len(self._handshakes) == HANDSHAKES_MAX:
            since_s, _ = next(iter(self._handshakes.values()))
            self._pause(since_s + PATIENCE_S - self._loop.time(), self._make_way)
            return
        try:
            connection, address = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                raise
            _log.warning("cannot accept connections", reason=error.strerror)
            self._pause(RETRY_S, self._resume)
            return
        source = address[0]
        if self._full(len(self._handshakes)):
            connection.close()
            self._refused(source, "full")
            return
        handshake = self._loop.create_task(self._begin(connection, source))
        self._handshakes[handshake] = self._loop.time(), source
        handshake.add_done_callback(self._ended)

    async def _begin(self, connection: socket.socket, source: str) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._protocol, connection, ssl=self._context, ssl_handshake_timeout=self._handshake_s
            )
        except OSError:  # too late, gone, or not TLS as we speak it
            self._refused(source, "tls_handshake")

    def _ended(self, handshake: asyncio.Task[None]) -> None:
        if self._handshakes.pop(handshake, None) and len(self._handshakes) == HANDSHAKES_MAX - 1:
            self._resume()

    def _make_way(self) -> None:
        """Let go of whoever has had a place for longest."""
        oldest, (_, source) = next(iter(self._handshakes.items()))
        del self._handshakes[oldest]
        oldest.cancel()
        self._refused(source, "tls_handshake")
        self._resume()

    def _pause(self, for_s: float, then: Callable[[], None]) -> None:
        """Accept nothing for so long; more connections wait in the system's backlog."""
        self._loop.remove_reader(self._listening)
        if self._paused is not None:
            self._paused.cancel()
        self._paused = self._loop.call_later(for_s, then)

    def _resume(self) -> None:
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None
            self._loop.add_reader(self._listening, self._accept)
