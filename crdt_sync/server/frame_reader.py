"""What a library has to do that finds WebSocket frames in bytes, as a contract."""

from collections.abc import Callable
from typing import Protocol

Sink = Callable[[int, bool, bytes], None]  # opcode, fin, payload; must not raise


class FrameReader(Protocol):
    """Finds frames. Made for one socket at a time; after an error it is thrown away."""

    @property
    def spent(self) -> bool:
        """Tell whether a reader that holds nothing is to be thrown away all the same."""
        ...

    def feed(self, data: bytes, sink: Sink) -> bool:
        """Give each whole frame to `sink`, in order; return whether part of another one is held.

        Raises:
            Violation: what comes next is no frame that a client may send.
            TooLarge: it is over the limit (`frame_size`); its payload is not waited for.

        """
        ...
