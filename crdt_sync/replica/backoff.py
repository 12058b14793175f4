"""How long a replica waits before it connects again. Draws through the port Ids and sleeps nowhere itself."""

from crdt_sync.ports import Ids

FIRST_S = 0.2
LONGEST_S = 10.0  # a service that restarts has everybody back within this time, and not all at once


class Backoff:
    """Delays that double up to `LONGEST_S`, each shortened by up to a half at random."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._delay_s = FIRST_S

    def next_s(self) -> float:
        """Return the seconds to wait now; the next answer is longer."""
        delay_s = self._delay_s
        self._delay_s = min(2 * delay_s, LONGEST_S)
        return delay_s * (1 - self._ids.jitter() / 2)

    def reset(self) -> None:
        """Begin with short delays again, after a connection that lasted."""
        self._delay_s = FIRST_S
