"""What each rule of the checker promises, asked of one history by the oracle: which defects does it show?

A file that passes shows none of these in any history (P24); the story of a finding shows the one that it names (P25).
"""

from property_tests import plain
from property_tests.model import listed
from property_tests.test_p07_nothing_silent import sides

ALARMING = {"attention", "compensation"}


class View:
    """A history as everybody sees it at the end, judged by the definitions."""

    def __init__(self, history):
        self.spec, self.naive, self.all = history.spec, history.naive, set(history.lines)
        self.states = self.naive.states(self.all)
        self.row = plain.row_of(self.spec, self.states)
        self.heads = {lane: self.naive.effective(lane, self.all) for lane in self.states}
        self.all_heads = set().union(*self.heads.values())

    @property
    def result(self):
        """As the fold gives it, as far as a law asks."""
        lanes = {lane: self.naive.flags(lane, self.all) for lane in self.states}
        moves = self.all - {self.naive.ticket}
        return {
            "lanes": self.states,
            "flags": {lane: flags for lane, flags in lanes.items() if flags},
            "status": {i: self.naive.status(i, self.all) for i in moves},
        }

    def moves(self):
        """Every valid transition, with its rule."""
        return [(i, self.naive.rule(i)) for i in self.all if self.naive.code[i] is None]

    def apart(self, one, other):
        """Whether neither of two saw the other."""
        return one not in self.naive.past[other] and other not in self.naive.past[one]


def unnamed(view):
    """L3: a lane in a conflict that the file neither names nor allows."""
    for lane, state in view.states.items():
        has = view.spec["lanes"][lane]
        known = {*has["states"], *has.get("conflicts", {})}
        if state not in known and has.get("conflict") != "unnamed":
            yield f"{lane}.conflicts"


def undone(view):
    """L4: a move back without `resets`, after which somebody's stale move counts for more."""
    for i, rule in view.moves():
        lane = view.naive.events[i]["lane"]
        left = sides(view.naive, lane, view.naive.state(lane, view.naive.past[i]))
        if not rule.get("resets") and all((rule["to"], state) in view.naive.below[lane] for state in left):
            beaten = view.naive.why_below
            if any(beaten(i, y) == "order" and view.apart(i, y) for y in view.naive.heads(lane, view.all)):
                yield f"{lane}.{view.naive.events[i]['name']}"


def unsettled(view):
    """L5: a head that gives way to nothing that holds, or a ruling to what was no side of the conflict."""
    for lane in view.states:
        heads, best = view.naive.heads(lane, view.all), view.heads[lane]
        if any(not any(view.naive.why_below(x, y) for y in best) for x in heads - best):
            yield lane
        for x in best:
            conflict = view.naive.settles[x]
            if conflict and view.naive.rule(x)["to"] not in view.spec["lanes"][lane]["conflicts"][conflict]:
                yield lane


def stageless(view):
    """L6: no row."""
    if view.row is None:
        yield "stages"


def shadowed(view):
    """L7: a row that fits, and is not the stage."""
    for row in view.spec["stages"]:
        if row is not view.row and plain.row_of({"stages": [row]}, view.states):
            yield f"stages.{row['stage']}"


def trapped(view):
    """L8: an end that no way leads to any more."""
    ends = {
        f"{lane}.final": lambda states, lane=lane, has=has: states[lane] in has["final"]
        for lane, has in view.spec["lanes"].items()
        if "final" in has
    }
    kinds = {row["kind"] for row in view.spec["stages"]}
    last = next((kind for kind in ("final", "settled") if kind in kinds), None)
    if last:
        ends["stages"] = lambda states: plain.kind_of(view.spec, states) == last
    for states in plain.walked(view.spec, view.states, view.states):
        ends = {where: is_end for where, is_end in ends.items() if not is_end(states)}
        if not ends:
            break
    yield from ends


def broken(view):
    """L9: a move's condition that a colleague broke who saw neither the move nor its lane there; nobody is told."""
    yield from _broken(view, lambda lane, y: view.naive.state(lane, view.naive.past[y]) != view.states[lane])


def _broken(view, counts):
    """The moves that hold their lane, and whose conditions a head that counts has broken beside them."""
    if view.row is None or view.row["kind"] in ALARMING:
        return
    for lane, heads in view.heads.items():
        for i in heads:
            rule, apart = view.naive.rule(i), {y for y in view.all_heads if view.apart(i, y) and counts(lane, y)}
            for what, pattern in rule.get("if", {}).items():
                there = {**view.states, lane: view.naive.state(lane, view.naive.past[i])}
                holds = plain.holds(view.spec, there if what == "stage" else view.states, what, pattern)
                others = set(view.states) - {lane} if what == "stage" else {what}
                if view.states[lane] == rule["to"] and not holds and any(apart & view.heads[other] for other in others):
                    yield f"{lane}.{view.naive.events[i]['name']}"


def stuck(view):
    """L10: a compensation that nobody can begin, or that those who owe it cannot leave alone."""
    if view.row is None or view.row["kind"] != "compensation":
        return
    owed = [(lane, name) for entry in view.row.get("owes", []) for lane, names in entry.items() for name in names]
    rules = {(lane, name): view.spec["lanes"][lane]["transitions"][name] for lane, name in owed}
    ways = plain.walked(view.spec, view.states, sorted({lane for lane, _ in owed}))
    begun = any(plain.enabled(view.spec, view.states, lane, rule) for (lane, _), rule in rules.items())
    if not begun or all(plain.kind_of(view.spec, states) in {None, "compensation"} for states in ways):
        yield f"stages.{view.row['stage']}"


def unamendable(view):
    """L11: two payloads for one state, and no move of the file writes the right one."""
    for lane in view.states:
        if "payload_conflict" in view.naive.flags(lane, view.all):
            rules = view.spec["lanes"][lane]["transitions"].values()
            paid = {view.naive.rule(i)["to"] for i in view.heads[lane] if view.naive.events[i]["payload"]}
            for state in paid:
                if not any(
                    "payload" in rule and rule["to"] == state and state in listed(rule.get("from")) for rule in rules
                ):
                    yield lane


DEFECTS = {
    "L3": unnamed,
    "L4": undone,
    "L5": unsettled,
    "L6": stageless,
    "L7": shadowed,
    "L8": trapped,
    "L9": broken,
    "L10": stuck,
    "L11": unamendable,
}


def _in_vain(view):
    """A move that somebody tried where it starts, and that was inert."""
    return [f"{e['lane']}.{e['name']}" for i, e in view.naive.events.items() if view.naive.code[i] in {"from", "if"}]


# What a story may show, which no history of an accepted file is asked for: a move that can never be made, tried; and a
# condition broken by somebody who had not seen the move, though he may have seen its lane there by another one.
TOLD = DEFECTS | {
    "L8": lambda view: [*trapped(view), *_in_vain(view)],
    "L9": lambda view: _broken(view, lambda _lane, _y: True),
}
