"""How soon a part may be sent: a platform's rates, and what it asked for by Retry-After. Pure; time is an argument."""

from gateway.outbound import Limits, Rate

_IDLE_LOOK = 1_000  # conversations; beyond so many, those that have rested long enough are forgotten


class Bucket:
    """A token bucket: `burst` at once, `per_s` a second in the long run."""

    def __init__(self, rate: Rate) -> None:
        self._interval_ms = 1000 / rate.per_s
        self._burst_ms = self._interval_ms * (rate.burst - 1)
        self._full_ms = 0.0  # when it is full again

    def wait_ms(self, now_ms: int) -> int:
        """How long until there is a token."""
        return max(0, -int(-(self._full_ms - self._burst_ms - now_ms) // 1))

    def take(self, now_ms: int) -> None:
        """Take a token."""
        self._full_ms = max(self._full_ms, now_ms) + self._interval_ms

    def is_full(self, now_ms: int) -> bool:
        """Whether it stands as a fresh one."""
        return self._full_ms <= now_ms


class Throttle:
    """One account's pace."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._account = Bucket(limits.account) if limits.account is not None else None
        self._conversations: dict[str, Bucket] = {}
        self._paused_until_ms = 0

    def wait_ms(self, conversation: str, now_ms: int) -> int:
        """How long until a part of this conversation may be sent."""
        buckets = self._buckets(conversation)
        return max(0, self._paused_until_ms - now_ms, *(bucket.wait_ms(now_ms) for bucket in buckets))

    def take(self, conversation: str, now_ms: int) -> None:
        """Count a part that is sent now."""
        for bucket in self._buckets(conversation):
            bucket.take(now_ms)
        if len(self._conversations) > _IDLE_LOOK:
            kept = {name: bucket for name, bucket in self._conversations.items() if not bucket.is_full(now_ms)}
            self._conversations = kept

    def pause(self, until_ms: int) -> None:
        """Send nothing before."""
        self._paused_until_ms = max(self._paused_until_ms, until_ms)

    def _buckets(self, conversation: str) -> list[Bucket]:
        found = [self._account] if self._account is not None else []
        if self._limits.conversation is not None:
            found.append(self._conversations.setdefault(conversation, Bucket(self._limits.conversation)))
        return found
