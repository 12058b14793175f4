"""How an instant is written."""

from datetime import UTC, datetime, timedelta

INSTANT_MS_MAX = 253_402_300_799_999  # the last millisecond of the year 9999: RFC 3339 has four digits for a year
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(at_ms: int) -> str:
    """Write an instant as RFC 3339 in UTC; one after the year 9999, which a client may claim, as the last of it."""
    at = _EPOCH + timedelta(milliseconds=min(at_ms, INSTANT_MS_MAX))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
