"""A circuit breaker: who is away is not asked by every call, but by one now and then. Pure; times are arguments."""

FAILURES_MAX = 5
OPEN_S_MIN, OPEN_S_MAX = 1.0, 30.0


class Breaker:
    """Closed until so many calls in a row have failed; then open, for longer each time that the one trial fails."""

    def __init__(self) -> None:
        self._failures = 0
        self._open_s = OPEN_S_MIN
        self._until_s = 0.0
        self._trying = False

    def wait_s(self, now_s: float) -> float:
        """For how long nobody may call; 0 lets this one call, which must tell `succeed`, `fail` or `give_up`."""
        if self._failures < FAILURES_MAX:
            return 0.0
        if now_s < self._until_s:
            return self._until_s - now_s
        if self._trying:
            return self._open_s
        self._trying = True
        return 0.0

    def succeed(self) -> None:
        """Tell that the other side answered, whatever it said."""
        self._failures, self._open_s, self._trying = 0, OPEN_S_MIN, False

    def fail(self, now_s: float) -> None:
        """Tell that it did not."""
        self._failures += 1
        if self._failures >= FAILURES_MAX:
            self._until_s = now_s + self._open_s
            self._open_s = min(self._open_s * 2, OPEN_S_MAX)
        self._trying = False

    def give_up(self) -> None:
        """Tell that the caller did not wait for an answer, which says nothing of the other side."""
        self._trying = False
