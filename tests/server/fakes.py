"""Named fakes of the server's tests."""


class ManualClock:
    """A clock that stands until it is moved."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms
