"""Which library finds WebSocket frames in bytes, behind one seam; what the frames mean is `wire.websocket`'s to say.

A reader belongs to nobody while it holds no part of a frame, so idle sockets share the one spare and cost nothing here.
"""

from collections.abc import Callable
from typing import Literal

import structlog

from crdt_sync.errors import Unavailable
from crdt_sync.server.frame_reader import FrameReader

Choice = Literal["auto", "picows", "websockets"]

_log = structlog.get_logger(__name__)


class FrameReaders:
    """Lends readers to sockets, and keeps one that came back empty for the next."""

    def __init__(self, name: str, make: Callable[[], FrameReader]) -> None:
        self.name = name
        self._make = make
        self._spare: FrameReader | None = None

    def take(self) -> FrameReader:
        """Return a reader that holds nothing."""
        reader, self._spare = self._spare, None
        return reader or self._make()

    def give_back(self, reader: FrameReader) -> None:
        """Take back a reader that holds nothing."""
        if not reader.spent:
            self._spare = reader


def choose(choice: Choice) -> FrameReaders:
    """Return readers of the chosen library; `auto` prefers picows.

    Call it within the event loop that will read.

    Raises:
        Unavailable: picows was chosen and does not do what we rely on (`picows`).

    """
    if choice != "websockets":
        problem = _problem_of_picows()
        if problem is None:
            from crdt_sync.server.picows_reader import PicowsReader  # noqa: PLC0415 (it may be missing)

            return FrameReaders("picows", PicowsReader)
        if choice == "picows":
            raise Unavailable(
                f"picows cannot be used: {problem}.", code="picows", advice="Set CRDT_SYNC_WEBSOCKETS=websockets."
            )
        _log.warning("picows cannot be used, websockets is slower", reason=problem)
    from crdt_sync.server.websockets_reader import WebsocketsReader  # noqa: PLC0415 (only where it is used)

    return FrameReaders("websockets", WebsocketsReader)


def _problem_of_picows() -> str | None:
    """Say why picows is not to be trusted here, None if it is: its surface that we use is documented nowhere."""
    try:
        from crdt_sync.server import picows_reader  # noqa: PLC0415 (it may be missing)

        return picows_reader.problem()
    except ImportError as error:
        return str(error)
