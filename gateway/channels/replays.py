"""What a signature that does not cover its body is good for: one body, for a while. Owns no clock.

Whoever once saw such a request may send its signature again with a body of his own. The first body is bound to what was
signed, so that the platform's own retry passes, and nothing else does.
"""

from hashlib import sha256

_BODIES_MAX = 100_000  # some 20 MB; only who knows the secret adds to them


class Replays:
    """The bodies of the last `window_s` seconds, at most 100,000, the oldest given up first."""

    def __init__(self, *, window_s: int) -> None:
        self._window_ms = window_s * 1000
        self._seen: dict[str, tuple[int, bytes]] = {}

    def admit(self, signed: str, body: bytes, *, now_ms: int) -> bool:
        """Whether `signed` comes for the first time, or with the body that it came with before."""
        self._forget(now_ms)
        digest = sha256(body).digest()
        return self._seen.setdefault(signed, (now_ms, digest))[1] == digest

    def _forget(self, now_ms: int) -> None:
        """The oldest stand first. A time may lie on either side of now, so a signature lives for two windows."""
        while self._seen:
            oldest = next(iter(self._seen))
            if len(self._seen) < _BODIES_MAX and now_ms - self._seen[oldest][0] <= 2 * self._window_ms:
                return
            del self._seen[oldest]
