import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.errors import Malformed, TooLarge
from crdt_sync.wire import lib0, limits, ysync
from tests.wire import vectors

ENCODERS = {
    "Step1": ysync.encode_step1,
    "Step2": ysync.encode_step2,
    "Update": ysync.encode_update,
    "Awareness": ysync.encode_awareness,
    "QueryAwareness": ysync.encode_query_awareness,
    "Denied": ysync.encode_denied,
}


def encode(frame: ysync.Frame) -> bytes:
    return ENCODERS[type(frame).__name__](*(getattr(frame, name) for name in frame.__slots__))


@vectors.good("ysync")
def test_golden_frames_are_read_and_written(row):
    data = bytes.fromhex(row["hex"])
    frame = ysync.decode(data)
    assert row["frame"] == vectors.described(frame)
    assert data == encode(frame)


@vectors.malformed("ysync")
def test_golden_malformed_frames_are_refused(row):
    with pytest.raises(Malformed):
        ysync.decode(bytes.fromhex(row["hex"]))


@vectors.good("ysync")
def test_a_frame_that_ends_early_is_refused_at_every_byte(row):
    data = bytes.fromhex(row["hex"])
    for cut in range(len(data)):
        with pytest.raises(Malformed):
            ysync.decode(data[:cut])


@given(st.binary(max_size=40))
def test_any_bytes_are_one_frame_or_an_error_of_ours(data):
    try:
        frame = ysync.decode(data)
    except (Malformed, TooLarge):
        return
    assert data == encode(frame)


def test_a_frame_above_the_cap_is_too_large():
    frame = ysync.encode_update(bytes(limits.FRAME_BYTES_MAX - 6))
    assert len(frame) == limits.FRAME_BYTES_MAX
    ysync.decode(frame)
    with pytest.raises(TooLarge):
        ysync.decode(frame + b"\x00")


def test_a_long_reason_is_too_large():
    with pytest.raises(TooLarge):
        ysync.decode(b"\x02\x00" + lib0.var_string("a" * (limits.TEXT_BYTES_MAX + 1)))
