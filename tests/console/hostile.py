"""Byte strings that try a decoder: each limit met and passed, and what JSON readers take in different ways."""

import json
from collections.abc import Iterator

from property_tests.model import canonical, identify, sha

DIGEST = sha(b"a lifecycle")
PARENTS = sorted(identify(bytes([number])) for number in range(33))
TICKET = PARENTS[0]

MOVE = {
    "v": 1,
    "ticket": TICKET,
    "lane": "sales",
    "name": "quote",
    "actor": "ann",
    "roles": ["sales"],
    "after": [TICKET],
    "lifecycle": DIGEST,
    "payload": None,
    "at": 1_700_000_000_000,
}
OPENING = MOVE | {"ticket": None, "lane": "case", "name": "open", "after": [], "subject": "an order"}


def cases() -> Iterator[tuple[str, bytes]]:
    """Each under a name that says what it tries."""
    for name, changes in (GOOD_MOVES | _bad_moves()).items():
        yield f"move: {name}", canonical(MOVE | changes)
    for name, changes in OPENINGS.items():
        yield f"opening: {name}", canonical(OPENING | changes)
    for key in MOVE:
        yield f"move: without {key}", canonical({name: value for name, value in MOVE.items() if name != key})
    for key in OPENING:
        yield f"opening: without {key}", canonical({name: value for name, value in OPENING.items() if name != key})
    yield "opening: as it should be", canonical(OPENING)
    yield "move: 4096 bytes", _long(4096)
    yield "move: 4097 bytes", _long(4097)
    yield from _spellings()
    yield from _no_objects()


def _roles(count: int) -> dict:
    return {"roles": [f"role {number:02}" for number in range(count)]}


GOOD_MOVES = {
    "as it should be": {},
    "32 parents": {"after": PARENTS[:32]},
    "16 roles": _roles(16),
    "128 characters": {"actor": "a" * 128},
    "all that is printable": {"actor": "".join(map(chr, range(0x20, 0x7F)))},
    "the largest integer": {"at": 2**53 - 1},
    "the smallest integer": {"at": 0},
    "a payload": {"payload": DIGEST},
    "a lane called as what objects inherit": {"lane": "__proto__", "name": "constructor"},
}

OPENINGS = {
    "with a parent": {"after": [TICKET]},
    "with a ticket": {"ticket": TICKET},
    "under another name": {"name": "opened"},
    "512 characters": {"subject": "s" * 512},
    "513 characters": {"subject": "s" * 513},
    "an empty subject": {"subject": ""},
    "a subject beyond ASCII": {"subject": "票"},
    "a subject that is null": {"subject": None},
    "parents that are a text": {"after": ""},
    "parents that are an object": {"after": {}},
}


def _bad_moves() -> dict[str, dict]:
    words = {
        "empty": "",
        "of 129 characters": "a" * 129,
        "with a control character": "a\nb",
        "with U+0000": "\0",
        "with U+007F": "\x7f",
        "beyond ASCII": "é",
        "beyond the first plane": "😀",
        "that is a number": 7,
        "that is null": None,
        "that is a list": ["a"],
    }
    integers = {
        "2^53": 2**53,
        "2^64": 2**64,
        "negative": -1,
        "a fraction": 1.5,
        "true": True,
        "a text": "1",
        "null": None,
    }
    digests = {
        "upper-case": DIGEST.upper(),
        "63 digits": DIGEST[1:],
        "65 digits": DIGEST + "0",
        "a line end": DIGEST + "\n",
    }
    ids = {
        "51 characters": TICKET[:51],
        "53 characters": TICKET + "a",
        "upper-case": TICKET.upper(),
        "another last character": TICKET[:51] + "b",
        "a line end": TICKET + "\n",
        "a number": 1,
    }
    found = {f"{key} {what}": {key: word} for key in ("lane", "name", "actor") for what, word in words.items()}
    found |= {f"a role {what}": {"roles": [word]} for what, word in words.items()}
    found |= {f"at: {what}": {"at": value} for what, value in integers.items()}
    found |= {f"v: {what}": {"v": value} for what, value in (integers | {"2": 2, "0": 0}).items()}
    found |= {
        f"payload: {what}": {"payload": value} for what, value in (digests | {"empty": "", "false": False}).items()
    }
    found |= {f"lifecycle: {what}": {"lifecycle": value} for what, value in (digests | {"null": None}).items()}
    found |= {f"ticket: {what}": {"ticket": value} for what, value in (ids | {"null": None}).items()}
    found |= {f"a parent: {what}": {"after": [value]} for what, value in ids.items()}
    return found | {
        "33 parents": {"after": PARENTS},
        "no parents": {"after": []},
        "parents out of order": {"after": [PARENTS[1], PARENTS[0]]},
        "a parent twice": {"after": [TICKET, TICKET]},
        "parents that are null": {"after": None},
        "17 roles": _roles(17),
        "no roles": {"roles": []},
        "roles out of order": {"roles": ["b", "a"]},
        "a role twice": {"roles": ["a", "a"]},
        "roles that are a text": {"roles": "sales"},
        "a subject": {"subject": "an order"},
        "the name of an opening": {"name": "open"},
        "one more key": {"zz": 1},
        "a key called as what objects inherit": {"__proto__": {}},
        "an empty key": {"": 1},
    }


def _long(size: int) -> bytes:
    """A good move but for its size."""
    words = [f"{number:02}" + "r" * 126 for number in range(14)]
    fields = MOVE | {"after": PARENTS[:32], "roles": words, "actor": "a"}
    return canonical(fields | {"actor": "a" * (1 + size - len(canonical(fields)))})


def _spellings() -> Iterator[tuple[str, bytes]]:
    line = canonical(MOVE)
    at = b'"at":1700000000000'
    for number in (
        b"-0",
        b"0.0",
        b"1.0",
        b"1e3",
        b"1E3",
        b"01",
        b"+1",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1" * 400,
        b"1e999",
    ):
        yield f"number: {number[:9].decode()}", line.replace(at, b'"at":' + number)
    yield "number: 2^53 + 1", line.replace(at, b'"at":9007199254740993')
    texts = {
        "a needless escape": rb"\u0061nn",
        "an escaped slash": rb"a\/b",
        "an upper-case escape": rb"\u000A",
        "a lone surrogate, escaped": rb"\ud800",
        "a lone low surrogate, escaped": rb"\udc00",
        "a pair of surrogates, escaped": rb"\ud83d\ude00",
        "a lone surrogate in bytes": b"\xed\xa0\x80",
        "half a character": b"\xc3",
        "an overlong character": b"\xc0\xaf",
        "a byte that is never UTF-8": b"\xff",
        "beyond U+10FFFF": b"\xf4\x90\x80\x80",
        "a raw line end": b"\n",
        "an unknown escape": rb"\x41",
        "an open escape": rb"\u00",
    }
    for name, text in texts.items():
        yield f"text: {name}", line.replace(b'"ann"', b'"' + text + b'"')
    yield "keys: one twice, equal", line.replace(b'"v":1', b'"v":1,"v":1')
    yield "keys: one twice, the last one good", line.replace(b'"v":1', b'"v":2,"v":1')
    yield "keys: one twice, the first one good", line.replace(b'"v":1', b'"v":1,"v":2')
    yield "keys: in the order of the file", json.dumps(MOVE, separators=(",", ":")).encode()
    yield "keys: one escaped", line.replace(b'"v"', rb'"\u0076"')
    yield "space: after a comma", line.replace(b",", b", ")
    yield "space: before it", b" " + line
    yield "space: a line feed after it", line + b"\n"
    yield "space: a carriage return after it", line + b"\r"
    yield "space: a no-break space", line.replace(b",", b",\xc2\xa0")
    yield "more: a second value", line + line
    yield "more: a comma at the end", line[:-1] + b",}"
    yield "more: a comment", line + b"//"
    yield "less: its last byte", line[:-1]
    yield "less: its first byte", line[1:]
    yield "coding: a byte order mark", b"\xef\xbb\xbf" + line
    yield "coding: UTF-16", line.decode().encode("utf-16")
    yield "coding: UTF-16 without a mark", line.decode().encode("utf-16-le")
    yield "coding: UTF-32", line[:200].decode().encode("utf-32")
    yield "coding: single quotes", line.replace(b'"', b"'")


def _no_objects() -> Iterator[tuple[str, bytes]]:
    values = (
        b"",
        b" ",
        b"null",
        b"true",
        b"0",
        b"-",
        b'""',
        b'"',
        b"[]",
        b"{}",
        b"[1]",
        b'{"v":1}',
        b"\0",
        b"undefined",
    )
    for value in values:
        yield f"value: {value.decode()!r}", value
    yield "deep: 4096 lists", b"[" * 4096
    yield "deep: 2048 lists, closed", b"[" * 2048 + b"]" * 2048
    yield "deep: 800 objects", b'{"a":' * 800 + b"1" + b"}" * 800
    yield "deep: objects under a good key", canonical(MOVE).replace(b'"ann"', b'{"a":' * 400 + b"1" + b"}" * 400)
    yield "size: 4096 digits", b"9" * 4096
    yield "size: 4097 digits", b"9" * 4097
    yield "size: 4097 bytes that are no UTF-8", b"\xff" * 4097
    yield "size: 4097 blanks", b" " * 4097
