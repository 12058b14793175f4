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


def ask(dice, spec):
    other = dice.choice(sorted(spec["lanes"]))
    rule = _rule(dice, _lane(dice, spec))
    rule["if"] = {other: dice.choice(["", "!"]) + dice.choice(spec["lanes"][other]["states"])}


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
TWEAKS += (drop_a_row, change_a_kind)
