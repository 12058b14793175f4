import hashlib
import json

import pytest

from crdt_sync.domain.transition import Transition, Undecodable, decode, entry_key, make
from crdt_sync.errors import Malformed

ID_A = "a" * 52
ID_B = "b" * 51 + "q"
DIGEST = "0" * 64
MOVE = {
    "v": 1,
    "ticket": ID_A,
    "lane": "sales",
    "name": "sign",
    "actor": "s1",
    "roles": ["lead", "sales"],
    "after": [ID_A, ID_B],
    "lifecycle": DIGEST,
    "payload": None,
    "at": 7,
}
OPENING = MOVE | {"ticket": None, "lane": "case", "name": "open", "after": [], "subject": "order 1"}


def written(fields: object) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decoded(fields: object) -> Transition:
    result = decode(written(fields))
    assert isinstance(result, Transition)
    return result


def test_a_canonical_move_decodes_to_its_fields():
    move = decoded(MOVE)

    assert ("sales", "sign", "s1", 7) == (move.lane, move.name, move.actor, move.at)
    assert (("lead", "sales"), (ID_A, ID_B)) == (move.roles, move.after)
    assert (ID_A, DIGEST, None, None) == (move.ticket, move.lifecycle, move.payload, move.subject)
    assert not move.is_opening
    assert written(MOVE).decode() == move.record


def test_an_opening_decodes_with_its_subject_and_no_ticket():
    opening = decoded(OPENING)

    assert opening.is_opening
    assert (None, "order 1") == (opening.ticket, opening.subject)


def test_the_id_is_the_hash_of_prefix_and_bytes():
    """A golden value: the TypeScript implementation must give the same."""
    assert "x2z5te5vsjnfdrhqaixytmzfkeury6hmr5geqjsqgbr4pwyhgzwa" == decoded(OPENING).id


def test_4096_bytes_decode_and_one_more_is_size():
    large = MOVE | {
        "roles": [f"{n:02}" + "r" * 126 for n in range(16)],
        "after": sorted(letter * 51 + last for letter in "abcdefghijklmnop" for last in "aq"),
    }
    name = "n" * (4096 - len(written(large | {"name": ""})))

    assert name == decoded(large | {"name": name}).name
    assert Undecodable.SIZE == decode(written(large | {"name": name + "n"}))


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"v": "1"},
        {"ticket": None},
        {"ticket": ID_A[:-1] + "b"},
        {"ticket": ID_A + "\n"},
        {"lane": ""},
        {"lane": "s" * 129},
        {"lane": "sälès"},
        {"lane": None},
        {"name": "open"},
        {"name": "tab\t"},
        {"actor": "del\x7f"},
        {"actor": 5},
        {"roles": []},
        {"roles": ["sales", "lead"]},
        {"roles": ["sales", "sales"]},
        {"roles": [f"{n:02}" for n in range(17)]},
        {"roles": "sales"},
        {"roles": {"sales": 1}},
        {"after": []},
        {"after": [ID_B, ID_A]},
        {"after": [ID_A, ID_A]},
        {"after": [7]},
        {"after": None},
        {"after": sorted(a + b + "a" * 50 for a in "abcdef" for b in "abcdef")[:33]},
        {"lifecycle": "0" * 63},
        {"lifecycle": "A" * 64},
        {"lifecycle": None},
        {"payload": ""},
        {"payload": 0},
        {"at": -1},
        {"at": 2**53},
        {"at": 1.0},
        {"at": True},
        {"at": None},
        {"subject": "a move has none"},
        {"extra": 1},
    ],
)
def test_a_move_out_of_bounds_is_malformed(change):
    assert Undecodable.MALFORMED == decode(written(MOVE | change))


@pytest.mark.parametrize(
    "change",
    [
        {"ticket": ID_A},
        {"name": "start"},
        {"after": [ID_A]},
        {"subject": ""},
        {"subject": "s" * 513},
        {"subject": None},
        {"subject": "光纤"},
    ],
)
def test_a_mixture_of_opening_and_move_is_malformed(change):
    assert Undecodable.MALFORMED == decode(written(OPENING | change))


@pytest.mark.parametrize("missing", sorted(OPENING))
def test_an_opening_without_one_of_its_keys_is_malformed(missing):
    assert Undecodable.MALFORMED == decode(written({key: value for key, value in OPENING.items() if key != missing}))


def test_the_bounds_themselves_decode():
    decoded(MOVE | {"lane": "s" * 128, "actor": " ~", "at": 2**53 - 1, "payload": "f" * 64})
    decoded(MOVE | {"roles": [f"{n:02}" for n in range(16)], "at": 0})
    decoded(MOVE | {"after": sorted(a + b + "a" * 50 for a in "abcdef" for b in "abcdef")[:32]})
    decoded(OPENING | {"subject": "s" * 512})
    decoded(MOVE | {"actor": 'quote " and \\'})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"text"',
        b"NaN",
        b"\xff\xfe",
        b"\xef\xbb\xbf" + written(MOVE),
        written(MOVE).decode().encode("utf-16"),
        b"[" * 4096,
        b'{"a":' * 800,
        b"9" * 4096,
        written(MOVE) + b"\n",
        b" " + written(MOVE),
        written(MOVE).replace(b'"at":7', b'"at":-0'),
        written(MOVE).replace(b'"at":7', b'"at":7e0'),
        written(MOVE).replace(b'"at":7', b'"at":NaN'),
        written(MOVE).replace(b'"at":7', b'"at":07'),
        written(MOVE).replace(b'"at":7', b'"at": 7'),
        written(MOVE).replace(b'"at":7', b'"at":7,"at":7'),
        written(MOVE).replace(b'"actor":"s1"', b'"actor":"\\u0073\\u0031"'),
        written(MOVE).replace(b'"actor":"s1"', b'"actor":"\\ud800"'),
        written(MOVE).replace(b'"actor":"s1"', b'"actor":"s\\/1"'),
        written(MOVE).replace(b'"at":7,', b"").replace(b"{", b'{"at":7,', 1).replace(b'"v":1', b'"v":1.0'),
        json.dumps(MOVE, separators=(",", ":")).encode(),
    ],
)
def test_hostile_bytes_are_malformed_and_never_raise(data):
    assert Undecodable.MALFORMED == decode(data)


def test_make_sorts_roles_and_parents():
    made = make(ticket=ID_A, lane="sales", name="sign", actor="s1", roles=["sales", "lead"], after=[ID_B, ID_A],
                lifecycle=DIGEST, at=7)  # fmt: skip

    assert decoded(MOVE) == made


def test_make_opens_a_ticket():
    made = make(ticket=None, lane="case", name="open", actor="s1", roles=["sales", "lead"], after=[], lifecycle=DIGEST,
                at=7, subject="order 1")  # fmt: skip

    assert decoded(OPENING) == made


@pytest.mark.parametrize("actor", ["", "销售", "\ud800", "a" * 129])
def test_make_refuses_what_nobody_could_decode(actor):
    with pytest.raises(Malformed) as refused:
        make(ticket=ID_A, lane="l", name="n", actor=actor, roles=["r"], after=[ID_A], lifecycle=DIGEST, at=0)

    assert "malformed" == refused.value.code
    assert refused.value.advice


@pytest.mark.parametrize("subject", ["", "光纤", "s" * 513, "a\n"])
def test_make_says_what_a_subject_is(subject):
    with pytest.raises(Malformed, match="A subject has") as refused:
        make(ticket=None, lane="case", name="open", actor="s1", roles=["sales"], after=[], lifecycle=DIGEST,
             at=7, subject=subject)  # fmt: skip

    assert "malformed" == refused.value.code


def test_make_tells_that_a_record_is_too_large():
    with pytest.raises(Malformed) as refused:
        make(ticket=ID_A, lane="l", name="n", actor="a" * 5000, roles=["r"], after=[ID_A], lifecycle=DIGEST, at=0)

    assert "size" == refused.value.code


def test_an_entry_is_keyed_by_its_id_or_by_the_hash_of_its_bytes():
    assert decoded(MOVE).id == entry_key(written(MOVE))
    assert hashlib.sha256(b"rubbish").hexdigest() == entry_key(b"rubbish")
