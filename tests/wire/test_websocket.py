import pytest

from crdt_sync.errors import Malformed, TooLarge
from crdt_sync.wire import websocket
from crdt_sync.wire.websocket import Message, Violation


def test_the_handshake_is_answered_as_in_the_rfc():
    assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" == websocket.accept("dGhlIHNhbXBsZSBub25jZQ==")


@pytest.mark.parametrize("key", [None, "", "AAAA", "A" * 23 + "=", "dGhlIHNhbXBsZSBub25jZQ", "单" * 24])
def test_a_key_that_is_none_is_refused(key):
    with pytest.raises(Malformed) as caught:
        websocket.accept(key)
    assert "handshake" == caught.value.code


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "8200"),
        (125, "827d"),
        (126, "827e007e"),
        (65_535, "827effff"),
        (65_536, "827f0000000000010000"),
    ],
)
def test_a_message_is_one_unmasked_frame(size, head):
    payload = b"x" * size

    assert bytes.fromhex(head) + payload == websocket.frame(payload)


def test_a_close_frame_has_a_code_and_a_reason_that_is_cut_between_characters():
    assert bytes.fromhex("887d113e") + ("单" * 41).encode() == websocket.close_frame(4414, "单" * 50)


def test_a_close_frame_without_a_code_is_answered_by_one_without():
    assert bytes.fromhex("8800") == websocket.close_frame(websocket.close_code(b""), "")


@pytest.mark.parametrize(
    ("payload", "code"),
    [(b"", 1005), (b"\x03\xe8", 1000), (b"\x03\xe9bye", 1001), (b"\x11\x94", 4500)],
)
def test_the_other_sides_close_code_is_read(payload, code):
    assert code == websocket.close_code(payload)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"\x03", "protocol"),
        (b"\x03\xed", "protocol"),
        (b"\x13\x88", "protocol"),
        (b"\0\0", "protocol"),
        (b"\x03\xe8\xff", "not_utf8"),
    ],
)
def test_a_close_frame_that_may_not_be_sent_is_a_violation(payload, code):
    with pytest.raises(Violation) as caught:
        websocket.close_code(payload)
    assert code == caught.value.code


def taken(*frames, bytes_max=10):
    message = Message()
    return [message.take(opcode, payload, fin=fin, bytes_max=bytes_max) for opcode, payload, fin in frames]


def test_fragments_become_one_message():
    assert [None, None, b"abc"] == taken((2, b"a", False), (0, b"b", False), (0, b"c", True))
    assert [None, "单"] == taken((1, "单".encode()[:1], False), (0, "单".encode()[1:], True))
    assert [b"a", "b"] == taken((2, b"a", True), (1, b"b", True))


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(0, b"a", True)], "protocol"),
        ([(2, b"a", False), (2, b"b", True)], "protocol"),
        ([(1, b"\xff", True)], "not_utf8"),
        ([(1, b"\xe5", False), (0, b"a", True)], "not_utf8"),
    ],
    ids=["a fragment of nothing", "a message within one", "no text", "no text in fragments"],
)
def test_what_makes_no_message_is_a_violation(frames, code):
    with pytest.raises(Violation) as caught:
        taken(*frames)
    assert code == caught.value.code


def test_fragments_are_bounded_together():
    assert [None, b"x" * 10] == taken((2, b"x" * 5, False), (0, b"x" * 5, True))
    with pytest.raises(TooLarge):
        taken((2, b"x" * 5, False), (0, b"x" * 6, False))
