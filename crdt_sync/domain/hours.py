"""When people answer: weekly hours in a time zone, with dates that differ. Pure: the instant and the zone are given."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAYS_AHEAD_MAX = 400  # who does not open within a year has closed down, and says so in another way

Span = tuple[time, time | None]
"""From, and until; None is the end of the day. The end is not within."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Spans of each weekday, Monday first; a date in `dates` has its own instead: none where it is a holiday."""

    zone: tzinfo
    week: tuple[tuple[Span, ...], ...]
    dates: Mapping[date, tuple[Span, ...]] = field(default_factory=dict)

    def is_open(self, at_ms: int) -> bool:
        """Tell whether somebody answers at an instant, milliseconds since the epoch."""
        return any(begins <= at_ms < ends for begins, ends in self._spans(at_ms, days=0))

    def opens_ms(self, at_ms: int) -> int | None:
        """Return when it opens next after an instant at which it is closed: this names the closed period.

        None if that is not within `DAYS_AHEAD_MAX` days.
        """
        return next((begins for begins, _ in self._spans(at_ms, days=DAYS_AHEAD_MAX) if begins > at_ms), None)

    def local(self, at_ms: int) -> str:
        """Write an instant as people of the zone read it: date, hour and minute."""
        return datetime.fromtimestamp(at_ms / 1000, self.zone).strftime("%Y-%m-%d %H:%M")

    def _spans(self, at_ms: int, *, days: int) -> Iterator[tuple[int, int]]:
        """Go through the spans of the instant's date and so many days after it, in order."""
        today = datetime.fromtimestamp(at_ms / 1000, self.zone).date()
        for offset in range(days + 1):
            day = today + timedelta(days=offset)
            for begins, ends in self.dates.get(day, self.week[day.weekday()]):
                until = (day + timedelta(days=1), time()) if ends is None else (day, ends)
                yield self._instant(day, begins), self._instant(*until)

    def _instant(self, day: date, at: time) -> int:
        return int(datetime.combine(day, at, self.zone).astimezone(UTC).timestamp() * 1000)
