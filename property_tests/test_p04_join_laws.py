"""P4: "is overtaken by" is a strict partial order, so the join of concurrent heads is a join. Exhaustive, on the fold.

The relation is read off the fold of two concurrent heads; three heads must then fold as two by two foretell. For random
files it is asked of every rank that a head can have.
"""

import itertools

import pytest
from hypothesis import given

from crdt_sync.domain.lifecycle.fold import fold_lines
from crdt_sync.domain.lifecycle.join import Rank, overtaken_because
from property_tests.accepted import accepted_files
from property_tests.small import CASE
from property_tests.strategies import History, shipped
from property_tests.subject import lifecycle

SMALL = {
    "lifecycle": "small",
    "version": 1,
    "title": {"en": "Small", "zh": "小"},
    "open": {"by": ["office"]},
    "lanes": {
        "case": {**CASE, "transitions": {**CASE["transitions"], "close": {"from": "active", "to": "closed"}}},
        "work": {
            "owner": "work",
            "initial": "new",
            "states": ["new", "yes", "no", "done"],
            "order": ["new < yes < done", "new < no < done"],
            "conflicts": {"torn": ["yes", "no"]},
            "transitions": {
                "accept": {"from": "new", "to": "yes"},
                "refuse": {"from": "new", "to": "no"},
                "rule_yes": {"settles": "torn", "to": "yes"},
                "rule_no": {"settles": "torn", "to": "no"},
                "finish": {"from": ["yes", "no", "torn"], "to": "done"},
                "renew": {"from": ["yes", "no", "done"], "to": "new", "resets": True},
            },
        },
    },
    "stages": [{"stage": "all", "kind": "normal", "when": {}}],
}
TECH_BASE = [("sales", "quote"), ("sales", "sign")]
LANES = [
    pytest.param(SMALL, "work", [], 3, id="small"),
    pytest.param(shipped(), "sales", [], 3, id="sales"),
    pytest.param(shipped(), "tech", TECH_BASE, 4, id="tech"),
    pytest.param(shipped(), "support", [], 5, id="support"),
]


class Pool:
    """Every short way up a lane, each by people of its own who know nothing of the others: pairwise concurrent heads.

    `ways` has, for each head, the lines that it stands on. A way is a chain, or a conflict with its settlement.
    """

    def __init__(self, spec, lane, base, *, longest):
        self.spec, self.lane, self.history = spec, lane, History(spec)
        self.history.open()
        seen = [self.history.opening]
        for move in base:
            seen = [self.history.add(self.history.record(*move, seen))]
        self.ways = {}
        self._climb(seen, (), longest)
        for members in spec["lanes"][lane].get("conflicts", {}).values():
            self._settle(seen, sorted(members))

    def _walk(self, seen, moves):
        for name in moves:
            seen = [self.history.add(self.history.record(self.lane, name, seen))]
        return seen

    def _keep(self, head):
        self.ways[head] = [self.history.lines[i] for i in self.history.closure([head])]

    def _climb(self, base, moves, longest):
        seen = self._walk(base, moves)
        if moves:
            self._keep(seen[0])
        if len(moves) < longest:
            for lane, name in self.history.enabled(seen):
                if lane == self.lane:
                    self._climb(base, (*moves, name), longest)

    def _settle(self, base, members):
        """Come to the conflict by the shortest way, once for each move that is possible there and each one after it."""
        ways = self._shortest(base, members)
        torn = [i for way in ways for i in self._walk(base, way)]
        moves = [name for lane, name in self.history.enabled(torn) if lane == self.lane]
        for name in moves:
            first = self._walk([i for way in ways for i in self._walk(base, way)], [name])
            self._keep(first[0])
            for after in [name for lane, name in self.history.enabled(first) if lane == self.lane]:
                again = self._walk([i for way in ways for i in self._walk(base, way)], [name, after])
                self._keep(again[0])

    def _shortest(self, base, members):
        found, layer = {}, [()]
        while len(found) < len(members):
            for moves in layer:
                seen = self._walk(base, moves)
                found.setdefault(self.history.naive.state(self.lane, self.history.closure(seen)), moves)
            found = {state: moves for state, moves in found.items() if state in members}
            layer = [
                (*moves, name)
                for moves in layer
                for lane, name in self.history.enabled(self._walk(base, moves))
                if lane == self.lane
            ]
        return list(found.values())

    def best(self, *heads):
        """The heads of these that are not overtaken, says the fold of all their ways."""
        lines = {line for head in heads for line in self.ways[head]}
        status = fold_lines(lifecycle(self.spec), sorted(lines))["status"]
        assert {"effective", "contested", "overtaken"} >= {status[head]["status"] for head in heads}
        return frozenset(head for head in heads if status[head]["status"] != "overtaken")


@pytest.mark.parametrize(("spec", "lane", "base", "longest"), LANES)
def test_concurrent_heads_join(spec, lane, base, longest):
    pool = Pool(spec, lane, base, longest=longest)
    heads = sorted(pool.ways)
    assert 4 <= len(heads) <= 40
    joined = {frozenset(pair): pool.best(*pair) for pair in itertools.combinations(heads, 2)}
    joined |= {frozenset([head]): pool.best(head) for head in heads}
    below = {(x, y) for x in heads for y in heads if joined[frozenset({x, y})] == {y} != {x}}

    def join(*parts):
        every = frozenset().union(*parts)
        return frozenset(x for x in every if not any((x, y) in below for y in every))

    assert all(joined.values())
    assert all((y, x) not in below for x, y in below)
    assert all((x, z) in below for x, y in below for w, z in below if y == w)
    for x, y, z in itertools.combinations(heads, 3):
        one, two, three = frozenset([x]), frozenset([y]), frozenset([z])
        assert (
            join(one, join(two, three)) == join(join(one, two), three) == join(three, two, one) == join(one, two, three)
        )
        if len(spec["lanes"]) == len(SMALL["lanes"]):
            assert join(one, two, three) == pool.best(x, y, z)


@given(accepted_files())
def test_in_any_file_that_passes_overtaking_is_a_strict_partial_order(spec):
    for lane in lifecycle(spec).lanes.values():
        ranks = ranks_of(lane)
        below = {(x, y) for x in ranks for y in ranks if overtaken_because(lane, x, y)}
        assert not {(y, x) for x, y in below} & below
        above = {x: {z for y, z in below if y == x} for x in ranks}
        assert all(above[y] <= above[x] for x, y in below)


def ranks_of(lane):
    """Every rank that a transition of the lane can have, in two rounds: as a ruling, and with or without one before."""
    found = set()
    for rule in lane.transitions.values():
        settled = {frozenset(), lane.conflict_members(rule.settles) if rule.settles else frozenset()}
        plain = [(settles, bool(settles) or knew) for settles in settled for knew in (False, True)]
        found |= {Rank(number, rule.to, *rest) for number in (0, 1) for rest in plain}
    return found
