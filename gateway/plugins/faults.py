"""When a plugin that was at fault is begun anew. Pure."""

from collections import deque

FAULTS_MAX = 4  # each may cost the messages of one deadline: of fifty a second less than one in a hundred
WINDOW_MS = 600_000  # so many within ten minutes, and it is off for as long
REST_MS_MIN = 2_000


class Faults:
    """The faults of one plugin."""

    def __init__(self) -> None:
        self._at_ms: deque[int] = deque(maxlen=FAULTS_MAX)

    def add(self, now_ms: int) -> int:
        """Take one more; return for how long the plugin rests: 2, 8, 32 seconds, then ten minutes."""
        while self._at_ms and self._at_ms[0] <= now_ms - WINDOW_MS:
            self._at_ms.popleft()
        self._at_ms.append(now_ms)
        return WINDOW_MS if self.is_off else REST_MS_MIN * 4 ** (len(self._at_ms) - 1)

    @property
    def is_off(self) -> bool:
        """Whether it has had so many that it is off."""
        return len(self._at_ms) == FAULTS_MAX
