"""The rules that look at one lane: L3, L4, L5 and L11.

**L3.** The values of a lane are antichains of states within one round (`crdt_sync.domain.lifecycle.rounds`); each of
two or more states must have a name, or the lane allow unnamed conflicts. It is hardly ever too strict, because
departments that work offline are independent: any two histories that end in round k can be laid side by side, each
from the opening on.

**L4.** A transition without `resets` to a state below one that it comes from keeps its round, so a concurrent copy
of the move that led to the upper state dominates it (D7) and undoes it without anybody's decision.

**L5.** A settlement makes the stragglers of a conflict give way to a state that the order does not put above them
(D7). That stays transitive only if the state is a member, and if what stands above or below one member stands above or
below every one: else a head may give way to one that gives way itself, and be undone by nothing that holds.

**L11.** Two colleagues who make the same transition at once with different payloads leave two effective heads, and a
`payload_conflict` that only a later head clears: there must be a transition with a payload from the state to itself.
"""

from collections.abc import Callable, Collection, Iterator
from itertools import combinations, permutations

from crdt_sync.domain.lifecycle.model import Finding, Lane, TransitionSpec
from crdt_sync.domain.lifecycle.result import Flag, Standing, TicketState
from crdt_sync.domain.lifecycle.rounds import antichains_of, rounds_of
from crdt_sync.domain.lifecycle.witness import History, Witnesses, enabled

FINDINGS_MAX = 16  # of one rule and lane: who mends these will see the next ones
FORKS_MAX = 4  # histories to a conflict, from which a settlement's stragglers are tried
STRAGGLERS_MAX = 200  # pairs of them, the short ones first

Alive = Callable[[TransitionSpec], bool]  # whether a transition can ever be made


def antichains(witnesses: Witnesses, lane: Lane) -> Iterator[Finding]:
    """L3: a reachable antichain of two or more states that is neither named nor allowed as `conflict: unnamed`."""
    if lane.conflict_unnamed:
        return
    for states in _unnamed(lane):
        yield Finding(
            rule="L3",
            where=f"{lane.id}.conflicts",
            line=lane.line,
            message=f"{listed(sorted(states))} can stand beside each other, and the conflict has no name.",
            story=_antichain_story(witnesses, lane, states),
            fix='Name it under "conflicts", order two of the states, or say "conflict: unnamed".',
        )


def undone(witnesses: Witnesses, lane: Lane) -> Iterator[Finding]:
    """L4: a transition to a state below one that it comes from, without `resets`."""
    for transition in lane.transitions.values():
        uppers = [] if transition.resets else _uppers(lane, transition)
        if uppers:
            story, stale = _undone_story(witnesses, lane, transition, uppers)
            undoing = f'a stale concurrent "{stale}" undoes it' if stale else "a stale concurrent move would undo it"
            yield Finding(
                rule="L4",
                where=f"{lane.id}.{transition.name}",
                line=transition.line,
                message=f"{transition.to} < {listed(uppers)}, so {undoing}.",
                story=story,
                fix='Add "resets: true".',
            )


def settlements(witnesses: Witnesses, lane: Lane) -> Iterator[Finding]:
    """L5: a `settles` to a state outside its conflict, or of a conflict whose members are not ordered alike."""
    judged: set[str] = set()
    for transition in lane.transitions.values():
        conflict = transition.settles
        if conflict is None:
            continue
        members = lane.conflict_members(conflict)
        where = f"{lane.id}.{transition.name}"
        if members and transition.to not in members:
            message = f"{transition.to} is not a member of {conflict}, which it settles."
            fix = f'Settle it to {listed(sorted(members), "or")}, or leave it "from: {conflict}".'
            story = _settlement_story(witnesses, lane, transition, members)
            yield Finding("L5", where, transition.line, message, story, fix)
        uneven = "" if conflict in judged else _uneven(lane, members)
        judged.add(conflict)
        if uneven:
            message = f"{uneven}, so a settlement of {conflict} may undo a move and be undone itself."
            fix = f"Order the members of {conflict} alike, or take one out."
            story = _settlement_story(witnesses, lane, transition, members)
            yield Finding("L5", where, transition.line, message, story, fix)


def amendments(witnesses: Witnesses, lane: Lane, is_alive: Alive) -> Iterator[Finding]:
    """L11: a state that a payload comes with, and that no transition with a payload leads back to from itself."""
    paying = [transition for transition in lane.transitions.values() if transition.payload and is_alive(transition)]
    for state in lane.states:
        entering = [transition for transition in paying if transition.to == state]
        if entering and not any(state in transition.sources for transition in entering):
            first = entering[0]
            yield Finding(
                rule="L11",
                where=f"{lane.id}.{first.name}",
                line=first.line,
                message=f"two payloads of {state} at once conflict, and nobody can amend them without leaving {state}.",
                story=_amendment_story(witnesses, lane, entering),
                fix=f"Add a transition from {state} to {state} with a payload.",
            )


def stage_shown(state: TicketState) -> str:
    """What a story gives, if its defect is about the whole."""
    return state.stage or "no stage"


def listed(names: Collection[str], word: str = "and") -> str:
    """The names as a person lists them."""
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last


def _unnamed(lane: Lane) -> list[frozenset[str]]:
    found: list[frozenset[str]] = []
    for states in rounds_of(lane).sets:
        for antichain in antichains_of(lane, states):
            if antichain not in lane.conflicts and antichain not in found:
                found.append(antichain)
            if len(found) == FINDINGS_MAX:
                return found
    return found


def _antichain_story(witnesses: Witnesses, lane: Lane, states: frozenset[str]) -> str:
    """The shortest fork to the states, or else histories to each of them side by side."""
    value = "|".join(sorted(states))
    best: History | None = None
    for history in witnesses.histories():
        if best and len(history.steps) + len(states) >= len(best.steps):
            break
        fork = witnesses.fork(history, lane, states)
        if fork and (best is None or len(fork.steps) < len(best.steps)):
            best = fork
    found = best or witnesses.apart(lane, states)
    return witnesses.told(found, lambda state: state.lanes[lane.id] == value, lambda _: value) if found else ""


def _uppers(lane: Lane, transition: TransitionSpec) -> list[str]:
    """The sources that the transition leaves for a state below; a conflict counts if all its members are above."""
    sources = {name: lane.conflict_members(name) or frozenset({name}) for name in transition.sources}
    if transition.settles:
        sources[transition.settles] = lane.conflict_members(transition.settles)
    above = frozenset(state for state in lane.states if transition.to in lane.below[state])
    return sorted(name for name, members in sources.items() if members and members <= above)


def _undone_story(witnesses: Witnesses, lane: Lane, transition: TransitionSpec, uppers: list[str]) -> tuple[str, str]:
    """A story in which the transition is overtaken by a stale copy of a move, and that move's name."""
    for history in witnesses.histories():
        if history.values[lane.id] not in uppers or not enabled(witnesses.lifecycle, history.values, transition):
            continue
        for step in reversed(history.steps):
            if step.transition.lane == lane.id and transition.to in lane.below[step.transition.to]:
                stale = history.then(transition).then(step.transition, seen=step.seen)
                story = witnesses.told(stale, lambda state: _is_at(state, lane, transition), stage_shown)
                if story:
                    return story, step.transition.name
    return "", ""


def _is_at(state: TicketState, lane: Lane, transition: TransitionSpec) -> bool:
    """Whether the lane is above where the transition, made last by someone who saw everything, had put it."""
    return transition.to in lane.below.get(state.lanes[lane.id], frozenset())


def _uneven(lane: Lane, members: frozenset[str]) -> str:
    """What stands below or above some of the members and not of the others."""
    for state, other in permutations(sorted(members), 2):
        if lower := sorted(lane.below[state] - lane.below[other]):
            return f"{listed(lower)} < {state}, but not < {other}"
        if upper := [above for above in lane.states if state in lane.below[above] and other not in lane.below[above]]:
            return f"{state} < {listed(upper)}, but {other} is not"
    return ""


def _settlement_story(witnesses: Witnesses, lane: Lane, transition: TransitionSpec, members: frozenset[str]) -> str:
    """A settlement beside stragglers, one of which gives way to nothing that holds; else one to a state outside."""
    settled: History | None = None
    for history, fork in _forks(witnesses, lane, transition, members):
        settled = settled or fork.then(transition)
        branches = [path for (_, resets), path in witnesses.branches(history, lane).items() if not resets]
        beside = [*((path, ()) for path in branches), *combinations(branches, 2)]
        for one, other in beside[:STRAGGLERS_MAX]:
            stragglers = fork.then(transition).branch(one, history.frontier).branch(other, history.frontier)
            if story := witnesses.told(stragglers, lambda state: _is_undone_by_nothing(state, lane), _shown(lane)):
                return story
    if settled and transition.to not in members:
        return witnesses.told(settled, lambda state: state.lanes[lane.id] == transition.to, _shown(lane))
    return ""


def _forks(
    witnesses: Witnesses, lane: Lane, transition: TransitionSpec, members: frozenset[str]
) -> Iterator[tuple[History, History]]:
    """A few histories, each with its fork to a conflict in which the transition is enabled."""
    found = 0
    for history in witnesses.histories():
        fork = witnesses.fork(history, lane, members)
        if fork and enabled(witnesses.lifecycle, fork.values, transition):
            yield history, fork
            found += 1
        if found == FORKS_MAX:
            return


def _shown(lane: Lane) -> Callable[[TicketState], str]:
    return lambda state: state.lanes[lane.id] or "no state"


def _is_undone_by_nothing(state: TicketState, lane: Lane) -> bool:
    """Whether a transition is overtaken although nothing effective dominates it, or no head is effective at all."""
    overtaken = (status for status in state.status.values() if status.status is Standing.OVERTAKEN)
    return not state.lanes[lane.id] or any(not status.by for status in overtaken)


def _amendment_story(witnesses: Witnesses, lane: Lane, entering: list[TransitionSpec]) -> str:
    for history in witnesses.histories():
        for transition in entering:
            if enabled(witnesses.lifecycle, history.values, transition):
                field = next(iter(transition.payload))
                once = history.then(transition, payload=f"{field}=A")
                twice = once.then(transition, seen=history.frontier, payload=f"{field}=B")
                story = witnesses.told(
                    twice,
                    lambda state: Flag.PAYLOAD_CONFLICT in state.flags.get(lane.id, ()),
                    lambda _: Flag.PAYLOAD_CONFLICT.value,
                )
                if story:
                    return story
    return ""
