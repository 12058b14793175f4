"""G4: random lifecycle files, most of them sound, and plants that break a file against one rule of the checker.

Nothing here asks the checker. A file has two or three lanes with random partial orders beside the control lane, names
for whatever may conflict, rulings, ways back, payloads, ends, conditions on lanes and on the stage, and a table whose
first rows answer what concurrency can break.
"""

import itertools

CASE = {
    "owner": "office",
    "control": True,
    "initial": "active",
    "states": ["active", "closed"],
    "order": ["active < closed"],
    "transitions": {
        "close": {"from": "active", "to": "closed"},
        "reopen": {"from": "closed", "to": "active", "resets": True},
    },
}
NOTE = {"note": "text"}


def lifecycle_file(dice):
    """A random file, as a plain mapping."""
    names = ["left", "right", "third"][: dice.choice([2, 2, 3])]
    lanes = {name: _lane(dice, name) for name in names}
    rows = [row for name in dice.sample(names, dice.randint(1, 2)) for row in _guard(dice, lanes, name)]
    rows += [row for name in names for row in _conflict_rows(dice, name, lanes[name])]
    _let_one_compensate(dice, rows)
    case = CASE | {"transitions": {name: dict(rule) for name, rule in CASE["transitions"].items()}}
    if rows and dice.random() < 0.5:
        case["transitions"]["close"]["if"] = {"stage": f"!{dice.choice(rows)['stage']}"}
    rows.append({"stage": "closed", "kind": dice.choice(["settled", "final"]), "when": {"case": "closed"}})
    rows += _plain_rows(dice, lanes)
    rows.append({"stage": "other", "kind": dice.choice(["normal", "attention"]), "when": {}})
    return of(lanes={"case": case, **lanes}, stages=rows)


def of(*, lanes, stages):
    """A file of these lanes and stages."""
    head = {"lifecycle": "random", "version": 1, "title": {"en": "Random", "zh": "随机"}, "open": {"by": ["office"]}}
    return head | {"lanes": lanes, "stages": stages}


def pairs_of(lane):
    """Every (lower, upper) of the lane's order, closed."""
    pairs = {tuple(step.split(" < ")) for step in lane["order"]}
    while more := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
        pairs |= more
    return pairs


def _lane(dice, name):
    states = [f"{name[0]}{n}" for n in range(dice.randint(3, 5))]
    start, *rest = states
    pairs = [(start, state) for state in rest]
    pairs += [pair for pair in itertools.combinations(rest, 2) if dice.random() < 0.5]
    lane = {"owner": name, "initial": start, "states": states, "order": [f"{a} < {b}" for a, b in pairs]}
    lane["transitions"] = {}
    clashes = _antichains(lane)
    if len(clashes) > 5 or dice.random() < 0.1:
        lane["conflict"] = "unnamed"
    elif clashes:
        lane["conflicts"] = {f"c_{'_'.join(clash)}": list(clash) for clash in clashes}
    for state in rest:
        lane["transitions"] |= _ways_to(dice, lane, state)
    for conflict, members in lane.get("conflicts", {}).items():
        lane["transitions"] |= _ways_out(dice, lane, conflict, members)
    if dice.random() < 0.7:
        lane["transitions"] |= _way_back(dice, lane)
    if "conflict" not in lane and dice.random() < 0.3:
        _add_end(dice, lane)
    return lane


def _antichains(lane):
    pairs = pairs_of(lane)
    sets = [some for size in (2, 3, 4) for some in itertools.combinations(lane["states"], size)]
    return [
        some for some in sets if not any((a, b) in pairs or (b, a) in pairs for a, b in itertools.combinations(some, 2))
    ]


def _ways_to(dice, lane, state):
    """A way up, from some of what is below; perhaps a step aside; perhaps a payload, which can be amended then."""
    pairs = pairs_of(lane)
    below = [lower for lower in lane["states"] if (lower, state) in pairs]
    torn = [name for name, members in lane.get("conflicts", {}).items() if set(members) <= set(below)]
    found = {f"to_{state}": {"from": dice.sample(below, dice.randint(1, len(below))) + torn, "to": state}}
    beside = [x for x in lane["states"] if x != state and (x, state) not in pairs and (state, x) not in pairs]
    if beside and dice.random() < 0.3:
        found[f"over_{state}"] = {"from": dice.choice(beside), "to": state}
    if dice.random() < 0.25:
        dice.choice(list(found.values()))["payload"] = NOTE
        found[f"amend_{state}"] = {"from": state, "to": state, "payload": NOTE}
    return found


def is_even(lane, members):
    """Whether the same states are below each of the members, and the same above."""
    pairs = pairs_of(lane)
    around = {(frozenset(a for a, b in pairs if b == x), frozenset(b for a, b in pairs if a == x)) for x in members}
    return len(around) == 1


def _ways_out(dice, lane, conflict, members):
    if is_even(lane, members) and dice.random() < 0.8:
        rulings = {f"rule_{conflict}_{state}": {"settles": conflict, "to": state} for state in members}
        return {name: rule | {"by": [f"{lane['owner']}_lead"]} for name, rule in rulings.items()}
    return {f"leave_{conflict}": {"from": conflict, "to": dice.choice([lane["initial"], *members]), "resets": True}}


def _way_back(dice, lane):
    target = dice.choice(lane["states"][:-1])
    above = sorted(upper for lower, upper in pairs_of(lane) if lower == target)
    sources = dice.sample(above, dice.randint(1, len(above))) if above else [lane["states"][-1]]
    return {f"back_{target}": {"from": sources, "to": target, "resets": True}}


def _add_end(dice, lane):
    """A state that everything can come to at last."""
    end, values = f"{lane['initial'][0]}_end", [*lane["states"], *lane.get("conflicts", {})]
    lane["order"] = [*lane["order"], *(f"{state} < {end}" for state in lane["states"])]
    lane["states"] = [*lane["states"], end]
    lane["transitions"]["finish"] = {"from": values, "to": end}
    lane["final"] = [end]
    if dice.random() < 0.3:
        lane["transitions"]["resume"] = {"from": end, "to": lane["initial"], "resets": True}


def _guard(dice, lanes, name):
    """A condition on another lane, and the row for what breaks it: its owner can take the move back."""
    other = dice.choice([lane for lane in lanes if lane != name])
    lane, there = lanes[name], lanes[other]
    move = dice.choice([move for move in sorted(lane["transitions"]) if move.startswith("to_")])
    rule, state = lane["transitions"][move], dice.choice(there["states"])
    if "if" in rule:
        return []
    if dice.random() < 0.5:
        asked, broken = f"!{state}", state
    else:
        asked, broken = state, f"!{state}"
    if "conflicts" in there and dice.random() < 0.3:
        values = [*there["states"], *there["conflicts"]]
        asked = sorted(dice.sample(values, dice.randint(1, len(values) - 1)))
        broken = [value for value in values if value not in asked]
    rule["if"] = {other: asked}
    undo = f"undo_{rule['to']}"
    lane["transitions"][undo] = {"from": rule["to"], "to": lane["initial"], "resets": True}
    when, owes = {name: rule["to"], other: broken}, [{name: [undo]}]
    return [{"stage": f"broken_{name}", "kind": "attention", "when": when, "owes": owes}]


def _conflict_rows(dice, name, lane):
    rows = []
    for conflict in lane.get("conflicts", {}):
        out = [
            move for move, rule in lane["transitions"].items() if conflict in (rule.get("settles"), rule.get("from"))
        ]
        if dice.random() < 0.5:
            rows.append(
                {"stage": f"in_{conflict}", "kind": "attention", "when": {name: conflict}, "owes": [{name: out}]}
            )
    return rows


def _let_one_compensate(dice, rows):
    """Mostly one row: where several lanes owe at once, one of them alone comes from one compensation to the next."""
    for row in dice.sample(rows, min(len(rows), dice.choice([0, *[1] * 10, 2]))):
        row["kind"] = "compensation"


def _plain_rows(dice, lanes):
    places = [(name, state) for name, lane in sorted(lanes.items()) for state in lane["states"]]
    dice.shuffle(places)
    rows = []
    for n in range(dice.randint(0, 3)):
        alternatives = [{name: state} for name, state in places[2 * n : 2 * n + dice.randint(1, 2)]]
        other = dice.choice(sorted(lanes.keys() - alternatives[0].keys()))
        if dice.random() < 0.3:
            alternatives[0][other] = f"!{dice.choice(lanes[other]['states'])}"
        when = alternatives if len(alternatives) > 1 else alternatives[0]
        rows.append({"stage": f"row_{n}", "kind": dice.choice(["normal", "attention"]), "when": when})
    return rows
