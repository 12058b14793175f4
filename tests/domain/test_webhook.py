from crdt_sync.domain.webhook import AWAY_AFTER, JITTER, RETRY_S, away_ms, is_away, retry_ms


def test_each_attempt_waits_as_long_as_the_schedule_says():
    delays = [retry_ms(attempts, 0.0) for attempts in range(1, len(RETRY_S) + 2)]
    assert [5_000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000, 86_400_000, None] == delays


def test_a_draw_adds_a_fifth_at_most():
    assert [5_000, 5_500] == [retry_ms(1, 0.0), retry_ms(1, 0.5)]
    assert retry_ms(1, 0.999) < 5_000 * (1 + JITTER)


def test_a_receiver_may_ask_for_more_but_not_for_less():
    assert [5_000, 60_000] == [retry_ms(1, 0.0, asked) for asked in (1, 60_000)]
    assert retry_ms(len(RETRY_S) + 1, 0.0, 60_000) is None


def test_a_receiver_is_away_after_so_many_failures_and_looked_at_ever_less_but_every_ten_minutes():
    assert [False, True] == [is_away(AWAY_AFTER - 1), is_away(AWAY_AFTER)]
    assert [5_000, 10_000, 20_000] == [away_ms(AWAY_AFTER + more) for more in range(3)]
    assert 600_000 == away_ms(AWAY_AFTER + 7) == away_ms(10**9)
