"""Defects planted into sound files, at least one kind for each rule from L3 to L11: the broken half of G4.

A plant changes a file and returns where the checker must find it; None if the file offers no place for it.
"""

import copy
import itertools

from property_tests.files import NOTE, is_even, pairs_of
from property_tests.model import listed
from property_tests.plain import row_of

NORMAL = {"stage": "planted", "kind": "normal"}


def planted(dice, spec, plant):
    """A copy of the file with the plant, and where it must be found; None where it does not fit."""
    broken = copy.deepcopy(spec)
    where = plant(dice, broken)
    return (broken, where) if where else None


def _lanes(spec):
    return {name: lane for name, lane in spec["lanes"].items() if not lane.get("control")}


def _any_lane(dice, spec, fits=lambda lane: True):
    fitting = [name for name, lane in sorted(_lanes(spec).items()) if fits(lane)]
    return dice.choice(fitting) if fitting else None


def _open_moves(lane):
    """The moves from the initial state that no condition forbids."""
    start, moves = lane["initial"], lane["transitions"]
    return [name for name in sorted(moves) if start in listed(moves[name].get("from")) and "if" not in moves[name]]


def stray(dice, spec):
    """L3: a state beside all others, whose conflicts have no names."""
    name = _any_lane(dice, spec, lambda lane: "conflict" not in lane and "final" not in lane)
    if name is None:
        return None
    lane = spec["lanes"][name]
    lane["order"] = [*lane["order"], f"{lane['initial']} < stray"]
    lane["states"] = [*lane["states"], "stray"]
    lane["transitions"]["stray"] = {"from": lane["initial"], "to": "stray"}
    return f"{name}.conflicts"


def slip_back(dice, spec):
    """L4: a move to a state below, without `resets`."""
    name = _any_lane(dice, spec)
    lane = spec["lanes"][name]
    upper = dice.choice([lane["transitions"][move]["to"] for move in _open_moves(lane)] or lane["states"][1:])
    lower = dice.choice(sorted(low for low, up in pairs_of(lane) if up == upper) or [lane["initial"]])
    lane["transitions"]["slip"] = {"from": upper, "to": lower}
    return f"{name}.slip"


def settle_outside(dice, spec):
    """L5: a ruling for what is no side of the conflict."""
    name = _any_lane(dice, spec, lambda lane: "conflicts" in lane)
    if name is None:
        return None
    lane = spec["lanes"][name]
    conflict = dice.choice(sorted(lane["conflicts"]))
    others = [state for state in lane["states"] if state not in lane["conflicts"][conflict]]
    lane["transitions"]["decree"] = {"settles": conflict, "to": dice.choice(others), "resets": dice.random() < 0.5}
    return f"{name}.decree"


def settle_unevenly(dice, spec):
    """L5: a ruling on a conflict whose sides do not stand between the same states."""
    places = [
        (name, conflict)
        for name, lane in sorted(_lanes(spec).items())
        for conflict, members in lane.get("conflicts", {}).items()
        if not is_even(lane, members)
    ]
    if not places:
        return None
    name, conflict = dice.choice(places)
    lane = spec["lanes"][name]
    lane["transitions"]["decree"] = {"settles": conflict, "to": dice.choice(lane["conflicts"][conflict])}
    return f"{name}.decree"


def tear_the_table(dice, spec):
    """L6: what the last row was for, from where a lane begins, has no row."""
    name = _any_lane(dice, spec)
    spec["stages"][-1]["when"] = {name: f"!{spec['lanes'][name]['initial']}"}
    lanes = spec["lanes"].values()
    combinations = itertools.product(*([*lane["states"], *lane.get("conflicts", {})] for lane in lanes))
    torn = any(row_of(spec, dict(zip(spec["lanes"], states, strict=True))) is None for states in combinations)
    return "stages" if torn else None


def shadow_a_row(dice, spec):
    """L7: a row below one that takes all that it matches."""
    at = dice.randrange(len(spec["stages"]) - 1)
    spec["stages"].insert(at + 1, {**NORMAL, "when": copy.deepcopy(spec["stages"][at]["when"])})
    return "stages.planted"


def ask_for_the_impossible(dice, spec):
    """L7: a row for a state that nobody comes to."""
    name = _limbo(dice, spec)
    spec["stages"].insert(0, {**NORMAL, "when": {name: "limbo"}})
    return "stages.planted"


def _limbo(dice, spec):
    """A state above everything, to which nothing leads."""
    name = _any_lane(dice, spec)
    lane = spec["lanes"][name]
    lane["order"] = [*lane["order"], *(f"{state} < limbo" for state in lane["states"])]
    lane["states"] = [*lane["states"], "limbo"]
    return name


def wait_for_ever(dice, spec):
    """L8: a move that waits for a state that nobody comes to."""
    other = _limbo(dice, spec)
    name = dice.choice([lane for lane in sorted(_lanes(spec)) if lane != other])
    lane = spec["lanes"][name]
    lane["transitions"]["wait"] = {"from": lane["initial"], "to": lane["states"][1], "if": {other: "limbo"}}
    return f"{name}.wait"


def dig_a_pit(dice, spec):
    """L8: a state that no way leads out of, where the lane was to come to its end."""
    name = _any_lane(dice, spec, lambda lane: "final" in lane)
    if name is None:
        return None
    lane = spec["lanes"][name]
    lane["order"] = [*lane["order"], *(f"{state} < pit" for state in lane["states"])]
    lane["states"] = [*lane["states"], "pit"]
    lane["transitions"]["fall"] = {"from": lane["initial"], "to": "pit"}
    return f"{name}.final"


def look_away(dice, spec):
    """L9: a condition that a colleague can break from the start, and a first row that finds nothing in it."""
    names = sorted(_lanes(spec))
    pairs = [(one, other) for one in names for other in names if one != other]
    places = [
        (one, move, other)
        for one, other in pairs
        for move in _open_moves(spec["lanes"][one])
        if _open_moves(spec["lanes"][other])
    ]
    places = [
        (one, move, other)
        for one, move, other in places
        if spec["lanes"][one]["transitions"][move]["to"] != spec["lanes"][one]["initial"]
    ]
    if not places:
        return None
    name, move, other = dice.choice(places)
    rule, start = spec["lanes"][name]["transitions"][move], spec["lanes"][other]["initial"]
    rule["if"] = {other: start}
    spec["stages"].insert(0, {**NORMAL, "when": {name: rule["to"], other: f"!{start}"}})
    return f"{name}.{move}"


def owe_what_cannot_be(dice, spec):
    """L10: a compensation that owes a move which starts elsewhere."""
    name = _any_lane(dice, spec, _open_moves)
    if name is None:
        return None
    lane = spec["lanes"][name]
    move = dice.choice(_open_moves(lane))
    state = lane["transitions"][move]["to"]
    elsewhere = [other for other, rule in sorted(lane["transitions"].items()) if state not in listed(rule.get("from"))]
    row = {"stage": "planted", "kind": "compensation", "when": {name: state}, "owes": [{name: elsewhere}]}
    spec["stages"].insert(0, row)
    return "stages.planted" if elsewhere else None


def owe_in_vain(dice, spec):
    """L10: a compensation that those who owe something cannot leave, whatever they do: it is about another lane."""
    name, other = dice.sample(sorted(_lanes(spec)), 2)
    lane, there = spec["lanes"][name], spec["lanes"][other]
    if not _open_moves(there):
        return None
    state = there["transitions"][dice.choice(_open_moves(there))]["to"]
    row = {
        "stage": "planted",
        "kind": "compensation",
        "when": {other: state},
        "owes": [{name: sorted(lane["transitions"])}],
    }
    spec["stages"].insert(0, row)
    return "stages.planted"


def pay_once(dice, spec):
    """L11: a state that comes with a payload and cannot be amended."""
    name = _any_lane(dice, spec)
    lane = spec["lanes"][name]
    amended = {rule["to"] for rule in lane["transitions"].values() if "payload" in rule}
    moves = [move for move in _open_moves(lane) if lane["transitions"][move]["to"] not in {*amended, lane["initial"]}]
    if not moves:
        return None
    move = dice.choice(moves)
    lane["transitions"][move]["payload"] = NOTE
    return f"{name}.{move}"


PLANTS = {
    "L3": [stray],
    "L4": [slip_back],
    "L5": [settle_outside, settle_unevenly],
    "L6": [tear_the_table],
    "L7": [shadow_a_row, ask_for_the_impossible],
    "L8": [wait_for_ever, dig_a_pit],
    "L9": [look_away],
    "L10": [owe_what_cannot_be, owe_in_vain],
    "L11": [pay_once],
}
