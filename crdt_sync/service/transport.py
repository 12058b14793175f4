"""Where a connection's frames go, as a contract: a WebSocket, a gRPC stream."""

from collections.abc import Sequence
from typing import Protocol


class Transport(Protocol):
    """Where frames go. Every call returns at once."""

    def encode(self, said: Sequence[object]) -> object:
        """Make what a dialect says into something to write; all transports of a dialect make the same."""
        ...

    def write(self, frames: Sequence[object]) -> None:
        """Send what `encode` made, in order, in one write where the transport can."""
        ...

    def pause(self) -> None:
        """Take nothing from the client until `resume` was called as often."""
        ...

    def resume(self) -> None:
        """Take messages again."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Send what was written, then close."""
        ...
