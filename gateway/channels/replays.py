"""What a signature that does not cover its body is good for: few bodies, for a while. Owns no clock.

Whoever once saw such a request may send its signature again with a body of his own. The first bodies are bound to what
was signed, so that the platform's own retry passes, and nothing else does.
"""

from hashlib import sha256

_SIGNATURES_MAX = 100_000  # some 30 MB; only who knows the secret adds to them


class Replays:
    """The bodies of the last `window_s` seconds: `bodies_max` a signature, of 100,000 signatures, the oldest first."""

    def __init__(self, *, window_s: int, bodies_max: int = 1) -> None:
        self._window_ms = window_s * 1000
        self._bodies_max = bodies_max
        self._seen: dict[str, tuple[int, set[bytes]]] = {}

    def admit(self, signed: str, body: bytes, *, now_ms: int) -> bool:
        """Whether `signed` still has room for another body, or came with this one before."""
        self._forget(now_ms)
        bodies = self._seen.setdefault(signed, (now_ms, set()))[1]
        digest = sha256(body).digest()
        if digest not in bodies and len(bodies) >= self._bodies_max:
            return False
        bodies.add(digest)
        return True

    def _forget(self, now_ms: int) -> None:
        """The oldest stand first. A time may lie on either side of now, so a signature lives for two windows."""
        while self._seen:
            oldest = next(iter(self._seen))
            if len(self._seen) < _SIGNATURES_MAX and now_ms - self._seen[oldest][0] <= 2 * self._window_ms:
                return
            del self._seen[oldest]
