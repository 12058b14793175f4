"""Writes `proto/vectors` of the lifecycle, which Python and TypeScript are both held to: `make vectors`.

lifecycles.jsonl   {"name", "digest", "file": the parsed file}
transitions.jsonl  {"name", "text" or "hex": the bytes, "id" or "code": what they decode to}
phrases.jsonl      {"language", "phrase", "text"}
folds.jsonl        {"name", "lifecycle", "any_digest", "lines", "state": what the fold prints, "en", "zh": why}

Nothing here is random, so that writing them again changes nothing; a test holds the files to that.
"""

import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from crdt_sync.adapters.lifecycle_files import read
from crdt_sync.domain.canonical import dumps
from crdt_sync.domain.lifecycle import stories
from crdt_sync.domain.lifecycle.explain import explain
from crdt_sync.domain.lifecycle.fold import Fold, fold_lines
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.lifecycle.phrases import PHRASES
from crdt_sync.domain.transition import Transition, decode
from property_tests.model import canonical, identify, sha
from property_tests.small import small_lifecycles
from property_tests.strategies import ABSENT, SHIPPED, History, shipped, text_of, told
from tests.console import hostile, seeded

FOLDER = Path(__file__).parents[2] / "proto" / "vectors"
SMALL = range(0, 48, 6)  # which of the small lifecycles, from the smallest to the largest
SEEDS_OF_SHIPPED = 5  # histories of each shipped file
STEPS = 14

# Passes L1 and L2 and no more: heads can overtake each other in a circle, the stage table has a gap, and one entry of
# `owes` names two lanes.
UNSOUND = {
    "lifecycle": "unsound",
    "version": 1,
    "open": {"by": ["office"]},
    "lanes": {
        "case": {
            "owner": "office",
            "control": True,
            "initial": "low",
            "states": ["low", "one", "two"],
            "order": ["low < one"],
            "conflicts": {"split": ["one", "two"]},
            "transitions": {
                "one": {"from": "low", "to": "one"},
                "two": {"from": "low", "to": "two"},
                "down": {"settles": "split", "to": "low"},
            },
        },
        "work": {
            "owner": "works",
            "initial": "idle",
            "states": ["idle", "done"],
            "order": ["idle < done"],
            "transitions": {"do": {"from": "idle", "to": "done", "if": {"stage": "!start"}}},
        },
    },
    "stages": [
        {
            "stage": "start",
            "kind": "normal",
            "when": {"case": "low"},
            "owes": [{"case": ["one", "two"], "work": ["do"]}],
        },
        {"stage": "going", "kind": "attention", "when": {"case": ["one", "two"]}},
    ],
}


def specs() -> dict[str, dict]:
    """The files by name: all that ship, and others that are smaller or worse."""
    small = small_lifecycles()
    return (
        {path.stem: shipped(path.stem) for path in sorted(SHIPPED.glob("*.yaml"))}
        | {f"small-{number}": small[number] for number in SMALL}
        | {"unsound": UNSOUND}
    )


def lifecycle(spec: dict) -> Lifecycle:
    """The lifecycle of a file that can be folded, proven or not."""
    return _lifecycle(text_of(spec))


@functools.cache
def _lifecycle(text: str) -> Lifecycle:
    found = read(text).lifecycle
    assert found, "the file passes L1 and L2"
    return found


def lifecycles() -> Iterator[dict]:
    for name, spec in specs().items():
        yield {"name": name, "digest": lifecycle(spec).digest, "file": spec}


def transitions() -> Iterator[dict]:
    for name, data in sorted(hostile.cases()):
        decoded = decode(data)
        result = {"id": decoded.id} if isinstance(decoded, Transition) else {"code": decoded.value}
        yield {"name": name} | _bytes(data) | result


def _bytes(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"hex": data.hex()}


def phrases() -> Iterator[dict]:
    for language, table in PHRASES.items():
        for phrase, text in table.items():
            yield {"language": language, "phrase": phrase, "text": text}


def folds() -> Iterator[dict]:
    files = specs()
    for name, spec in files.items():
        found = lifecycle(spec)
        for story in found.stories:
            records = stories.transitions(found, story).values()
            yield fold(f"{name}: {story.name}", name, spec, [record.record.encode() for record in records])
    for name, spec in files.items():
        for seed in range(SEEDS_OF_SHIPPED if "stories" in spec else 2):
            yield fold(f"{name}: seed {seed}", name, spec, seeded.history(spec, seed, steps=STEPS).all_lines)
    yield from _cases()


def fold(title: str, name: str, spec: dict, lines: Iterable[bytes], *, any_digest: bool = False) -> dict:
    """One row: what Python makes of the lines, and how it explains that."""
    lines = list(lines)
    found = lifecycle(spec)
    state = fold_lines(found, lines, any_digest=any_digest)
    folded = Fold(found, state["ticket"] or "", any_digest=any_digest)
    for decoded in map(decode, lines):
        if isinstance(decoded, Transition):
            folded.add(decoded)
    texts = [line.decode() for line in lines]
    why = {language: list(explain(found, folded, language=language)) for language in ("en", "zh")}
    return {
        "name": title,
        "lifecycle": name,
        "any_digest": any_digest,
        "lines": texts,
        "state": json.loads(dumps(state)),
    } | why


def _cases() -> Iterator[dict]:
    """Hostile transitions, and what neither stories nor seeds reach."""
    spec = shipped()
    history, ids = told(spec, ["q: sales.quote", "s: sales.sign < q", "l: sales.lose < q"])
    lines = history.all_lines
    quote = history.record("sales", "quote", [ids["q"]])

    def case(title: str, *more: bytes, base: list[bytes] = lines, **options: bool) -> dict:
        return fold(f"connect-order: {title}", "connect-order", spec, [*base, *more], **options)

    yield case("no lines", base=[])
    yield case("everything backwards", base=lines[::-1])
    yield case("everything twice and backwards", *reversed(lines))
    yield case("a parent that does not exist", canonical(quote | {"after": [ABSENT]}))
    yield case("a foreign ticket", canonical(quote | {"ticket": ABSENT}))
    yield case("parents of which one is above the other", canonical(quote | {"after": sorted(ids.values())}))
    yield case("two openings", history.line_of_opening(subject="another"))
    for number in range(2):  # so that the smaller of the openings is once the one and once the other
        other = history.line_of_opening(subject=f"another {number}")
        above = canonical(quote | {"after": sorted([identify(other), ids["q"]])})
        further = canonical(quote | {"after": [identify(above)]})
        yield case(f"a chain above another opening, {number}", further, above, other)
        yield case(f"a chain above an opening that is absent, {number}", further, above)
    misplaced = history.line_of_opening(lane="sales")
    yield case("an opening in no control lane", misplaced, canonical(quote | {"after": [identify(misplaced)]}))
    yield case("no opening", base=lines[1:])
    yield case("bytes that are no record", b"{}", b"", b"{}", lines[1][:-1], b" " * 4097)
    yield case("a quote by nobody", canonical(quote | {"roles": ["nobody", "tech"]}))
    yield case("a condition that does not hold", canonical(history.record("tech", "start", [ids["q"]])))
    yield case("a ruling on no dispute", canonical(history.record("sales", "rule_lost", [ids["s"]])))
    yield case("a stage that does not hold", canonical(history.record("case", "close", list(ids.values()))))
    yield case("lanes that nobody declared", *(canonical(quote | {"lane": lane}) for lane in ("__proto__", "a.b")))
    yield case("names that nobody declared", *(canonical(quote | {"name": name}) for name in ("toString", "a.b")))
    yield case("many quotes at once", *(canonical(quote | {"actor": f"a{number}"}) for number in range(33)))
    sides = told(spec, ["q: sales.quote", "s: sales.sign(contract=A) < q", "l: sales.lose(reason=B) < q"])[0].all_lines
    yield case("details of sides that disagree", base=sides)
    archived = told(spec, ["l: sales.lose", "c: case.close < l", "a: case.archive < c"])[0].all_lines
    yield case("an archived ticket", base=archived)
    yield from _other_digest(spec)
    yield from _settlements(spec)
    yield from _circle()


def _other_digest(spec: dict) -> Iterator[dict]:
    history = History(spec)
    history.open(digest=sha(b"another file"))
    history.add(history.record("sales", "quote", [history.opening]))
    history.add(history.record("sales", "quote", [history.opening], lifecycle=sha(b"a third file")))
    for any_digest in (False, True):
        title = f"connect-order: another lifecycle, any digest: {any_digest}"
        yield fold(title, "connect-order", spec, history.all_lines, any_digest=any_digest)
    other = history.line_of_opening(lane="sales", lifecycle=sha(b"another file"))
    for any_digest in (False, True):
        title = f"connect-order: another lifecycle's opening in no control lane, any digest: {any_digest}"
        yield fold(title, "connect-order", spec, [other], any_digest=any_digest)


def _settlements(spec: dict) -> Iterator[dict]:
    """What a settlement absorbs, and what it does not: its members made without knowing of it, in its own round."""
    disputed = ["q: sales.quote", "s: sales.sign < q", "l: sales.lose < q", "y: sales.rule_signed < s, l"]
    endings = {
        "a straggler": ["x: sales.lose < q"],
        "a straggler in conflict with the ruling": ["x: sales.lose < q", "z: sales.rule_lost < s, l"],
        "a ruling twice": ["z: sales.rule_signed < s, l"],
        "a ruling beside a newer decision": ["w: sales.withdraw < y", "z: sales.rule_lost < s, l"],
        "a ruling beside a ruling": ["z: sales.rule_lost < s, l", "v: sales.rule_signed < y, z"],
        "a ruling of an older round": ["w: sales.withdraw < y", "r: sales.revive < w", "z: sales.rule_lost < s, l"],
        "a straggler after a later round's ruling": [
            "w: sales.withdraw < y",
            "r: sales.revive < w",
            "s2: sales.sign < r",
            "l2: sales.lose < r",
            "y2: sales.rule_lost < s2, l2",
            "x: sales.sign < r",
            "m: sales.amend < y, x",
        ],
    }
    for name, steps in endings.items():
        lines = told(spec, [*disputed, *steps])[0].all_lines
        yield fold(f"connect-order: {name}", "connect-order", spec, lines)


def _circle() -> Iterator[dict]:
    histories = {
        "nothing done": [],
        "a guard that holds, and one that does not": ["a: case.one", "d: work.do < a", "e: work.do"],
        "a circle of heads": ["a: case.one", "b: case.two", "d: case.down < a, b", "x: case.one"],
    }
    for name, steps in histories.items():
        yield fold(f"unsound: {name}", "unsound", UNSOUND, told(UNSOUND, steps)[0].all_lines)


FILES = {"lifecycles": lifecycles, "transitions": transitions, "phrases": phrases, "folds": folds}


def written(name: str) -> str:
    """The content of one file, a row a line. Keys are not sorted: the order of a lifecycle's lanes means something."""
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in FILES[name]())


def load(name: str) -> list[dict]:
    """The rows of a file as it is committed."""
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    for file in FILES:
        (FOLDER / f"{file}.jsonl").write_text(written(file), encoding="utf-8")
