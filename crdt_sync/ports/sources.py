"""Time and randomness, as contracts."""

from typing import Protocol


class Clock(Protocol):
    """Wall time, for display and expiry only; nothing that decides a merge reads it."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        ...


class Ids(Protocol):
    """Every draw of randomness, so that a run can be replayed."""

    def client_id(self) -> int:
        """A fresh Yjs client id: 1 to 2**32 - 1."""
        ...

    def uuid7(self) -> str:
        """A fresh UUIDv7 in its text form."""
        ...

    def salt(self) -> str:
        """16 random bytes as 32 lowercase hexadecimal digits."""
        ...

    def jitter(self) -> float:
        """A number in [0, 1) for back-off."""
        ...
