"""When it is open, and when it opens: over days, dates that differ, midnight, and clocks that are changed."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.domain.hours import Hours

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = ((time(9), time(12)), (time(13, 30), time(18)))
OFFICE = Hours(SHANGHAI, (DAY,) * 5 + ((), ()), {date(2026, 10, 1): (), date(2026, 10, 10): ((time(9), None),)})


def at(text, zone=SHANGHAI):
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


@pytest.mark.parametrize(
    ("instant", "opens"),
    [
        ("2026-09-28T09:00", None),  # a Monday
        ("2026-09-28T11:59:59.999", None),
        ("2026-09-28T12:00", "2026-09-28T13:30"),
        ("2026-09-28T08:59:59.999", "2026-09-28T09:00"),
        ("2026-09-28T18:00", "2026-09-29T09:00"),
        ("2026-10-01T10:00", "2026-10-02T09:00"),  # a holiday, a Thursday
        ("2026-10-02T18:00", "2026-10-05T09:00"),  # over the weekend
        ("2026-10-10T23:59", None),  # a Saturday on which people work, until the end of the day
        ("2026-10-11T00:00", "2026-10-12T09:00"),
    ],
)
def test_it_is_open_in_its_spans_and_else_opens_at_the_next(instant, opens):
    assert OFFICE.is_open(at(instant)) is (opens is None)
    if opens is not None:
        assert at(opens) == OFFICE.opens_ms(at(instant))


def test_hours_are_those_of_the_zones_clock_when_that_is_changed():
    night = Hours(BERLIN, (((time(2, 30), time(4)),),) * 7)

    assert at("2026-03-28T03:00", UTC) == night.opens_ms(at("2026-03-28T00:00", UTC)) + 90 * 60_000
    assert night.is_open(at("2026-03-29T01:45", UTC)), "in March it is 3:45 there"
    assert not night.is_open(at("2026-03-29T02:00", UTC))
    assert night.is_open(at("2026-10-25T02:30", UTC)), "in October it is 3:30 there"


def test_who_never_opens_says_so():
    assert Hours(SHANGHAI, ((),) * 7).opens_ms(at("2026-09-28T12:00")) is None


def test_an_instant_is_written_as_people_of_the_zone_read_it():
    assert "2026-09-28 09:05" == OFFICE.local(at("2026-09-28T09:05:59"))


MINUTES = st.integers(0, 60 * 24 * 800).map(lambda minutes: at("2026-01-01T00:00") + minutes * 60_000)


@given(MINUTES)
def test_all_of_a_closed_period_opens_at_one_instant_and_then_it_is_open(instant):
    if OFFICE.is_open(instant):
        return
    opens = OFFICE.opens_ms(instant)
    assert opens > instant
    assert OFFICE.is_open(opens)
    assert not OFFICE.is_open(opens - 1)
    halfway = instant + (opens - instant) // 2
    assert opens == OFFICE.opens_ms(halfway)
    assert timedelta(milliseconds=opens - instant) < timedelta(days=5)
