import sys

import pytest
import structlog

from crdt_sync.errors import TooLarge, Unavailable
from crdt_sync.server import picows_reader
from crdt_sync.server.frame_readers import choose
from crdt_sync.wire import limits
from crdt_sync.wire.websocket import Violation
from tests.codecs.differential import Hearing
from tests.server.fakes import masked

FRAMES = [
    (2, True, b""),
    (2, True, b"x" * 125),
    (1, False, b"a"),
    (9, True, b"?"),
    (0, True, b"y" * 70_000),
    (8, True, b""),
]
WHOLE = b"".join(masked(payload, opcode, fin=fin) for opcode, fin, payload in FRAMES)


@pytest.fixture(params=["picows", "websockets"])
async def readers(request):
    return choose(request.param)


def fed(reader, *pieces):
    """What a reader found, and whether it holds more."""
    found, held = [], False
    for piece in pieces:
        held = reader.feed(piece, lambda *frame: found.append(frame))
    return found, held


async def test_frames_are_found_whole_and_in_order(readers):
    assert (FRAMES, False) == fed(readers.take(), WHOLE)


@pytest.mark.parametrize("size", [1, 7, 1_791, 1_792, 1_793])
async def test_frames_are_found_however_they_are_cut(readers, size):
    pieces = [WHOLE[at : at + size] for at in range(0, len(WHOLE), size)]

    assert (FRAMES, False) == fed(readers.take(), *pieces)


async def test_a_reader_holds_what_is_not_whole_at_every_byte_but_the_last(readers):
    frame = masked(b"x" * 126)
    reader = readers.take()

    assert [True] * (len(frame) - 1) + [False] == [fed(reader, bytes((byte,)))[1] for byte in frame]


async def test_one_reader_serves_sockets_in_turn(readers):
    first = readers.take()
    fed(first, masked(b"a"))
    readers.give_back(first)
    second = readers.take()

    assert first is second
    assert readers.take() is not second
    assert ([(2, True, b"b")], False) == fed(second, masked(b"b"))


async def test_a_close_frame_of_one_socket_is_not_the_next_ones(readers):
    for _ in range(2):
        reader = readers.take()
        assert ([(8, True, b"\x03\xe8")], False) == fed(reader, masked(b"\x03\xe8", 8))
        readers.give_back(reader)


@pytest.mark.parametrize(
    "data",
    [
        b"\x82\x01a",
        masked(b"", 3),
        masked(b"", 11),
        *(masked(b"", bits=bits) for bits in (1, 2, 4)),
        masked(b"", 9, fin=False),
        masked(b"x" * 126, 9),
        b"\x82\xfe\0\3" + b"\0" * 7,
        b"\x82\xff" + (200).to_bytes(8, "big"),
        b"\x82\xff" + (2**64 - 1).to_bytes(8, "big"),
        b"\x89\xff" + limits.FRAME_BYTES_MAX.to_bytes(8, "little"),
    ],
    ids=[
        "unmasked",
        "opcode 3",
        "opcode 11",
        "rsv3",
        "rsv2",
        "rsv1",
        "fragmented ping",
        "long ping",
        "long form",
        "longer form",
        "64 bits",
        "oversize ping",
    ],
)
async def test_no_frame_is_a_violation_after_those_before_it(readers, data):
    found = []
    with pytest.raises(Violation) as caught:
        readers.take().feed(masked(b"before") + data, lambda *frame: found.append(frame))

    assert ("protocol", [(2, True, b"before")]) == (caught.value.code, found)


@pytest.mark.parametrize(
    ("payload", "code"),
    [(b"x", "protocol"), (b"\0\1", "protocol"), (b"\x13\x88", "protocol"), (b"\x03\xe8\xff", "not_utf8")],
)
async def test_a_close_frame_that_is_none_has_its_code_whoever_finds_it(readers, payload, code):
    hearing = Hearing(readers.take())
    hearing.hear(masked(payload, 8))

    assert ([], code) == (hearing.said, hearing.refused.code)


async def test_an_oversize_frame_is_refused_by_its_head_alone(readers):
    head = b"\x82\xff" + (limits.FRAME_BYTES_MAX + 1).to_bytes(8, "big")
    with pytest.raises(TooLarge) as caught:
        fed(readers.take(), head)
    assert "frame_size" == caught.value.code


async def test_a_frame_at_the_limit_is_read(readers):
    head = b"\x82\xff" + limits.FRAME_BYTES_MAX.to_bytes(8, "big") + b"\0\0\0\0"
    found, held = fed(readers.take(), head, b"x" * limits.FRAME_BYTES_MAX)

    assert (limits.FRAME_BYTES_MAX, False) == (len(found[0][2]), held)


async def test_auto_takes_picows():
    assert "picows" == choose("auto").name


@pytest.mark.parametrize("how", ["missing", "changed"])
async def test_without_picows_auto_takes_websockets_and_says_so(monkeypatch, how):
    if how == "missing":
        monkeypatch.setitem(sys.modules, "crdt_sync.server.picows_reader", None)
        monkeypatch.delattr("crdt_sync.server.picows_reader")
    else:
        monkeypatch.setattr(picows_reader, "PicowsReader", lambda: None)
    with structlog.testing.capture_logs() as lines:
        assert "websockets" == choose("auto").name
    assert ["picows cannot be used, websockets is slower"] == [line["event"] for line in lines]
    with pytest.raises(Unavailable) as caught:
        choose("picows")
    assert "picows" == caught.value.code
