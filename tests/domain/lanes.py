"""Lanes in few words: states "a b", order "a < b, a < c", transitions {"go": "a > b resets"}."""

import json

from crdt_sync.adapters.lifecycle_files import read


def lane_of(states, order, transitions, conflicts=None, *, unnamed=False):
    """The lane `work` of a file that says no more; the first state is the initial one."""
    return lifecycle_of({"work": (states, order, transitions, conflicts or {}, unnamed)}).lanes["work"]


def lifecycle_of(lanes, stages=({"stage": "any", "kind": "normal", "when": {}},)):
    """A lifecycle of such lanes, whatever the checker says of it; the first lane is the control lane."""
    spec = {"lifecycle": "drawn", "version": 1, "stages": list(stages), "lanes": {}}
    for name, lane in lanes.items():
        states, order, transitions, conflicts, unnamed = (*lane, {}, False)[:5] if len(lane) == 3 else lane
        spec["lanes"][name] = {
            "owner": name,
            "control": not spec["lanes"],
            "initial": states.split()[0],
            "states": states.split(),
            "order": [chain for chain in order.split(", ") if chain],
            "transitions": {key: _transition(text) for key, text in transitions.items()},
            "conflicts": {key: members.split() for key, members in conflicts.items()},
        } | ({"conflict": "unnamed"} if unnamed else {})
    loaded = read(json.dumps(spec))
    assert loaded.lifecycle is not None, [finding.to_text("drawn") for finding in loaded.findings]
    return loaded.lifecycle


def _transition(text):
    """`a b > c resets if lane=pattern`, or `settles torn > c`."""
    text, _, condition = text.partition(" if ")
    start, _, rest = text.partition(" > ")
    to, _, resets = rest.partition(" ")
    found = {"settles": start.split()[1]} if start.startswith("settles ") else {"from": start.split()}
    lane, _, pattern = condition.partition("=")
    return found | {"to": to, "resets": resets == "resets"} | ({"if": {lane: pattern}} if condition else {})
