"""Small lifecycles, sound by construction: resets, named and unnamed conflicts, settlements, guards, obligations.

A lane has layers of states. Everything of a layer is below everything of the next, and the states of one layer are
unordered: so what stands above one side of a conflict stands above every side.
"""

import functools
import itertools
import json
import random

CASE = {
    "owner": "office",
    "control": True,
    "initial": "active",
    "states": ["active", "closed"],
    "order": ["active < closed"],
    "transitions": {
        "close": {"from": "active", "to": "closed", "if": {"stage": ["calm", "other"]}},
        "reopen": {"from": "closed", "to": "active", "resets": True},
    },
}
COUNT = 48  # enough that each feature meets each other; few, because reading a file costs more than folding a ticket


@functools.cache
def small_lifecycles():
    """The same ones in every run, the smallest first."""
    return sorted((_lifecycle(random.Random(seed)) for seed in range(COUNT)), key=lambda spec: len(json.dumps(spec)))


def _lifecycle(dice):
    lanes = {"case": CASE} | {lane: _lane(dice, lane) for lane in ("left", "right")[: dice.randint(1, 2)]}
    if "right" in lanes and dice.random() < 0.7:
        lane, other = dice.sample(["left", "right"], 2)
        guarded = dice.choice(sorted(lanes[lane]["transitions"]))
        start = lanes[other]["initial"]
        lanes[lane]["transitions"][guarded]["if"] = {other: dice.choice([f"!{start}", [start], "*"])}
    quiet = {lane: has["initial"] for lane, has in lanes.items() if lane != "case"}
    stages = [{"stage": "calm", "kind": "normal", "when": quiet}]
    lane = dice.choice(sorted(quiet))
    for conflict, members in lanes[lane].get("conflicts", {}).items():
        owed = [{lane: [f"rule_{conflict}_{state}" for state in members]}]
        stages.append({"stage": f"in_{conflict}", "kind": "attention", "when": {lane: conflict}, "owes": owed})
    stages.append({"stage": "other", "kind": "attention", "when": {}})  # a guard may be broken here
    head = {"lifecycle": "small", "version": 1, "title": {"en": "Small", "zh": "小"}, "open": {"by": ["office"]}}
    return head | {"lanes": lanes, "stages": stages}


def _lane(dice, lane):
    sizes = [1, *(dice.choice([1, 2, 2, 3]) for _ in range(dice.randint(1, 3)))]
    layers = [[f"{lane[0]}{n}{side}" for side in "abc"[:size]] for n, size in enumerate(sizes)]
    states = [state for layer in layers for state in layer]
    conflicts = _conflicts(layers) if dice.random() < 0.8 else {}
    transitions = {}
    for n, layer in enumerate(layers[1:], 1):
        passed = [name for name, members in conflicts.items() if set(members) <= set(layers[n - 1])]
        for state in layer:
            skipped = dice.choice(states[: states.index(layer[0])])
            transitions[f"to_{state}"] = {"from": sorted({*layers[n - 1], skipped}) + passed, "to": state}
    for conflict, members in conflicts.items():
        lower = {"from": layers[0]} if dice.random() < 0.3 else {}
        rule = {"settles": conflict, "by": [f"{lane}_lead", lane], **lower}
        transitions |= {f"rule_{conflict}_{state}": rule | {"to": state} for state in members}
    for state in dice.sample(states, dice.randint(0, 2)):
        transitions[f"again_{state}"] = {"from": state, "to": state, "payload": {"note": "text"}}
    for state in dice.sample(states[: -sizes[-1]], dice.randint(0, 1)):
        transitions[f"back_{state}"] = {"from": layers[-1], "to": state, "resets": True}
    order = [f"{x} < {y}" for low, high in itertools.pairwise(layers) for x in low for y in high]
    found = {"owner": lane, "initial": states[0], "states": states, "order": order, "transitions": transitions}
    return found | ({"conflicts": conflicts} if conflicts else {"conflict": "unnamed"})


def _conflicts(layers):
    """Every set of two or more states of one layer, under a name of its own."""
    sets = [list(some) for layer in layers for size in (2, 3) for some in itertools.combinations(layer, size)]
    return {f"split_{''.join(state[1:] for state in some)}": some for some in sets}
