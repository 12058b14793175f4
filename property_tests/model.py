"""The naive fold: the definitions of a lifecycle as set comprehensions, and the oracle of every property.

It owns a second, slow (cubic) reading of the rules, and shares no line with `crdt_sync`: it takes the parsed file as
a plain mapping, decodes lines itself, and returns what `crdt-sync lifecycle fold` prints.
"""

import base64
import hashlib
import json
import re

WORD, SUBJECT = re.compile(r"[ -~]{1,128}"), re.compile(r"[ -~]{1,512}")
ID, DIGEST = re.compile(r"[a-z2-7]{51}[aq]"), re.compile(r"[0-9a-f]{64}")
KEYS = {"v", "ticket", "lane", "name", "actor", "roles", "after", "lifecycle", "payload", "at"}


def canonical(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def identify(line):
    digest = hashlib.sha256(b"ticket-transition/1\n" + line).digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()


def lifecycle_digest(spec):
    lanes = {name: {k: v for k, v in lane.items() if k != "labels"} for name, lane in spec["lanes"].items()}
    return sha(canonical({k: spec[k] for k in ("lifecycle", "version", "stages")} | {"lanes": lanes}))


def decode(line):
    """Return the transition's mapping, or the code of what is wrong with the line."""
    if len(line) > 4096:
        return "size"
    try:
        value = json.loads(line.decode())
        good = isinstance(value, dict) and canonical(value) == line and well_formed(value)
    except (ValueError, RecursionError):
        good = False
    return value if good else "malformed"


def well_formed(e):
    def text(value, pattern):
        return isinstance(value, str) and pattern.fullmatch(value) is not None

    def ascending(value, pattern, least, most):
        return (
            isinstance(value, list)
            and least <= len(value) <= most
            and all(text(x, pattern) for x in value)
            and value == sorted(set(value))
        )

    opening = e.get("name") == "open"
    return (
        e.keys() == KEYS | ({"subject"} if opening else set())
        and (type(e["v"]), e["v"]) == (int, 1)
        and (type(e["at"]) is int and 0 <= e["at"] < 2**53)
        and all(text(e[key], WORD) for key in ("lane", "name", "actor"))
        and ascending(e["roles"], WORD, 1, 16)
        and (e["after"] == [] if opening else ascending(e["after"], ID, 1, 32))
        and (e["ticket"] is None if opening else text(e["ticket"], ID))
        and text(e["lifecycle"], DIGEST)
        and (e["payload"] is None or text(e["payload"], DIGEST))
        and (not opening or text(e["subject"], SUBJECT))
    )


def listed(value):
    return value if isinstance(value, list) else [] if value is None else [value]


def matches(pattern, name):
    if isinstance(pattern, list):
        return name in pattern
    return pattern == "*" or (name != pattern[1:] if pattern.startswith("!") else name == pattern)


def ancestry(journal, i):
    """Return every id above which `i` is known to stand, whether or not the journal holds it."""
    past, fresh = set(), set(journal[i]["after"])
    while fresh:
        past, fresh = past | fresh, {a for f in fresh if f in journal for a in journal[f]["after"]} - past - fresh
    return past


class Naive:
    """The transitions of one view, judged in causal order, and the definitions over any causally closed part of it."""

    def __init__(self, spec):
        self.lanes, self.stages, self.digest = spec["lanes"], spec["stages"], lifecycle_digest(spec)
        self.control = next(name for name, lane in self.lanes.items() if lane.get("control"))
        self.below = {name: self._closed(lane.get("order", [])) for name, lane in self.lanes.items()}
        self.ticket, self.events, self.past = None, {}, {}
        self.code, self.round, self.settles = {}, {}, {}

    @staticmethod
    def _closed(order):
        chains = [re.split(r"\s*<\s*", chain.strip()) for chain in order]
        pairs = {(chain[i], chain[i + 1]) for chain in chains for i in range(len(chain) - 1)}
        while more := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
            pairs |= more
        return pairs

    def learn(self, i, e):
        """Judge `e`, whose parents are all known."""
        self.past[i] = {x for a in e["after"] for x in {a} | self.past[a]}
        self.events[i] = e
        if not e["after"]:
            self.ticket, self.code[i] = i, "opening"
            return
        self.code[i] = self.verdict(e, self.past[i])
        if self.code[i] is None:
            rule, lane = self.rule(i), e["lane"]
            reached = [self.round[x] for x in self.effective(lane, self.past[i])]
            self.round[i] = max(reached, default=0) + bool(rule.get("resets"))
            self.settles[i] = rule.get("settles") if self.state(lane, self.past[i]) == rule.get("settles") else None

    def rule(self, i):
        return self.lanes[self.events[i]["lane"]]["transitions"][self.events[i]["name"]]

    def verdict(self, e, past):  # D5
        lane = self.lanes.get(e["lane"], {})
        rule = lane.get("transitions", {}).get(e["name"])
        if e["ticket"] != self.ticket:
            return "ticket"
        if any(a in self.past[b] for a in e["after"] for b in e["after"]):
            return "after"
        if e["lifecycle"] != self.events[self.ticket]["lifecycle"]:
            return "lifecycle"
        if rule is None:
            return "unknown"
        if not set(e["roles"]) & set(listed(rule.get("by", lane["owner"]))):
            return "role"
        if self.state(e["lane"], past) not in [*listed(rule.get("from")), *listed(rule.get("settles"))]:
            return "from"
        names = {"stage": self.stage(past), **self.states(past)}
        return None if all(matches(pattern, names[k]) for k, pattern in rule.get("if", {}).items()) else "if"

    def valid(self, lane, view):
        return {i for i in view if self.code[i] is None and self.events[i]["lane"] == lane}

    def settled(self, x):  # D6
        peers = {z for z in self.valid(self.events[x]["lane"], self.past[x]) if self.round[z] == self.round[x]}
        return any(self.settles[z] is not None for z in peers | {x})

    def why_below(self, x, y):  # D7
        lane, to_x, to_y = self.events[x]["lane"], self.rule(x)["to"], self.rule(y)["to"]
        if self.round[x] != self.round[y]:
            return "round" if self.round[x] < self.round[y] else None
        if (to_x, to_y) in self.below[lane]:
            return "order"
        conflict = self.lanes[lane].get("conflicts", {}).get(self.settles[y], [])
        return "settled" if to_x in conflict and not self.settled(x) else None

    def heads(self, lane, view):  # D8
        return {x for x in self.valid(lane, view) if not any(x in self.past[y] for y in self.valid(lane, view))}

    def effective(self, lane, view):
        heads = self.heads(lane, view)
        return {x for x in heads if not any(self.why_below(x, y) for y in heads)}

    def state(self, lane, view):  # D9
        if not self.heads(lane, view):
            return self.lanes[lane]["initial"]
        found = {self.rule(x)["to"] for x in self.effective(lane, view)}
        declared = {name for name, members in self.lanes[lane].get("conflicts", {}).items() if set(members) == found}
        return next(iter(declared or {"|".join(sorted(found))}))

    def states(self, view):
        return {lane: self.state(lane, view) for lane in self.lanes}

    def lost(self, lane, view):
        """Return the heads for whose sake the lane is flagged `overtaken`."""
        best = self.effective(lane, view)
        return {
            x
            for x in self.heads(lane, view) - best
            if all(self.round[y] > self.round[x] for y in best if self.why_below(x, y))
            and any(
                self.rule(x)["to"] != self.rule(y)["to"]
                and (self.rule(x)["to"], self.rule(y)["to"]) not in self.below[lane]
                for y in best
            )
        }

    def flags(self, lane, view):
        signed = {(self.rule(x)["to"], self.events[x]["payload"]) for x in self.effective(lane, view)}
        clash = any(a == b and p != q and p and q for a, p in signed for b, q in signed)
        return (["overtaken"] if self.lost(lane, view) else []) + (["payload_conflict"] if clash else [])

    def row(self, view):  # D10
        states = self.states(view)
        found = [
            (row, alternative)
            for row in self.stages
            for alternative in listed(row["when"])
            if all(matches(pattern, states[lane]) for lane, pattern in alternative.items())
        ]
        return found[0] if found else ({"stage": None, "kind": None}, {})

    def stage(self, view):
        return self.row(view)[0]["stage"]

    def obligations(self, view):  # D11
        row, alternative = self.row(view)
        named = sorted({x for lane in alternative for x in self.effective(lane, view)})
        return [{"row": row["stage"], "owes": owed, "trigger": named} for owed in row.get("owes", [])] + [
            {
                "row": row["stage"],
                "owes": {lane: ["review"]},
                "trigger": sorted(self.effective(lane, view) | self.lost(lane, view)),
            }
            for lane in self.lanes
            if self.flags(lane, view)
        ]

    def status(self, x, view):  # D12
        if self.code[x] is not None:
            return {"status": "inert", "code": self.code[x]}
        lane = self.events[x]["lane"]
        heads, best = self.heads(lane, view), self.effective(lane, view)
        if x not in heads:
            return {"status": "superseded", "by": sorted(y for y in heads if x in self.past[y])}
        if x not in best:
            reasons = {self.why_below(x, y) for y in best}
            because = next((reason for reason in ("round", "order", "settled") if reason in reasons), None)
            return {"status": "overtaken", "because": because, "by": sorted(y for y in best if self.why_below(x, y))}
        others = sorted(y for y in best if self.rule(y)["to"] != self.rule(x)["to"])
        return {"status": "contested", "by": others} if others else {"status": "effective"}


def fold(spec, lines, *, any_digest=False, ticket=None):
    """Return the object that `crdt-sync lifecycle fold` prints. `ticket` names the opening; else the smallest id is."""
    naive = Naive(spec)
    decoded = {line: decode(line) for line in set(lines) if line}
    decoded |= {
        line: "malformed"  # which lane another file's control lane is, nobody knows here
        for line, e in decoded.items()
        if isinstance(e, dict) and not e["after"] and e["lane"] != naive.control
        if any_digest or e["lifecycle"] == naive.digest
    }
    quarantined = {sha(line): code for line, code in decoded.items() if isinstance(code, str)}
    journal = {identify(line): e for line, e in decoded.items() if isinstance(e, dict)}
    known = {i: ancestry(journal, i) for i in journal}
    openings = sorted(i for i in journal if not journal[i]["after"])
    opening = ticket if ticket in openings else openings[0] if openings and ticket is None else None
    foreign = {i for i in journal if ({i} | known[i]) & (set(openings) - {opening})}
    quarantined |= {sha(line): "ticket" for line in decoded if identify(line) in foreign}
    pending = {i: sorted(known[i] - journal.keys()) for i in journal.keys() - foreign if known[i] - journal.keys()}
    view = journal.keys() - foreign - pending.keys()
    foreseen = any_digest or opening is None or journal[opening]["lifecycle"] == naive.digest
    result = {"ticket": opening, "pending": pending, "quarantined": quarantined}
    if opening is None or not foreseen:
        nothing = {"lanes": {}, "flags": {}, "stage": None, "kind": None, "obligations": [], "status": {}}
        return result | nothing | {"codes": dict.fromkeys(view, "lifecycle_unknown")}
    for i in sorted(view, key=lambda i: len(known[i])):
        naive.learn(i, journal[i])
    return result | {
        "lanes": naive.states(view),
        "flags": {lane: naive.flags(lane, view) for lane in naive.lanes if naive.flags(lane, view)},
        "stage": naive.stage(view),
        "kind": naive.row(view)[0]["kind"],
        "obligations": naive.obligations(view),
        "status": {x: naive.status(x, view) for x in view - {opening}},
        "codes": {},
    }
