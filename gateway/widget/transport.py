"""The WebSocket under visitors' sockets where the gateway runs alone: uvicorn's, with an end to who reads nothing."""

from asyncio import TimerHandle

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

STALLED_S = 15.0  # a little after the socket itself has closed: its last word waits behind what nobody reads


class VisitorTransport(WebSocketsSansIOProtocol):
    """One connection, cut off when what was written to it is not read."""

    _cut: TimerHandle | None = None

    def pause_writing(self) -> None:
        """Wait until what was written is read, but not for ever."""
        super().pause_writing()
        self._cut = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Wait no more."""
        super().resume_writing()
        self._wait_no_more()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait_no_more(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
