"""Small changes of a lifecycle file that may or may not break it: what passes nonetheless lies close to the edge."""

import copy


def tweaked(dice, spec):
    """A copy with one or two changes."""
    changed = copy.deepcopy(spec)
    for _ in range(dice.randint(1, 2)):
        dice.choice(TWEAKS)(dice, changed)
    return changed


def _lane(dice, spec):
    return dice.choice([lane for lane in spec["lanes"].values() if not lane.get("control")])


def _rule(dice, lane):
    return dice.choice(list(lane["transitions"].values()))


def drop_a_move(dice, spec):
    moves = _lane(dice, spec)["transitions"]
    del moves[dice.choice(sorted(moves))]


def drop_an_order(dice, spec):
    lane = _lane(dice, spec)
    lane["order"] = [pair for pair in lane["order"] if dice.random() < 0.8]


def turn_resets(dice, spec):
    rule = _rule(dice, _lane(dice, spec))
    rule["resets"] = not rule.get("resets", False)


def go_elsewhere(dice, spec):
    lane = _lane(dice, spec)
    _rule(dice, lane)["to"] = dice.choice(lane["states"])


def start_elsewhere(dice, spec):
    lane = _lane(dice, spec)
    _rule(dice, lane)["from"] = dice.sample([*lane["states"], *lane.get("conflicts", {})], dice.randint(1, 2))


def owe_more(dice, spec):
    lane = dice.choice(sorted(spec["lanes"]))
    row = dice.choice(spec["stages"])
    row["owes"] = [*row.get("owes", []), {lane: [dice.choice(sorted(spec["lanes"][lane]["transitions"]))]}]


def begin_elsewhere(dice, spec):
    lane = _lane(dice, spec)
    lane["initial"] = dice.choice(lane["states"])


def allow_unnamed(dice, spec):
    """Some conflicts keep their names, others need none; what named them before is refused."""
    lane = _lane(dice, spec)
    lane["conflict"] = "unnamed"
    kept = {name: members for name, members in lane.get("conflicts", {}).items() if dice.random() < 0.8}
    lane["conflicts"] = kept


def settle_and_more(dice, spec):
    """A ruling that starts elsewhere, too, or begins a new round, or both."""
    rulings = [rule for lane in spec["lanes"].values() for rule in lane["transitions"].values() if "settles" in rule]
    if rulings:
        rule = dice.choice(rulings)
        rule["from"] = dice.sample(_lane_of(spec, rule)["states"], 1)
        rule["resets"] = dice.random() < 0.5


def _lane_of(spec, rule):
    return next(lane for lane in spec["lanes"].values() if rule in lane["transitions"].values())


def ask(dice, spec):
    other = dice.choice(sorted(spec["lanes"]))
    rule = _rule(dice, _lane(dice, spec))
    asked = {other: dice.choice(["", "!"]) + dice.choice(spec["lanes"][other]["states"])}
    rule["if"] = {**rule.get("if", {}), **asked}


def ask_for_a_stage(dice, spec):
    rule = _rule(dice, _lane(dice, spec))
    rule["if"] = {"stage": dice.choice(["", "!"]) + dice.choice(spec["stages"])["stage"]}


def shuffle_rows(dice, spec):
    dice.shuffle(spec["stages"])


def drop_a_row(dice, spec):
    del spec["stages"][dice.randrange(len(spec["stages"]))]


def change_a_kind(dice, spec):
    dice.choice(spec["stages"])["kind"] = dice.choice(["normal", "attention", "compensation", "settled"])


TWEAKS = (drop_a_move, drop_an_order, turn_resets, go_elsewhere, start_elsewhere, ask, ask_for_a_stage, shuffle_rows)
TWEAKS += (drop_a_row, change_a_kind, owe_more, begin_elsewhere, allow_unnamed, settle_and_more)
