"""When an event that a receiver did not take is sent again. Knows no receiver and no clock."""

from enum import StrEnum

RETRY_S = (5, 30, 120, 600, 3_600, 21_600, 86_400)
"""Seconds before each further attempt: an event is given up after some 31 hours, a night and a working day."""

PATIENCE_MS = sum(RETRY_S) * 1_000
"""For so long a receiver may take nothing before it is paused: an event dies only where others are taken meanwhile."""

JITTER = 0.2  # of a delay is added at random at most, so that what failed together does not come back together
AWAY_AFTER = 5  # attempts in a row that were not taken, of whichever events, after which the receiver counts as away
_AWAY_MS_MIN, _AWAY_MS_MAX = 5_000, 600_000  # between two looks at a receiver that is away


class Paused(StrEnum):
    """Why nothing is sent to a receiver."""

    NO = ""
    ASKED = "asked"
    FAILING = "failing"  # it took nothing for as long as an event is tried
    GONE = "gone"  # it answered 410
    ACCESS = "access"  # whoever subscribed may not hear events any more, or has to show anew that they may


def retry_ms(attempts: int, jitter: float, retry_after_ms: int = 0) -> int | None:
    """Return how long to wait after so many attempts; None if that was the last. `jitter` is in [0, 1)."""
    if attempts > len(RETRY_S):
        return None
    delay_ms = int(RETRY_S[attempts - 1] * 1_000 * (1 + JITTER * jitter))
    return max(delay_ms, retry_after_ms)


def is_away(failures: int) -> bool:
    """Tell whether a receiver that failed so often in a row is left alone for a while."""
    return failures >= AWAY_AFTER


def away_ms(failures: int) -> int:
    """Return how long it is left alone."""
    return int(min(_AWAY_MS_MIN * 2 ** min(failures - AWAY_AFTER, 30), _AWAY_MS_MAX))
