"""Histories by seed: the same ones on every machine and with every version of every tool."""

import random
from collections.abc import Iterator

from property_tests.model import canonical, identify, sha
from property_tests.strategies import ABSENT, PAYLOADS, History

INSERTED = (b" ", b"\n", b",", b'"', b"\\", b"\0", b"\xc3\xa9", b"\xed\xa0\x80", b"\xff")
VALUES = (
    b"-0", b"0", b"1.0", b"1e1", b"9007199254740991", b"9007199254740992", b"NaN", b"null", b"true", b"[]", b"{}",
    b'""', b'"a"', b'"\\ud800"', b'"\\u0061"', b'"\xff"', b'"\xc3\xa9"',
)  # fmt: skip


def history(spec: dict, seed: int, *, steps: int) -> History:
    """People who have seen all, or only a part, make moves; one of eight is odd: inert, misplaced or no record."""
    dice = random.Random(seed)
    told = History(spec)
    told.open(subject=f"seed {seed}")
    for _ in range(steps):
        lines = list(told.lines)
        seen = lines if dice.random() < 0.4 else dice.sample(lines[-8:], min(len(lines), dice.choice([1, 1, 2, 3])))
        enabled = told.enabled(seen)
        if dice.random() < 0.125 or not enabled:
            _odd(told, dice, seen)
        else:
            told.add(told.record(*_picked(told, dice, enabled), seen, payload=dice.choice(PAYLOADS)))
    return told


def _picked(told: History, dice: random.Random, enabled: list[tuple[str, str]]) -> tuple[str, str]:
    """A settlement rather than another move, since few states allow one."""
    settling = [(lane, name) for lane, name in enabled if "settles" in told.spec["lanes"][lane]["transitions"][name]]
    return dice.choice(settling if settling and dice.random() < 0.6 else enabled)


def _odd(told: History, dice: random.Random, seen: list[str]) -> None:
    lane = dice.choice([*told.spec["lanes"], "nowhere"])
    name = dice.choice([*told.spec["lanes"].get(lane, {}).get("transitions", {}), "upgrade"])
    record = told.record(lane, name, seen)
    changes = [
        {},
        {"roles": ["nobody"]},
        {"ticket": ABSENT},
        {"lifecycle": sha(b"?")},
        {"after": sorted(dice.sample(list(told.lines), min(len(told.lines), 3)))},
    ]
    match dice.randrange(8):
        case 5:
            told.strays.append(canonical(record | {"after": sorted({*record["after"], ABSENT})}))
        case 6:
            opening = told.line_of_opening(subject=f"another of {len(told.strays)}")
            told.strays += [opening, canonical(record | {"after": [identify(opening)]})]
        case 7:
            told.strays.append(canonical(record)[: dice.randrange(1, 300)])
        case plain:
            told.add(record | changes[plain])


def mutants(lines: list[bytes], seed: int, count: int) -> Iterator[bytes]:
    """G3: records with some bytes changed, cut, doubled or put in, or a value replaced."""
    dice = random.Random(seed)
    for _ in range(count):
        line = dice.choice(lines)
        for _ in range(dice.choice([1, 1, 1, 2, 3])):
            line = _mutated(line, dice) or b"{"
        yield line


def _mutated(line: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(line))
    before, here, after = line[:place], line[place : place + 1], line[place + 1 :]
    match dice.randrange(7):
        case 0:
            return before + bytes([dice.randrange(256)]) + after
        case 1:
            return before + bytes([here[0] ^ 1 << dice.randrange(8)]) + after
        case 2:
            return before + after[dice.choice([0, 0, 1, 52]) :]
        case 3:
            return before + line[place : place + dice.choice([1, 2, 60])] * 2 + after
        case 4:
            return before + dice.choice(INSERTED) + here + after
        case 5:
            return line[:-1] + b" " * dice.choice([1, 4096 - len(line), 4097 - len(line)]) + line[-1:]
        case _:
            key, colon, rest = line.partition(
                dice.choice([b'"v":', b'"at":', b'"actor":', b'"payload":', b'"ticket":'])
            )
            value = rest.partition(b",")[0]
            return key + colon + dice.choice(VALUES) + rest[len(value) :]
