"""What all sockets together hold of messages that have begun to arrive and have not ended. Knows no socket."""

from typing import Protocol

from crdt_sync.wire import limits


class Holder(Protocol):
    """Whoever holds part of a message."""

    def crowd_out(self) -> None:
        """Let go of it, so that others have room."""
        ...


class PartialMessages:
    """How many bytes each holder holds, in the order in which their messages began."""

    def __init__(self) -> None:
        self._held: dict[Holder, int] = {}
        self._bytes = 0

    def set(self, holder: Holder, size: int) -> None:
        """Note how much a holder holds now; while it is too much altogether, crowd out who has held for the longest."""
        self._bytes += size - self._held.get(holder, 0)
        if size:
            self._held[holder] = size  # where it was: a message has one beginning
        else:
            self._held.pop(holder, None)
        while self._bytes > limits.PARTIAL_BYTES_MAX:
            longest = next(iter(self._held))
            self._bytes -= self._held.pop(longest)
            longest.crowd_out()
