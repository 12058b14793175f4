import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.errors import Malformed, TooLarge
from crdt_sync.wire import hocuspocus as hp
from crdt_sync.wire import lib0, limits, ysync
from tests.wire import vectors

NOT_SENT = {"SyncReply", "BroadcastStateless"}  # frames of other servers, which we read and never write


def encode(found: hp.Addressed | hp.Ping | hp.Pong) -> bytes:
    match found:
        case hp.Ping():
            return hp.encode_ping()
        case hp.Pong():
            return hp.encode_pong()
    address = found.address
    match found.frame:
        case ysync.Step1(vector):
            return hp.encode_step1(address, vector)
        case ysync.Step2(update):
            return hp.encode_step2(address, update)
        case ysync.Update(update):
            return hp.encode_update(address, update)
        case ysync.Awareness(states):
            return hp.encode_awareness(address, states)
        case ysync.QueryAwareness():
            return hp.encode_query_awareness(address)
        case hp.Token(token, version):
            return hp.encode_token(address, token, version)
        case hp.TokenRequest():
            return hp.encode_token_request(address)
        case hp.PermissionDenied(reason):
            return hp.encode_permission_denied(address, reason)
        case hp.Authenticated(read_only):
            return hp.encode_authenticated(address, read_only=read_only)
        case hp.Stateless(payload):
            return hp.encode_stateless(address, payload)
        case hp.Close(reason):
            return hp.encode_close(address, reason)
        case hp.SyncStatus(accepted):
            return hp.encode_sync_status(address, accepted=accepted)
    raise AssertionError(found)


@vectors.good("hocuspocus")
def test_golden_frames_are_read_and_written(row):
    data = bytes.fromhex(row["hex"])
    found = hp.decode(data)
    frame = found.frame if isinstance(found, hp.Addressed) else found
    assert row["frame"] == vectors.described(frame)
    if isinstance(found, hp.Addressed):
        assert (row["address"].encode(), row["document"]) == (found.address, found.document)
    if row["frame"]["type"] not in NOT_SENT:
        assert data == encode(found)


@vectors.malformed("hocuspocus")
def test_golden_malformed_frames_are_refused(row):
    with pytest.raises(Malformed):
        hp.decode(bytes.fromhex(row["hex"]))


def test_only_optional_tails_may_be_cut_off():
    whole = bytes.fromhex("0164" + "0200" + "03746f6b" + "05342e372e30")
    readable = {cut for cut in range(len(whole)) if is_frame(whole[:cut])}
    assert readable == {len("\1d\2\0"), len("\1d\2\0\3tok")}  # a token request, and the token of an older provider


def is_frame(data: bytes) -> bool:
    try:
        hp.decode(data)
    except Malformed:
        return False
    return True


@given(st.one_of(st.binary(max_size=40), st.binary(max_size=30).map(lambda tail: b"\x01d" + tail)))
def test_any_bytes_are_one_frame_or_an_error_of_ours(data):
    try:
        found = hp.decode(data)
    except (Malformed, TooLarge):
        return
    if not (isinstance(found, hp.Addressed) and type(found.frame).__name__ in NOT_SENT):
        assert data == encode(found)


def test_a_document_name_may_have_256_bytes_of_utf8():
    name = "é" * 128
    assert name == hp.decode(hp.encode_close(name.encode() + b"\0abc")).document
    with pytest.raises(Malformed, match="names no document"):
        hp.decode(hp.encode_close(name.encode() + b"a"))


@pytest.mark.parametrize(
    "data",
    [
        lib0.var_bytes(b"d" * (limits.ADDRESS_BYTES_MAX + 1)) + b"\x07",
        hp.encode_token(b"d", "t" * (limits.TOKEN_BYTES_MAX + 1)),
        hp.encode_close(b"d", "r" * (limits.TEXT_BYTES_MAX + 1)),
        hp.encode_update(b"d", bytes(limits.FRAME_BYTES_MAX)),
    ],
    ids=["address", "token", "reason", "frame"],
)
def test_what_is_over_its_cap_is_too_large(data):
    with pytest.raises(TooLarge):
        hp.decode(data)
