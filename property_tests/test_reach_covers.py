"""What the checker proves files with holds: no view shows what it leaves out.

`Reach` must hold the combination of every view, and what follows a lane's value in it whatever a larger view shows.
Both are tried on histories over lifecycles with guards both ways, sideways moves, and lanes that go back.
"""

import copy
import functools
import random

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.adapters.lifecycle_files import read
from crdt_sync.domain.lifecycle.reach import Reaches
from property_tests.small import small_lifecycles
from property_tests.strategies import History, shipped, text_of

MOVES = 9
DRAWN = 40  # lifecycles; reading one costs more than a history


def drawn(seed):
    """A small lifecycle with more guards, moves and resets, and without some of its transitions; or the shipped one."""
    dice = random.Random(seed)
    if seed == 0:
        return shipped()
    spec = copy.deepcopy(dice.choice(small_lifecycles()))
    names = {lane: [*has["states"], *has.get("conflicts", {})] for lane, has in spec["lanes"].items()}
    for lane, has in spec["lanes"].items():
        moves = has["transitions"]
        for name in dice.sample(sorted(moves), len(moves) // 4):
            del moves[name]
        for number in range(dice.randint(1, 3)):
            start, to, resets = dice.choice(names[lane]), dice.choice(has["states"]), dice.random() < 0.5
            moves[f"any{number}"] = {"from": start, "to": to, "resets": resets}
        for name in dice.sample(sorted(moves), min(len(moves), 3)):
            other = dice.choice([other for other in names if other != lane])
            wanted = dice.choice([f"!{dice.choice(names[other])}", dice.sample(names[other], 2)])
            moves[name]["if"] = dice.choice([{other: wanted}, {other: wanted}, {"stage": "!calm"}, {"stage": "calm"}])
    for row in spec["stages"]:
        row.pop("owes", None)
    return spec


@functools.cache
def lifecycles():
    """Each lifecycle that the argument is about, with its `Reach`: conflicts have names, settlements settle."""
    found = []
    for seed in range(DRAWN):
        loaded = read(text_of(drawn(seed)))
        if loaded.lifecycle and not {"L3", "L5"} & {finding.rule for finding in loaded.findings}:
            found.append((drawn(seed), Reaches(loaded.lifecycle)))
    return found


def told(spec, dice):
    """A history in which everybody has seen a part at random."""
    history = History(spec)
    history.open()
    for _ in range(MOVES):
        seen = dice.sample(sorted(history.lines), dice.randint(1, min(3, len(history.lines))))
        if enabled := history.enabled(seen):
            history.add(history.record(*dice.choice(enabled), seen))
    return history


def shown(history, view):
    """The states at which the oracle sees each lane; none if nobody has moved it."""
    naive = history.naive
    return {lane: frozenset(naive.rule(x)["to"] for x in naive.effective(lane, view)) for lane in naive.lanes}


def parts(history, dice):
    """Views: the whole, that of each transition, and some of what two of them saw together."""
    ids = sorted(history.lines)
    pairs = [dice.sample(ids, min(2, len(ids))) for _ in range(8)]
    return [history.closure(seen) for seen in (ids, *([i] for i in ids), *pairs)]


@given(st.integers(0, 10_000), st.integers(0, 2**32))
def test_no_view_shows_a_combination_outside_of_reach(choice, seed):
    spec, reaches = lifecycles()[choice % len(lifecycles())]
    dice = random.Random(seed)
    history = told(spec, dice)
    for view in parts(history, dice):
        found = shown(history, view)
        for asked in spec["lanes"]:
            reach = reaches.of(asked)
            combination = reach.combinations
            for lane in reach.space.lanes:
                combination &= reach.space.at(lane.id, found[lane.id])
            assert combination.bit_count() == 1, f"{found} after {history}"


@given(st.integers(0, 10_000), st.integers(0, 2**32))
def test_what_a_larger_view_shows_follows(choice, seed):
    spec, reaches = lifecycles()[choice % len(lifecycles())]
    dice = random.Random(seed)
    history = told(spec, dice)
    following = {lane: reaches.of(lane).space.values(lane).following() for lane in spec["lanes"]}
    views = parts(history, dice)
    for smaller in views:
        for larger in views:
            if smaller <= larger:
                before, after = shown(history, smaller), shown(history, larger)
                for lane in spec["lanes"]:
                    assert after[lane] in following[lane][before[lane]], f"{lane} after {history}"
