"""The fold: what a ticket's transitions amount to, whatever the order in which they arrived.

It owns causality, validity and the reading of a view; how one lane joins is `join`'s, who waits is `pending`'s. What
is once judged is never judged again: the verdict reads a transition, its lifecycle and its ancestors, and none of these
can change. It never drops a transition and never asks who may act now, which is admission's.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from crdt_sync.domain.ids import LaneId, TicketId, TransitionId
from crdt_sync.domain.lifecycle.join import LaneView, Move, Rank, flags, ids_of, join, maximal, statuses
from crdt_sync.domain.lifecycle.model import Lifecycle, TransitionSpec
from crdt_sync.domain.lifecycle.pending import Pending
from crdt_sync.domain.lifecycle.result import Code, Standing, Status, TicketState, Verdict
from crdt_sync.domain.lifecycle.stage import StageMatch, match_stage, obligations
from crdt_sync.domain.transition import AFTER_MAX, Transition, decode

Heads = Mapping[LaneId, tuple[Move, ...]]  # a lane without an entry has none

_NO_TICKET = TransitionId("")  # the id of no opening
_VALID = Verdict()


@dataclass(frozen=True, slots=True, eq=False)
class _Memo:
    """What is known for ever about a transition of the view; `heads` are those of its past and itself together."""

    transition: Transition
    index: int
    past: int
    heads: Heads
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class _Past:
    """What a transition had seen: its ancestors' bits and their heads."""

    bits: int
    heads: Heads
    is_antichain: bool


class Fold:
    """The view of one ticket, growing as transitions come in any order; duplicates change nothing.

    With `any_digest` the lifecycle stands in for whichever the opening names.
    """

    def __init__(self, lifecycle: Lifecycle, ticket: TransitionId, *, any_digest: bool = False) -> None:
        self._lifecycle = lifecycle
        self._ticket = ticket
        self._any_digest = any_digest
        self._memos: dict[TransitionId, _Memo] = {}
        self._ids: list[TransitionId] = []  # by index
        self._pending = Pending()
        self._quarantined: dict[TransitionId, Code] = {}
        self._inert: dict[TransitionId, Status] = {}
        self._maximal = 0
        self._heads: Heads = {}
        self._members: dict[LaneId, int] = {}  # the bits of a lane's valid transitions
        self._settlements: dict[tuple[LaneId, int], int] = {}  # the bits of those that settle in a round
        self._views: dict[tuple[LaneId, tuple[Move, ...]], LaneView] = {}
        self._stages: dict[tuple[str, ...], StageMatch | None] = {}
        self._statuses: dict[LaneId, tuple[LaneView, dict[TransitionId, Status]]] = {}  # of the newest view
        self._state: TicketState | None = None

    def __contains__(self, key: TransitionId) -> bool:
        return key in self._memos

    def add(self, transition: Transition) -> None:
        """Take in a transition: place it, let it wait for its ancestors, or quarantine it."""
        key = transition.id
        if key in self._memos or key in self._pending or key in self._quarantined:
            return
        self._state = None
        if transition.is_opening and _is_misplaced(self._lifecycle, transition, any_digest=self._any_digest):
            self._quarantined[key] = Code.MALFORMED
        elif self._is_foreign(transition):
            self._quarantine(transition)
        elif unplaced := [parent for parent in transition.after if parent not in self._memos]:
            self._pending.add(transition, unplaced)
        else:
            self._place(transition)

    def verdict(self, key: TransitionId) -> Verdict | None:
        """Return the verdict on a transition of the view, None if it is not there; it never changes."""
        memo = self._memos.get(key)
        return memo.verdict if memo else None

    def judge(self, transition: Transition) -> Verdict | None:
        """Return what the verdict would be, without adding; None if an ancestor is missing."""
        if transition.id in self._memos:
            return self._memos[transition.id].verdict
        if transition.is_opening and _is_misplaced(self._lifecycle, transition, any_digest=self._any_digest):
            return Verdict(Code.MALFORMED)
        if self._is_foreign(transition):
            return Verdict(Code.TICKET)
        if any(parent not in self._memos for parent in transition.after):
            return None
        return self._verdict(transition, self._past(transition))

    def transition(self, key: TransitionId) -> Transition:
        """Return a transition of the view.

        Raises:
            KeyError: it is not in the view.

        """
        return self._memos[key].transition

    def frontier(self) -> tuple[TransitionId, ...]:
        """Return the newest transitions of the view, those that no other has seen, sorted."""
        return tuple(sorted(ids_of(self._maximal, self._ids)))

    def frontier_of(self, ids: Iterable[TransitionId]) -> tuple[TransitionId, ...]:
        """Return the newest among `ids`, sorted: what someone would name who saw these and their ancestors.

        Raises:
            KeyError: one is not in the view.

        """
        memos = {key: self._memos[key] for key in ids}
        past = 0
        for memo in memos.values():
            past |= memo.past
        return tuple(sorted(key for key, memo in memos.items() if not past >> memo.index & 1))

    def naming(self, frontier: Iterable[TransitionId]) -> tuple[TransitionId, ...]:
        """Return, sorted, which members of a frontier a writer names in `after`, where there is room for 32.

        Effective heads come first, then what has one in its past, then the rest.
        """
        members = sorted(frontier)
        if len(members) <= AFTER_MAX:
            return tuple(members)
        views = self._views_of(self._merged(members))
        effective = [head for view in views.values() for head in view.effective]
        head_ids = {head.id for head in effective}
        head_bits = sum(1 << head.index for head in effective)

        def preference(key: TransitionId) -> tuple[int, TransitionId]:
            if key in head_ids:
                return 0, key
            return (1 if self._memos[key].past & head_bits else 2), key

        return tuple(sorted(sorted(members, key=preference)[:AFTER_MAX]))

    def state(self) -> TicketState:
        """Return what the whole journal amounts to."""
        if self._state is None:
            everything = (1 << len(self._ids)) - 1
            self._state = replace(
                self._read(everything, self._heads),
                pending=self._pending.missing(),
                quarantined=dict(self._quarantined),
            )
        return self._state

    def state_at(self, ids: Iterable[TransitionId]) -> TicketState:
        """Return what someone sees who has these transitions and their ancestors, and nothing else.

        Raises:
            KeyError: one is not in the view.

        """
        members = tuple(ids)
        bits = 0
        for key in members:
            bits |= self._memos[key].past | 1 << self._memos[key].index
        return self._read(bits, self._merged(members))

    def _is_foreign(self, transition: Transition) -> bool:
        if transition.is_opening:
            return transition.id != self._ticket
        return any(self._quarantined.get(parent) is Code.TICKET for parent in transition.after)

    def _quarantine(self, transition: Transition) -> None:
        for foreign in (transition, *self._pending.drop_above(transition.id)):
            self._quarantined[foreign.id] = Code.TICKET

    def _place(self, transition: Transition) -> None:
        """Judge the transition and whatever waited for nothing else; a loop, since chains may be long."""
        ready = [transition]
        while ready:
            placed = ready.pop()
            self._remember(placed, self._past(placed))
            ready += self._pending.placed(placed.id)

    def _remember(self, transition: Transition, past: _Past) -> None:
        verdict = self._verdict(transition, past)
        index = len(self._ids)
        heads = past.heads
        if not verdict.valid:
            self._inert[transition.id] = Status(Standing.INERT, code=verdict.code)
        elif not transition.is_opening:
            move = self._move(transition, index, past)
            heads = {**heads, transition.lane: (move,)}
            self._enter(transition.lane, move)
        self._memos[transition.id] = _Memo(transition, index, past.bits, heads, verdict)
        self._ids.append(transition.id)
        self._maximal = self._maximal & ~past.bits | 1 << index

    def _enter(self, lane: LaneId, move: Move) -> None:
        """Count a valid transition among its lane's: it stands above all that it saw."""
        others = (head for head in self._heads.get(lane, ()) if not move.saw(head))
        self._heads = {**self._heads, lane: (*others, move)}
        self._members[lane] = self._members.get(lane, 0) | 1 << move.index
        if move.rank.settles:
            key = (lane, move.rank.round)
            self._settlements[key] = self._settlements.get(key, 0) | 1 << move.index

    def _past(self, transition: Transition) -> _Past:
        strict = parents = 0
        for parent in transition.after:
            memo = self._memos[parent]
            strict |= memo.past
            parents |= 1 << memo.index
        return _Past(strict | parents, self._merged(transition.after), is_antichain=not strict & parents)

    def _merged(self, ids: Sequence[TransitionId]) -> Heads:
        """Return the heads of the closure of `ids`."""
        parts = [self._memos[key].heads for key in ids]
        if len(parts) <= 1:
            return parts[0] if parts else {}
        lanes = dict.fromkeys(lane for part in parts for lane in part)
        return {lane: _joined_heads([part[lane] for part in parts if lane in part]) for lane in lanes}

    def _verdict(self, transition: Transition, past: _Past) -> Verdict:
        code = self._failing(transition, past)
        return Verdict(code) if code else _VALID

    def _failing(self, transition: Transition, past: _Past) -> Code | None:
        if self._lifecycle_unknown(transition):
            return Code.LIFECYCLE_UNKNOWN
        if transition.is_opening:
            return None
        if transition.ticket != TicketId(self._ticket):
            return Code.TICKET
        if not past.is_antichain:
            return Code.AFTER
        if transition.lifecycle != self._memos[self._ticket].transition.lifecycle:
            return Code.LIFECYCLE
        spec = self._spec(transition)
        if spec is None:
            return Code.UNKNOWN
        if not set(spec.by) & set(transition.roles):
            return Code.ROLE
        state = self._view_of(transition.lane, past.heads).state
        if state not in spec.sources and state != spec.settles:
            return Code.FROM
        return None if self._conditions_hold(spec, past.heads) else Code.IF

    def _lifecycle_unknown(self, transition: Transition) -> bool:
        opening = transition if transition.is_opening else self._memos[self._ticket].transition
        return not self._any_digest and opening.lifecycle != self._lifecycle.digest

    def _spec(self, transition: Transition) -> TransitionSpec | None:
        lane = self._lifecycle.lanes.get(transition.lane)
        return lane.transitions.get(transition.name) if lane else None

    def _conditions_hold(self, spec: TransitionSpec, heads: Heads) -> bool:
        if not spec.conditions:
            return True
        views = self._views_of(heads)
        match = self._match(views)
        names = {lane: view.state for lane, view in views.items()}
        stage = match.row.stage if match else ""  # no name: only a pattern that refuses or takes all holds
        return all(pattern.matches(stage if key == "stage" else names[LaneId(key)]) for key, pattern in spec.conditions)

    def _move(self, transition: Transition, index: int, past: _Past) -> Move:
        spec = self._spec(transition)
        assert spec is not None, "only a declared transition is valid"
        view = self._view_of(transition.lane, past.heads)
        round_ = view.round + spec.resets
        settles = view.lane.conflict_members(view.state) if view.state == spec.settles else frozenset()
        settled = bool(settles or past.bits & self._settlements.get((transition.lane, round_), 0))
        return Move(transition.id, index, past.bits, Rank(round_, spec.to, settles, settled), transition.payload)

    def _view_of(self, lane: LaneId, heads: Heads) -> LaneView:
        key = (lane, heads.get(lane, ()))
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = join(self._lifecycle.lanes[lane], key[1])
        return view

    def _views_of(self, heads: Heads) -> dict[LaneId, LaneView]:
        return {lane: self._view_of(lane, heads) for lane in self._lifecycle.lanes}

    def _match(self, views: Mapping[LaneId, LaneView]) -> StageMatch | None:
        key = tuple(view.state for view in views.values())
        if key not in self._stages:
            self._stages[key] = match_stage(self._lifecycle, {lane: view.state for lane, view in views.items()})
        return self._stages[key]

    def _read(self, bits: int, heads: Heads) -> TicketState:
        """Return the state of the view that holds these bits, whose heads are these."""
        if not bits:
            return TicketState()
        opening = self._memos[self._ticket].transition
        if self._lifecycle_unknown(opening):
            codes = dict.fromkeys(ids_of(bits, self._ids), Code.LIFECYCLE_UNKNOWN)
            return TicketState(ticket=TicketId(self._ticket), codes=codes)
        views = self._views_of(heads)
        match = self._match(views)
        raised = {lane: flags(view) for lane, view in views.items()}
        status = {key: inert for key, inert in self._inert.items() if bits >> self._memos[key].index & 1}
        for view in views.values():
            status |= self._statuses_of(view)
        return TicketState(
            ticket=TicketId(self._ticket),
            lanes={lane: view.state for lane, view in views.items()},
            flags={lane: found for lane, found in raised.items() if found},
            stage=match.row.stage if match else None,
            kind=match.row.kind if match else None,
            obligations=obligations(match, views),
            status=status,
        )

    def _statuses_of(self, view: LaneView) -> dict[TransitionId, Status]:
        """Return what became of the lane's transitions; kept for the newest view, as other lanes' moves leave it."""
        lane = view.lane.id
        known = self._statuses.get(lane)
        if known is None or known[0] is not view:
            known = self._statuses[lane] = (view, statuses(view, self._members.get(lane, 0), self._ids))
        return known[1]


def fold_lines(lifecycle: Lifecycle, lines: Iterable[bytes], *, any_digest: bool = False) -> dict[str, object]:
    """Return what `crdt-sync lifecycle fold` prints: the plain state of the ticket that these lines hold.

    A line is a record, with or without its line feed. Empty lines are skipped, equal ones count once, and bad ones are
    quarantined under their SHA-256. The ticket is the smallest opening.
    """
    bad: dict[str, str] = {}
    journal: list[Transition] = []
    for line in dict.fromkeys(line.removesuffix(b"\n") for line in lines):
        decoded = decode(line)
        if isinstance(decoded, Transition):
            journal.append(decoded)
        elif line:
            bad[_line_key(line)] = decoded.value
    openings = [
        transition.id
        for transition in journal
        if transition.is_opening and not _is_misplaced(lifecycle, transition, any_digest=any_digest)
    ]
    fold = Fold(lifecycle, min(openings, default=_NO_TICKET), any_digest=any_digest)
    for transition in journal:
        fold.add(transition)
    state = fold.state()
    keys = {transition.id: _line_key(transition.record.encode()) for transition in journal}
    quarantined = {keys[key]: code.value for key, code in state.quarantined.items()}
    return {**state.to_json(), "quarantined": bad | quarantined}


def _line_key(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _is_misplaced(lifecycle: Lifecycle, opening: Transition, *, any_digest: bool) -> bool:
    """Tell whether an opening stands outside the control lane, which only its own lifecycle can tell."""
    return (any_digest or opening.lifecycle == lifecycle.digest) and opening.lane != lifecycle.control.id


def _joined_heads(parts: Sequence[tuple[Move, ...]]) -> tuple[Move, ...]:
    first = parts[0]
    if all(part is first for part in parts):
        return first
    return maximal(move for part in parts for move in part)
