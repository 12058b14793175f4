"""G2 aimed at trouble: quarrels, stale moves, duplicate rulings, two payloads, and conditions broken by a colleague.

A recipe is a list of steps, each a kind and some numbers taken modulo what there is to choose from, so that it shrinks.
"""

from hypothesis import strategies as st

from property_tests import plain
from property_tests.strategies import PAYLOADS, History, picked

KINDS = ("on", "on", "fork", "fork", "quarrel", "rule", "break", "stale", "stale", "payloads")
SOUGHT = {"break": "if", "rule": "settles", "payloads": "payload"}  # what a move has to be of a kind
STEPS = st.tuples(st.sampled_from(KINDS), *(st.integers(0, 63) for _ in range(4)))
RECIPES = st.lists(STEPS, max_size=7)


def random_recipe(dice):
    return [(dice.choice(KINDS), *(dice.randint(0, 63) for _ in range(4))) for _ in range(dice.randint(1, 7))]


def in_trouble(spec, recipe):
    """The history that comes of a recipe."""
    history = History(spec)
    history.open()
    for kind, *numbers in recipe:
        _step(history, kind, *numbers)
    return history


def _step(history, kind, place, one, other, payload):
    """Somebody, or two who have seen the same, move: everything or an older part of it was seen."""
    newest = list(reversed(history.lines))
    seen = [picked(newest, place // 2)] if kind == "stale" or place % 4 == 3 else newest
    moves = enabled(history, seen)
    if not moves:
        return
    sought = [move for move in moves if SOUGHT.get(kind) in _rule(history, move)]
    first = picked(sought or moves, one)
    _make(history, first, seen, payload)
    if kind not in {"on", "stale"}:
        second = {
            "quarrel": [move for move in moves if move[0] == first[0]],
            "rule": sought,
            "break": [move for move in moves if move[0] != first[0]],
            "payloads": [first],
        }
        _make(history, picked(second.get(kind) or moves, other), seen, payload + 1)


def enabled(history, seen):
    """Every (lane, name) that somebody with the right role could do after `seen`."""
    states, spec = history.naive.states(history.closure(seen)), history.spec
    return [
        (lane, name)
        for lane, has in spec["lanes"].items()
        for name, rule in has["transitions"].items()
        if plain.enabled(spec, states, lane, rule)
    ]


def _rule(history, move):
    return history.spec["lanes"][move[0]]["transitions"][move[1]]


def _make(history, move, seen, payload):
    digest = picked(PAYLOADS, payload) if "payload" in _rule(history, move) else None
    history.add(history.record(*move, seen, payload=digest))
