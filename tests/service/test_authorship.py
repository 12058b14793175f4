"""Who wrote which update when, written down and read again."""

import hashlib
import zlib

import pytest

from crdt_sync.errors import Malformed
from crdt_sync.ports.stored import Author, StoredUpdate
from crdt_sync.service.authorship import Written, decode, encode

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ROWS = [
    StoredUpdate(7, 100, b"one", "ann", "sales", ("rep", "lead"), 1_000, TRACE),
    StoredUpdate(8, 105, b"\xff", "王", "tech", (), 2_000),
    StoredUpdate(9, 106, b"", "ann", "sales", ("rep",), 3_000),
]


def test_what_is_written_is_read_again():
    assert [
        Written(row.document_position, row.position, Author(row.actor, row.department, row.roles), row.at_ms,
                len(row.data), hashlib.sha256(row.data).hexdigest(), row.traceparent)
        for row in ROWS
    ] == decode(encode(ROWS))  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [b"", b"no zlib", zlib.compress(b"no json"), zlib.compress(b"{}"), zlib.compress(b'{"version":2}'),
     zlib.compress(b'{"updates":[[1,1,0,1,1,"",null]],"version":1,"who":[]}'), encode(ROWS)[:-1]],
)  # fmt: skip
def test_what_is_something_else_is_refused(data):
    with pytest.raises(Malformed):
        decode(data)


def test_many_updates_take_little_room_beside_their_hashes():
    rows = [StoredUpdate(n, n, b"%d" % n, "ann", "sales", ("rep",), 1_700_000_000_000 + n) for n in range(1, 501)]

    assert 500 * (32 + 20) > len(encode(rows))
