"""What the properties run on: replicas (G1), history DAGs (G2), mutated bytes (G3), small lifecycles, schedules (G5).

Everything is built with the oracle's own bytes and judged by the oracle while it grows, so that nine moves of ten are
enabled in what their author had seen. No generator calls the code under test.
"""

import functools
import itertools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st
from ruamel.yaml import YAML

from property_tests.model import Naive, canonical, identify, lifecycle_digest, listed, sha
from property_tests.small import small_lifecycles

SHIPPED = Path(__file__).parent.parent / "crdt_sync" / "lifecycles"
ABSENT = identify(b"a transition that nobody has")


def read(text):
    """The parsed file as a plain mapping, as the oracle wants it."""
    return YAML(typ="safe", pure=True).load(text)


@functools.cache
def shipped(name="connect-order"):
    return read((SHIPPED / f"{name}.yaml").read_text(encoding="utf-8"))


def text_of(spec):
    """A file that parses to `spec`: JSON is YAML."""
    return json.dumps(spec)


PAYLOADS = (None, sha(b"A"), sha(b"B"))


class History:
    """A growing history of one ticket. `naive` has judged every line whose ancestry is here."""

    def __init__(self, spec):
        self.spec, self.naive, self.opening = spec, Naive(spec), ""
        self.lines = {}  # id -> line, parents first
        self.strays = []  # lines that never enter the view

    def open(self, *, subject="s", digest=None):
        line = self.line_of_opening(subject=subject, lifecycle=digest or lifecycle_digest(self.spec))
        self.opening = identify(line)
        return self._keep(line)

    def line_of_opening(self, **changes):
        role = listed(self.spec["open"]["by"])[0]
        record = {"v": 1, "ticket": None, "lane": self.naive.control, "name": "open", "actor": "o", "roles": [role]}
        record |= {"after": [], "lifecycle": lifecycle_digest(self.spec), "payload": None, "at": 0, "subject": "s"}
        return canonical(record | changes)

    def record(self, lane, name, seen=(), **changes):
        """The transition of someone who has seen `seen`, and all that those had seen."""
        rule = self.spec["lanes"].get(lane, {}).get("transitions", {}).get(name, {})
        by = listed(rule.get("by", self.spec["lanes"].get(lane, {}).get("owner", "nobody")))
        record = {"v": 1, "ticket": self.opening, "lane": lane, "name": name, "actor": f"a{len(self.lines)}"}
        record |= {
            "roles": by[:1],
            "after": changes.get("after") or self.frontier(seen),
            "payload": None,
            "at": len(self.lines),
        }
        return record | {"lifecycle": self.naive.events[self.opening]["lifecycle"]} | changes

    def add(self, record):
        return self._keep(canonical(record))

    def written(self, lane, name, seen, **changes):
        """The line of a transition that the history does not hold yet."""
        return canonical(self.record(lane, name, seen, **changes))

    def _keep(self, line):
        i, e = identify(line), json.loads(line)
        if i not in self.lines and set(e["after"]) <= self.lines.keys():
            self.lines[i] = line
            self.naive.learn(i, e)
        return i

    def closure(self, seen):
        return {x for i in seen for x in {i} | self.naive.past[i]}

    def frontier(self, seen):
        seen = self.closure(seen)
        return sorted(x for x in seen if not any(x in self.naive.past[y] for y in seen))

    def enabled(self, seen):
        """Every (lane, name) that the first of its roles could do after `seen`."""
        view = self.closure(seen)
        states, parents = self.naive.states(view), self.frontier(seen)
        return [
            (lane, name)
            for lane, has in self.spec["lanes"].items()
            for name, rule in has["transitions"].items()
            if states[lane] in [*listed(rule.get("from")), rule.get("settles")]
            and not self.naive.verdict(self.record(lane, name, after=parents), view)
        ]

    @property
    def all_lines(self):
        return [*self.lines.values(), *self.strays]

    def __repr__(self):
        """The history in the words of a story."""
        keys = {i: str(n) for n, i in enumerate(self.lines)}
        steps = [
            f"{keys[i]}: {e['lane']}.{e['name']} < {', '.join(keys[a] for a in e['after'])}"
            for i, e in self.naive.events.items()
        ]
        return f"<{self.spec['lifecycle']}: {'; '.join(steps)}; {len(self.strays)} strays>"


def standing(history, result, lane):
    """The ids of the lane's moves that hold, says a fold's result: alone or against others."""
    found = {i for i, status in result["status"].items() if status["status"] in {"effective", "contested"}}
    return {i for i in found if history.naive.events[i]["lane"] == lane}


STEP = re.compile(r"(\w+): *(\w+)\.(\w+)(?:\((\w+)=([^()]*)\))?(?: *< *(.+))?")


def told(spec, steps):
    """A story's history, and the ids behind its keys."""
    history, ids = History(spec), {}
    history.open()
    for at, step in enumerate(steps):
        key, lane, name, _, payload, seen = STEP.fullmatch(step.strip()).groups()
        named = [ids[x.strip()] for x in seen.split(",")] if seen else [history.opening]
        changes = {"actor": key, "at": at, "payload": sha(payload.encode()) if payload else None}
        ids[key] = history.add(history.record(lane, name, named, **changes))
    return history, ids


# Choices are numbers taken modulo what there is to choose from: recipes, which shrink step by step. A move is one of
# ten odd ones or an enabled one, which of those, and a payload.
MOVES = st.tuples(st.integers(0, 9), st.integers(0, 63), st.sampled_from(PAYLOADS))


def _move(draw, history, seen, move, keen=()):
    """Nine times of ten an enabled move, of a keen lane if one has any; else anything that could stand in a log."""
    odd, choice, payload = move
    enabled = history.enabled(seen)
    if odd == 9 or not enabled:
        _odd_move(draw, history, seen)
        return
    rules = {(lane, name): history.spec["lanes"][lane]["transitions"][name] for lane, name in enabled}
    wanted = [move for move, rule in rules.items() if "settles" in rule] or [move for move in rules if move[0] in keen]
    history.add(history.record(*picked(wanted or enabled, choice), seen, payload=payload))


def picked(options, choice):
    return options[choice % len(options)]


def _odd_move(draw, history, seen):
    lane = draw(st.sampled_from([*history.spec["lanes"], "nowhere"]))
    name = draw(st.sampled_from([*history.spec["lanes"].get(lane, {}).get("transitions", {}), "upgrade"]))
    record = history.record(lane, name, seen)
    kind = draw(st.sampled_from(["any", "changed", "changed", "misplaced", "bytes"]))
    if kind == "bytes":
        history.strays.append(draw(mutants(canonical(record))).replace(b"\n", b" "))
    elif kind == "misplaced":
        history.strays += draw(_misplaced(history, record))
    else:
        history.add(record | (draw(_changes(history, record)) if kind == "changed" else {}))


def _changes(history, record):
    """What makes a transition inert, most of the time."""
    roles = st.sets(st.sampled_from(["aa", "zz", *record["roles"]]), min_size=1).map(sorted)
    after = st.lists(st.sampled_from(sorted(history.lines)), min_size=1, max_size=3, unique=True).map(sorted)
    return st.one_of(
        st.fixed_dictionaries({"roles": roles}),
        st.just({"ticket": ABSENT}),
        st.just({"lifecycle": sha(b"?")}),
        st.fixed_dictionaries({"after": after}),
    )


@st.composite
def _misplaced(draw, history, record):
    """A transition above something absent, or above another opening, which is or is not there, or is none."""
    other = next(lane for lane in history.spec["lanes"] if lane != history.naive.control)
    root = draw(st.sampled_from([{"subject": "foreign"}, {"lane": other}, {"lane": other, "lifecycle": sha(b"?")}]))
    root = history.line_of_opening(**root)
    above = [identify(line) for line in history.strays]
    parents = {draw(st.sampled_from([ABSENT, identify(root), *above])), *draw(st.sampled_from([record["after"], []]))}
    return [root] * draw(st.booleans()) + [canonical(record | {"after": sorted(parents)})]


def quarrels(history, seen):
    """Every lane with two moves, both enabled, whose ends are a named conflict, and the lane's rulings on it."""
    enabled, rules = history.enabled(seen), {lane: has["transitions"] for lane, has in history.spec["lanes"].items()}
    return [
        (lane, one, two, [name for name, rule in rules[lane].items() if rule.get("settles") == conflict])
        for lane, one in enabled
        for other, two in enabled
        if lane == other
        for conflict, members in history.spec["lanes"][lane].get("conflicts", {}).items()
        if sorted(members) == sorted({rules[lane][name]["to"] for name in (one, two)})
    ]


def _quarrel(history, seen, quarrel, moves):
    """Two disagree, others settle it without knowing of each other, and stragglers know of nothing."""
    lane, one, two, rulings = quarrel
    sides = [history.add(history.record(lane, name, seen)) for name in (one, two)]
    later = [(name, sides) for name in rulings] + [(one, seen), (two, seen), (two, sides[:1])]
    for _, choice, payload in moves:
        name, known = picked(later, choice)
        history.add(history.record(lane, name, known, payload=payload))


STEPS = st.tuples(
    st.lists(st.integers(0, 15), max_size=3),  # which of the newest moves have been seen; none: all of them
    st.lists(MOVES, min_size=1, max_size=3),  # by people who have seen the same
    st.integers(0, 15),  # which lane they are keen on, if there is one of that number
    st.integers(0, 2),  # 2: they quarrel, if they can
)


@st.composite
def histories(draw, *, strange=False):
    """G2. What shrinks is the number of steps, then forks: a failure ends as a short story.

    `strange`: the ticket may have been opened under another file.
    """
    history = History(draw(lifecycles()))
    history.open(digest=sha(b"another file") if strange and draw(st.booleans()) else None)
    for some, moves, keen, mood in draw(st.lists(STEPS, max_size=4) | st.lists(STEPS, min_size=3, max_size=8)):
        newest = list(reversed(history.lines))
        seen = [picked(newest, choice) for choice in some] or newest
        if mood == 2 and (ready := quarrels(history, seen)):
            _quarrel(history, seen, picked(ready, keen), moves)
            continue
        for move in moves:
            _move(draw, history, seen, move, list(history.spec["lanes"])[keen : keen + 1])
    return history


@dataclass
class Replica:
    """What one replica went through: `trace` holds a line that arrived, or the lines that a restart left it with."""

    trace: list[bytes | list[bytes]] = field(default_factory=list)
    has: list[bytes] = field(default_factory=list)
    backup: list[bytes] = field(default_factory=list)

    def receive(self, line):
        self.trace.append(line)
        if line not in self.has:
            self.has.append(line)

    def restart(self, lines):
        self.has = list(lines)
        self.trace.append(list(lines))


WORDS = st.sampled_from(["act", "act", "act", "act", "sync", "sync", "early", "twice", "save", "restore", "restart"])
DEEDS = st.tuples(WORDS, st.integers(0, 3), st.integers(1, 3), MOVES)


@st.composite
def replicas(draw):
    """G1: two to four replicas act, sync, lose touch, get things twice or too early, restart, restore old backups."""
    history = History(draw(lifecycles()))
    history.open()
    crowd = [Replica() for _ in range(draw(st.integers(2, 4)))]
    for replica in crowd:
        replica.receive(history.lines[history.opening])
    for word, who, whom, move in draw(st.lists(DEEDS, max_size=10) | st.lists(DEEDS, min_size=12, max_size=24)):
        one, two = picked(crowd, who), picked(crowd, who + whom)
        if word == "act":
            _act(draw, history, one, move)
        elif word == "sync":
            for line in [line for line in two.has if line not in one.has]:
                one.receive(line)
        elif word in {"early", "twice"}:
            one.receive(picked(list(reversed(two.has if word == "early" else one.has)), move[1]))
        elif word == "save":
            one.backup = list(one.has)
        else:
            one.restart(one.backup if word == "restore" and one.backup else one.has)
    return history, crowd


def _act(draw, history, replica, move):
    """Move on what the replica can see: what arrived early does not count until its ancestry is there."""
    held = set(replica.has)
    view = {i for i, line in history.lines.items() if line in held}
    seen = {i for i in view if history.naive.past[i] <= view}
    strays, before = len(history.strays), set(history.lines)
    _move(draw, history, seen or {history.opening}, move)
    for line in [history.lines[i] for i in history.lines if i not in before] + history.strays[strays:]:
        replica.receive(line)


@st.composite
def mutants(draw, line):
    """G3: a line with some bytes changed, cut, doubled, or its JSON changed and written otherwise."""
    kind = draw(st.sampled_from(["value", "bytes", "cut", "insert", "key", "space", "long", "noise"]))
    if kind == "noise":
        return draw(st.binary(max_size=200))
    if kind in {"value", "key", "space"}:
        return _other_json(draw, json.loads(line), kind)
    if kind == "long":
        return line[:-1] + b" " * draw(st.sampled_from([4096 - len(line), 4097 - len(line), 5000])) + line[-1:]
    at = draw(st.integers(0, len(line) - 1))
    middle = {"bytes": line[at : at + 1], "cut": b"", "insert": line[at : at + 1] * 2}[kind]
    if kind == "bytes":
        middle = bytes([draw(st.integers(0, 255))])
    return line[:at] + middle + line[at + (0 if kind == "insert" else 1) :]


HOSTILE = (None, True, 0, -1, 1.5, 1e400, 2**53, 2**53 - 1, "", "x", "é", "\ud800", "\x7f", " ", "a" * 128, "a" * 129)
IDS = (ABSENT, ABSENT.upper(), ABSENT + "a", sha(b"?"), sha(b"?").upper(), "open", "upgrade", "same_as")


def _other_json(draw, value, kind):
    scalars = st.sampled_from([*HOSTILE, *IDS])
    lists = st.lists(st.sampled_from([*HOSTILE[-6:], *IDS]), max_size=40)
    if kind == "key":
        value.pop(draw(st.sampled_from(sorted(value))))
        value |= draw(st.dictionaries(st.sampled_from(["v", "subject", "zz", "é"]), scalars, max_size=2))
    else:
        value[draw(st.sampled_from(sorted(value)))] = draw(scalars | lists | st.just([[]] * 3) | st.just({"a": {}}))
    style = {"ensure_ascii": draw(st.booleans()), "sort_keys": True, "separators": (",", ":")}
    if kind == "space":
        style |= draw(st.sampled_from([{"separators": (", ", ":")}, {"sort_keys": False}, {"indent": 1}]))
    return json.dumps(value, **style).encode(errors="surrogatepass")


@st.composite
def schedules(draw, lines):
    """G5: the lines permuted, some of them twice, split over updates."""
    order = draw(st.permutations([*lines, *draw(st.lists(st.sampled_from(lines), max_size=3))]))
    cuts = sorted(draw(st.sets(st.integers(1, len(order)), max_size=4)) | {len(order)})
    return [order[start:end] for start, end in itertools.pairwise([0, *cuts])]


def lifecycles():
    """The shipped one, or a small sound one."""
    return st.builds(shipped) | st.deferred(lambda: st.sampled_from(small_lifecycles()))
