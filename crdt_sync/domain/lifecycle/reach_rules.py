"""The rules that look at all lanes together: L7, L8, L9 and L10, each judged over `Reach`.

`Reach` holds what every view can show (`crdt_sync.domain.lifecycle.reach`), so what a rule does not find in it never
happens; what a rule finds in it has a story wherever the search for witnesses comes by it.

**L7.** A row that no combination of `Reach` matches first never is the stage.

**L8.** From each combination some moves, each by someone who sees everything, must lead every lane with `final` states
to one of them, and the whole to a row of kind final (or, if no row is, of kind settled). A transition that no
combination of `Reach` enables is dead.

**L9.** Whoever makes a transition with an `if` sees it hold. It is broken by concurrency in a combination that can
follow, with the lane still where the transition led it, in which a condition does not hold any more (one on the stage
is asked with the lane put back where it came from), and to which another lane has moved by someone who may have seen
the lane elsewhere. Somebody must be told there: the row must be of kind attention or compensation. Whoever moves on
from what he sees knows what he does, so a combination that only such a move leads to needs no such row.

**L10.** In a combination whose row is of kind compensation an owed transition must be enabled, and the lanes that owe
must come to a row of another kind by themselves: otherwise two departments may wait for each other for ever.
"""

from collections.abc import Iterator

from crdt_sync.domain.ids import LaneId
from crdt_sync.domain.lifecycle.lane_rules import listed, stage_shown
from crdt_sync.domain.lifecycle.model import Finding, Lane, Lifecycle, Pattern, StageRow, TransitionSpec
from crdt_sync.domain.lifecycle.reach import Reach, Reaches
from crdt_sync.domain.lifecycle.result import Standing
from crdt_sync.domain.lifecycle.space import Bits, Space
from crdt_sync.domain.lifecycle.witness import History, Witnesses, enabled

ASIDE_MAX = 64  # what other lanes may do meanwhile, tried from one history
ALARMING = ("attention", "compensation")


def idle_rows(witnesses: Witnesses, reaches: Reaches) -> Iterator[Finding]:
    """L7: a row that nothing reachable matches first, because earlier rows take it, or because nothing matches."""
    lifecycle = witnesses.lifecycle
    reach = reaches.whole()
    for number, row in enumerate(lifecycle.stages):
        if reach.space.rows[number] & reach.combinations:
            continue
        taken = reach.space.matched_by(row) & reach.combinations
        earlier = [
            other.stage
            for other, bits in zip(lifecycle.stages[:number], reach.space.rows, strict=False)
            if bits & taken
        ]
        message = "no history leads to it."
        if taken:
            message = f"{listed(earlier)} {'takes' if len(earlier) == 1 else 'take'} all that it matches."
        yield Finding(
            rule="L7",
            where=f"stages.{row.stage}",
            line=row.line,
            message=message,
            story=_story(witnesses, reach.space, taken) if taken else "",
            fix="Move it up, or remove it." if taken else "Remove it, or correct what it names.",
        )


def traps(witnesses: Witnesses, reaches: Reaches) -> Iterator[Finding]:
    """L8: a lane with final states, or the whole, that cannot complete from somewhere reachable."""
    lifecycle = witnesses.lifecycle
    for lane in lifecycle.lanes.values():
        if lane.final:
            reach = reaches.of(lane.id)
            goal = reach.space.named(lane.id, frozenset(lane.final).__contains__)
            what = f"{lane.id} no longer comes to {listed(lane.final, 'or')}"
            yield from _trap(witnesses, reach, goal, f"{lane.id}.final", lane.line, what)
    kinds = {row.kind for row in lifecycle.stages}
    last = next((kind for kind in ("final", "settled") if kind in kinds), None)
    if last:
        reach = reaches.whole()
        goal = reach.space.in_stage(lambda row: row.kind == last)
        what = f"no row of kind {last} can be reached"
        yield from _trap(witnesses, reach, goal, "stages", lifecycle.stages_line, what)


def dead_transitions(witnesses: Witnesses, reaches: Reaches) -> Iterator[Finding]:
    """L8: a transition that can never be made."""
    for lane in witnesses.lifecycle.lanes.values():
        for transition in lane.transitions.values():
            if is_dead(reaches, transition):
                yield Finding(
                    rule="L8",
                    where=f"{lane.id}.{transition.name}",
                    line=transition.line,
                    message="no history enables it.",
                    story=_attempt(witnesses, lane, transition),
                    fix='Correct its "from", "settles" or "if", or remove it.',
                )


def is_dead(reaches: Reaches, transition: TransitionSpec) -> bool:
    """Tell whether no combination of `Reach` enables the transition."""
    return not reaches.of(transition.lane).of(transition)


def broken_conditions(witnesses: Witnesses, reaches: Reaches) -> Iterator[Finding]:
    """L9: an `if` that concurrency can break without a row of kind attention or compensation where it is broken."""
    for lane in witnesses.lifecycle.lanes.values():
        for transition in lane.transitions.values():
            for name, pattern in transition.conditions:
                reach = reaches.of(lane.id)
                broken = _broken(reach, transition, name, pattern)
                for row, bits in zip(witnesses.lifecycle.stages, reach.space.rows, strict=True):
                    if broken & bits and row.kind not in ALARMING:
                        yield _broken_condition(witnesses, reach, transition, name, row, broken & bits)


def ping_pong(witnesses: Witnesses, reaches: Reaches) -> Iterator[Finding]:
    """L10: a compensation that nobody can begin, or that those who owe cannot end by themselves."""
    reach = reaches.whole()
    elsewhere = reach.space.in_stage(lambda row: row.kind != "compensation")
    ends: dict[frozenset[LaneId], Bits] = {}
    for row, bits in zip(witnesses.lifecycle.stages, reach.space.rows, strict=True):
        held = bits & reach.combinations
        if row.kind != "compensation" or not held:
            continue
        owed = _owed(witnesses.lifecycle, row)
        lanes = frozenset(transition.lane for transition in owed)
        if lanes not in ends:
            moves = [move for lane in lanes for move in witnesses.lifecycle.lanes[lane].transitions.values()]
            ends[lanes] = reach.space.leading(moves, elsewhere)
        stuck = held
        for transition in owed:
            stuck &= ~reach.space.enabling(transition)
        if stuck:
            message = "none of what it owes is enabled" if owed else "it owes nothing"
            yield _stuck(witnesses, reach, row, stuck, message)
        if owed and (endless := held & ~ends[lanes]):
            yield _stuck(witnesses, reach, row, endless, f"{listed(sorted(lanes))} alone cannot leave compensation")


def _trap(witnesses: Witnesses, reach: Reach, goal: Bits, where: str, line: int, what: str) -> Iterator[Finding]:
    moves = (move for lane in reach.space.lanes for move in lane.transitions.values())
    trapped = reach.combinations & ~reach.space.leading(moves, goal)
    if trapped:
        message = f"from {_combination(reach.space, trapped)} {what}."
        fix = "Add a way out, or do not let it come to this."
        yield Finding("L8", where, line, message, _story(witnesses, reach.space, trapped), fix)


def _attempt(witnesses: Witnesses, lane: Lane, transition: TransitionSpec) -> str:
    """The attempt from where the transition starts, or else from the opening: it is inert."""
    places = [history for history in witnesses.histories() if _starts_at(transition, history.values[lane.id])]
    start = next(iter(places), next(witnesses.histories(), None))
    if start is None:
        return ""
    inert = Standing.INERT
    return witnesses.told(
        start.then(transition),
        lambda state: any(status.status is inert for status in state.status.values()),
        lambda _: inert.value,
    )


def _starts_at(transition: TransitionSpec, value: str) -> bool:
    return value in transition.sources or value == transition.settles


def _broken(reach: Reach, transition: TransitionSpec, name: str, pattern: Pattern) -> Bits:
    """The combinations in which concurrency has broken one condition of the transition."""
    space, lane, to = reach.space, transition.lane, frozenset({transition.to})
    made = reach.of(transition)
    failing = space.everything & ~space.meeting(name, pattern)
    if name == "stage":
        found, others = 0, [other.id for other in space.lanes if other.id != lane]
        for value in space.values(lane):
            if began := made & space.at(lane, value):
                found |= reach.after(transition, began) & space.put(failing & space.at(lane, value), lane, to)
    else:
        found, others = reach.after(transition, made) & failing, [LaneId(name)]
    moved = 0
    for other in others if found else ():
        moved |= reach.moved_without(other, lane, transition.to)
    return found & moved & space.at(lane, to)


def _broken_condition(
    witnesses: Witnesses, reach: Reach, transition: TransitionSpec, name: str, row: StageRow, broken: Bits
) -> Finding:
    shown = _combination(reach.space, broken)
    return Finding(
        rule="L9",
        where=f"{transition.lane}.{transition.name}",
        line=transition.line,
        message=f'its "if" on {name} can cease to hold meanwhile: {shown} is {row.stage}, of kind {row.kind}.',
        story=_broken_story(witnesses, reach.space, transition, broken),
        fix='Give the combination a row of kind attention or compensation, or widen the "if".',
    )


def _broken_story(witnesses: Witnesses, space: Space, transition: TransitionSpec, broken: Bits) -> str:
    """The transition beside what others do who have not seen it, and no more than its author."""
    for history, beside in _besides(witnesses, transition):
        if space.holds(broken, {**beside.values, transition.lane: transition.to}):
            both = beside.then(transition, seen=history.frontier)
            if story := witnesses.told(both, lambda state: space.holds(broken, state.lanes), stage_shown):
                return story
    return ""


def _besides(witnesses: Witnesses, transition: TransitionSpec) -> Iterator[tuple[History, History]]:
    """Histories that enable the transition, each with what others make of it who have not seen it made."""
    for history in witnesses.histories():
        if enabled(witnesses.lifecycle, history.values, transition):
            for beside in _aside(witnesses, history, transition.lane):
                yield history, beside
    for history in witnesses.by_round(transition.lane):
        if enabled(witnesses.lifecycle, history.values, transition):
            for other in witnesses.lifecycle.lanes.values():
                for beside in witnesses.stale(history, other) if other.id != transition.lane else ():
                    yield history, beside


def _aside(witnesses: Witnesses, history: History, lane: LaneId) -> Iterator[History]:
    """What can come of a history while one lane stands still, the shortest first."""
    others = [other for other in witnesses.lifecycle.lanes.values() if other.id != lane]
    queue, known = [history], {tuple(history.values.values())}
    for begun in queue:
        for following in (step for other in others for step in witnesses.following(begun, other)):
            place = tuple(following.values.values())
            if place not in known and len(known) <= ASIDE_MAX:
                known.add(place)
                queue.append(following)
                yield following


def _stuck(witnesses: Witnesses, reach: Reach, row: StageRow, held: Bits, message: str) -> Finding:
    return Finding(
        rule="L10",
        where=f"stages.{row.stage}",
        line=row.line,
        message=f"in {_combination(reach.space, held)} {message}.",
        story=_story(witnesses, reach.space, held),
        fix="Let it owe a transition that is enabled there and that leads on to a row of another kind.",
    )


def _owed(lifecycle: Lifecycle, row: StageRow) -> list[TransitionSpec]:
    owed = [(lane, name) for entry in row.owes for lane, names in entry.owes.items() for name in names]
    return [
        lifecycle.lanes[lane].transitions[name]
        for lane, name in owed
        if lane in lifecycle.lanes and name in lifecycle.lanes[lane].transitions
    ]


def _story(witnesses: Witnesses, space: Space, bits: Bits) -> str:
    """The first history to one of the combinations, and the stage there."""
    return witnesses.first(
        lambda values: space.holds(bits, values), lambda state: space.holds(bits, state.lanes), stage_shown
    )


def _combination(space: Space, bits: Bits) -> str:
    return "{" + ", ".join(f"{lane}: {name}" for lane, name in space.example(bits).items()) + "}"
