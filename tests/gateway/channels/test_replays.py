from gateway.channels import replays
from gateway.channels.replays import Replays


def test_what_is_signed_is_good_for_one_body():
    seen = Replays(window_s=10)
    assert seen.admit("a", b"one", now_ms=0)
    assert seen.admit("a", b"one", now_ms=1)
    assert not seen.admit("a", b"two", now_ms=2)
    assert seen.admit("b", b"two", now_ms=3)


def test_signature_is_remembered_for_two_windows_as_its_time_may_lie_on_either_side_of_now():
    seen = Replays(window_s=10)
    assert seen.admit("a", b"one", now_ms=0)
    assert not seen.admit("a", b"two", now_ms=20_000)
    assert seen.admit("a", b"two", now_ms=20_001)


def test_oldest_is_given_up_where_there_are_too_many(monkeypatch):
    monkeypatch.setattr(replays, "_SIGNATURES_MAX", 2)
    seen = Replays(window_s=10)
    for signed in ("a", "b", "c"):
        assert seen.admit(signed, b"one", now_ms=0)
    assert not seen.admit("c", b"two", now_ms=0)
    assert seen.admit("a", b"two", now_ms=0)
