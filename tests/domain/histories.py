"""A small lifecycle, built by hand, and short spellings of concurrent histories in it."""

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise

from crdt_sync.domain.ids import Department, Digest, LaneId, Role, TransitionId
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.lifecycle.model import Lane, Lifecycle, Obligation, Pattern, StageKind, StageRow, TransitionSpec
from crdt_sync.domain.transition import Transition, make

DIGEST = Digest("d" * 64)
OTHER_DIGEST = Digest("e" * 64)
LABELS = {
    "work_without_deal": {"en": "Work without a deal", "zh": "无合同施工"},
    "sales": {"en": "Sales", "zh": "销售"},
    "sales.signed": {"en": "Signed", "zh": "已签约"},
    "sales.sign": {"en": "Sign", "zh": "签约"},
}


def pattern(text: str) -> Pattern:
    """Read `*`, `!x` or `x y` (any of)."""
    if text == "*":
        return Pattern(any=True)
    return Pattern(frozenset(text.removeprefix("!").split()), negated=text.startswith("!"))


def patterns(**texts: str) -> dict[LaneId, Pattern]:
    return {LaneId(lane): pattern(text) for lane, text in texts.items()}


def move(name: str, sources: str, to: str, **more: object) -> TransitionSpec:
    """Declare a transition of the lane that takes it in, by `lane_of`."""
    conditions = tuple(more.pop("conditions", {}).items())
    by = tuple(Role(role) for role in more.pop("by", "").split())
    return TransitionSpec(name, LaneId(""), frozenset(sources.split()), to, by, conditions=conditions, **more)


def lane_of(
    name: str,
    chains: str,
    moves: Iterable[TransitionSpec],
    *,
    conflicts: Mapping[str, str] | None = None,
    owner: str = "",
    control: bool = False,
) -> Lane:
    """Build a lane; `chains` like "a < b < c, b < d" gives its states and their order, the first is initial."""
    below: dict[str, set[str]] = {}
    for chain in chains.split(", "):
        states = chain.split(" < ")
        for state in states:
            below.setdefault(state, set())
        for lower, upper in pairwise(states):
            below[upper] |= {lower} | below[lower]
    owner = owner or name
    declared = {
        spec.name: TransitionSpec(
            spec.name,
            LaneId(name),
            spec.sources,
            spec.to,
            spec.by or (Role(owner),),
            spec.settles,
            spec.resets,
            spec.conditions,
        )
        for spec in moves
    }
    return Lane(
        id=LaneId(name),
        owner=Department(owner),
        control=control,
        initial=next(iter(below)),
        states=tuple(below),
        final=(),
        below={state: frozenset(lower) for state, lower in below.items()},
        conflicts={frozenset(members.split()): conflict for conflict, members in (conflicts or {}).items()},
        conflict_unnamed=True,
        transitions=declared,
        form_readers=(),
    )


def row(stage: str, kind: StageKind, *when: Mapping[LaneId, Pattern], owes: Iterable[dict[str, str]] = ()) -> StageRow:
    entries = ({LaneId(lane): tuple(names.split()) for lane, names in entry.items()} for entry in owes)
    return StageRow(stage, kind, when or ({},), tuple(Obligation(entry) for entry in entries))


def deal_lifecycle(digest: Digest = DIGEST) -> Lifecycle:
    """Return a lifecycle of three lanes with a conflict, a settlement, resets, guards and owed work."""
    case = lane_of(
        "case",
        "active < closed",
        [
            move("close", "active", "closed", conditions={"stage": pattern("signed cancelled")}),
            move("reopen", "closed", "active", resets=True, by="backoffice gateway"),
        ],
        owner="backoffice",
        control=True,
    )
    sales = lane_of(
        "sales",
        "lead < quoted < signed < withdrawn, quoted < lost < withdrawn, quoted < parked",
        [
            move("quote", "lead quoted", "quoted"),
            move("sign", "quoted", "signed"),
            move("amend", "signed", "signed"),
            move("lose", "lead quoted", "lost"),
            move("park", "quoted", "parked"),
            move("withdraw", "signed disputed", "withdrawn"),
            move("revive", "lost withdrawn", "quoted", resets=True),
            move("rule_signed", "", "signed", settles="disputed", by="sales_lead"),
            move("rule_lost", "", "lost", settles="disputed", by="sales_lead"),
        ],
        conflicts={"disputed": "signed lost"},
    )
    tech = lane_of(
        "tech",
        "pending < working < delivered",
        [
            move("start", "pending", "working", conditions={"sales": pattern("signed"), "case": pattern("!closed")}),
            move("deliver", "working", "delivered"),
            move("restart", "delivered", "pending", resets=True),
        ],
    )
    rows = (
        row(
            "hold_work",
            "compensation",
            patterns(sales="disputed", tech="!pending"),
            patterns(sales="lost withdrawn", tech="!pending"),
            owes=[{"tech": "restart"}, {"sales": "rule_signed rule_lost", "case": "close"}],
        ),
        row("closed", "settled", patterns(case="closed")),
        row("deal_disputed", "attention", patterns(sales="disputed"), owes=[{"sales": "rule_signed rule_lost"}]),
        row("work_without_deal", "attention", patterns(sales="lead quoted", tech="!pending")),
        row("cancelled", "settled", patterns(sales="lost withdrawn")),
        row("signed", "normal", patterns(sales="signed")),
        row("presale", "normal"),
    )
    return Lifecycle(
        name="deal",
        version=1,
        digest=digest,
        title={},
        open_by=(Role("sales"),),
        talk=(),
        inbound_after_close="new_ticket",
        lanes={lane.id: lane for lane in (case, sales, tech)},
        stages=rows,
        stories=(),
        labels=LABELS,
    )


class History:
    """Concurrent transitions of one ticket under short keys. `o` is the opening."""

    def __init__(self, *spelled: str, lifecycle: Lifecycle | None = None, subject: str = "s") -> None:
        self.lifecycle = lifecycle or deal_lifecycle()
        self.by_key: dict[str, Transition] = {"o": opening(subject=subject, lifecycle=self.lifecycle.digest)}
        for text in spelled:
            self.do(text)

    def do(self, text: str, **changes: object) -> Transition:
        """Add `"key: lane.name(payload) < seen, seen"`; without `<` it saw the opening. `changes` override fields."""
        head, _, seen = text.partition(" < ")
        key, _, called = head.partition(": ")
        called, _, payload = called.removesuffix(")").partition("(")
        lane, _, name = called.partition(".")
        known = self.lifecycle.lanes.get(LaneId(lane))
        spec = known.transitions.get(name) if known else None
        fields: dict[str, object] = {
            "ticket": self.by_key["o"].id,
            "lane": lane,
            "name": name,
            "actor": key,
            "roles": spec.by[:1] if spec else ("sales",),
            "after": [self.by_key[other].id for other in seen.split(", ")] if seen else [self.by_key["o"].id],
            "lifecycle": self.by_key["o"].lifecycle,
            "payload": payload * 64 or None,
            "at": len(self.by_key),
        }
        self.by_key[key] = make(**(fields | changes))
        return self.by_key[key]

    def __getitem__(self, key: str) -> TransitionId:
        return self.by_key[key].id

    def ids(self, keys: str) -> tuple[TransitionId, ...]:
        """Return the ids of the keys, sorted."""
        return tuple(sorted(self[key] for key in keys.split()))

    def fold(self, keys: Iterable[str] | None = None) -> Fold:
        """Return a fold of these keys in this order, or of everything."""
        fold = Fold(self.lifecycle, self["o"])
        for key in self.by_key if keys is None else keys:
            fold.add(self.by_key[key])
        return fold

    def lines(self) -> list[bytes]:
        return [transition.record.encode() for transition in self.by_key.values()]


def opening(*, subject: str = "s", lifecycle: str = DIGEST, lane: str = "case", at: int = 0) -> Transition:
    return make(
        ticket=None,
        lane=lane,
        name="open",
        actor="o",
        roles=["sales"],
        after=[],
        lifecycle=lifecycle,
        at=at,
        subject=subject,
    )


def printed(result: Mapping[str, object]) -> str:
    """Return the bytes that tools compare."""
    return json.dumps(result, sort_keys=True)
