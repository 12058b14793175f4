"""How soon a part may be sent: a platform's rates, and what it asked for by Retry-After. Pure; time is an argument."""

from gateway.outbound import Limits, Rate

_IDLE_LOOK = 1_000  # names; beyond so many, and twice what was left then, those that have rested are forgotten


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


class Buckets:
    """A bucket of the same rate for each name; those that are full again are forgotten."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: dict[str, Bucket] = {}
        self._look = _IDLE_LOOK

    def wait_ms(self, name: str, now_ms: int) -> int:
        """How long until there is a token."""
        known = self._buckets.get(name)
        return known.wait_ms(now_ms) if known is not None else 0

    def take(self, name: str, now_ms: int) -> None:
        """Take a token."""
        self._buckets.setdefault(name, Bucket(self._rate)).take(now_ms)
        if len(self._buckets) > self._look:
            self._buckets = {name: bucket for name, bucket in self._buckets.items() if not bucket.is_full(now_ms)}
            self._look = max(_IDLE_LOOK, 2 * len(self._buckets))


class Throttle:
    """One account's pace."""

    def __init__(self, limits: Limits) -> None:
        self._account = Bucket(limits.account) if limits.account is not None else None
        self._conversations = Buckets(limits.conversation) if limits.conversation is not None else None
        self._paused_until_ms = 0

    def wait_ms(self, conversation: str, now_ms: int) -> int:
        """How long until a part of this conversation may be sent."""
        account_ms = self._account.wait_ms(now_ms) if self._account is not None else 0
        conversation_ms = self._conversations.wait_ms(conversation, now_ms) if self._conversations is not None else 0
        return max(0, self._paused_until_ms - now_ms, account_ms, conversation_ms)

    def take(self, conversation: str, now_ms: int) -> None:
        """Count a part that is sent now."""
        if self._account is not None:
            self._account.take(now_ms)
        if self._conversations is not None:
            self._conversations.take(conversation, now_ms)

    def pause(self, until_ms: int) -> None:
        """Send nothing before."""
        self._paused_until_ms = max(self._paused_until_ms, until_ms)
