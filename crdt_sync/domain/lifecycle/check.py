"""The checker: a lifecycle is proven before it is loaded. Rules L3, L4 and L6, and L0: the file's own stories hold.

L1 and L2 are found while the file is read (`spec`). A rule judges what the file says and nothing else; the witness of
a finding is searched for afterwards (`witness`), is folded before it is shown, and is empty where no history in reach
shows the defect, for instance because the transition can never be made.

**L3, which antichains are reachable.** The effective heads of a lane have one round, because a head of a lower round
is dominated, and their states are pairwise unordered, because otherwise one would dominate the other. So a set of two
or more states can stand beside each other only if it is an antichain and, for some round k, each of its states is
the `to` of a valid transition of round k. Let R(k) be a superset of those states: R(0) starts from the initial state
and closes under the transitions without `resets`; R(k+1) starts from the targets of the `resets` that can be made in
round k and closes likewise. A source that is a conflict counts as met when all its members are in R(k). Conditions
(`if`) and settlements can only take states away, so leaving them out keeps R(k) a superset, and the rule is sound:
whatever antichain of effective heads a history gives is one that the rule looked at. It is hardly ever too strict,
because departments that work offline are independent: any two histories that end in round k can be laid side by
side, each from the opening on. R(k+1) depends on R(k) alone, so the sequence repeats and the search ends.

**L4.** A transition without `resets` to a state below one that it comes from keeps its round, so a concurrent copy
of the move that led to the upper state dominates it (D7) and undoes it without anybody's decision.

**L6.** See `crdt_sync.domain.lifecycle.table`.
"""

from collections.abc import Collection, Iterator

from crdt_sync.domain.ids import LaneId
from crdt_sync.domain.lifecycle import stories
from crdt_sync.domain.lifecycle.model import Finding, Lane, Lifecycle, TransitionSpec
from crdt_sync.domain.lifecycle.node import printable
from crdt_sync.domain.lifecycle.result import TicketState
from crdt_sync.domain.lifecycle.table import STEPS_MAX, UNNAMED, Gap, uncovered
from crdt_sync.domain.lifecycle.witness import History, Witnesses, enabled

FINDINGS_MAX = 16  # of one rule and lane: who mends these will see the next ones
ROUNDS_MAX = 64  # the sequence R(k) repeats after two or three; a file that is made to repeat late is judged as a whole


def check(lifecycle: Lifecycle, *, unsure: Collection[LaneId] = (), sound: bool = True) -> list[Finding]:
    """Return the findings of L3, L4, L6 and, if the reading was `sound`, of the stories.

    `unsure` lanes had a fault in their states, order or conflicts, so that L3 would only repeat it.
    """
    witnesses = Witnesses(lifecycle)
    findings: list[Finding] = []
    for lane in lifecycle.lanes.values():
        if lane.id not in unsure:
            findings += _antichains(witnesses, lane)
        findings += _undone(witnesses, lane)
    findings += _uncovered(witnesses)
    return findings + (_stories(lifecycle) if sound else [])


def _stories(lifecycle: Lifecycle) -> list[Finding]:
    findings = []
    for story in lifecycle.stories:
        if differences := stories.run(lifecycle, story):
            where = f"stories.{printable(story.name)}"
            message = f"the story does not hold: {'; '.join(differences)}."
            fix = "Correct the story, or the lanes that it is about."
            findings.append(Finding("L0", where, story.line, message, " · ".join(story.events), fix))
    return findings


def _antichains(witnesses: Witnesses, lane: Lane) -> Iterator[Finding]:
    if lane.conflict_unnamed:
        return
    for states in _unnamed(lane):
        yield Finding(
            rule="L3",
            where=f"{lane.id}.conflicts",
            line=lane.line,
            message=f"{_listed(sorted(states))} can stand beside each other, and the conflict has no name.",
            story=_antichain_story(witnesses, lane, states),
            fix='Name it under "conflicts", order two of the states, or say "conflict: unnamed".',
        )


def _unnamed(lane: Lane) -> list[frozenset[str]]:
    found: list[frozenset[str]] = []
    for states in _rounds(lane):
        for antichain in _antichains_of(lane, states):
            if antichain not in lane.conflicts and antichain not in found:
                found.append(antichain)
            if len(found) == FINDINGS_MAX:
                return found
    return found


def _rounds(lane: Lane) -> list[frozenset[str]]:
    """R(0), R(1), ... until they repeat; see the module's docstring."""
    first = _closed(lane, frozenset(), frozenset({lane.initial}))
    later: list[frozenset[str]] = []
    states = _next_round(lane, first | {lane.initial})
    while states and states not in later:
        if len(later) == ROUNDS_MAX:
            return [frozenset(transition.to for transition in lane.transitions.values())]
        later.append(states)
        states = _next_round(lane, states)
    return [first, *later]


def _next_round(lane: Lane, values: frozenset[str]) -> frozenset[str]:
    resets = (transition for transition in lane.transitions.values() if transition.resets)
    targets = frozenset(transition.to for transition in resets if _met(lane, transition, values))
    return _closed(lane, targets, targets)


def _closed(lane: Lane, reached: frozenset[str], values: frozenset[str]) -> frozenset[str]:
    plain = [transition for transition in lane.transitions.values() if not transition.resets]
    while more := {transition.to for transition in plain if _met(lane, transition, values)} - reached:
        reached |= more
        values |= more
    return reached


def _met(lane: Lane, transition: TransitionSpec, values: frozenset[str]) -> bool:
    conflicts = {name for members, name in lane.conflicts.items() if members <= values}
    return bool(transition.sources & (values | conflicts)) or transition.settles in conflicts


def _antichains_of(lane: Lane, reached: frozenset[str]) -> Iterator[frozenset[str]]:
    """Every antichain of two or more of the states, the small ones first."""
    states = [state for state in lane.states if state in reached]
    apart = {
        state: {other for other in states if other not in lane.below[state] and state not in lane.below[other]}
        for state in states
    }
    queue: list[tuple[tuple[int, ...], set[str]]] = [((index,), apart[state]) for index, state in enumerate(states)]
    for chosen, fitting in queue:
        for index in range(chosen[-1] + 1, len(states)):
            if states[index] in fitting:
                longer = (*chosen, index)
                yield frozenset(states[position] for position in longer)
                queue.append((longer, fitting & apart[states[index]]))


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


def _undone(witnesses: Witnesses, lane: Lane) -> Iterator[Finding]:
    for transition in lane.transitions.values():
        uppers = [] if transition.resets else _uppers(lane, transition)
        if uppers:
            story, stale = _undone_story(witnesses, lane, transition, uppers)
            undoing = f'a stale concurrent "{stale}" undoes it' if stale else "a stale concurrent move would undo it"
            yield Finding(
                rule="L4",
                where=f"{lane.id}.{transition.name}",
                line=transition.line,
                message=f"{transition.to} < {_listed(uppers)}, so {undoing}.",
                story=story,
                fix='Add "resets: true".',
            )


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
                story = witnesses.told(stale, lambda state: _is_at(state, lane, transition), _stage)
                if story:
                    return story, step.transition.name
    return "", ""


def _is_at(state: TicketState, lane: Lane, transition: TransitionSpec) -> bool:
    """Whether the lane is above where the transition, made last by someone who saw everything, had put it."""
    return transition.to in lane.below.get(state.lanes[lane.id], frozenset())


def _uncovered(witnesses: Witnesses) -> Iterator[Finding]:
    lifecycle = witnesses.lifecycle
    gaps = uncovered(lifecycle)
    if gaps is None:
        message = f"the table is too wide to be proven total in {STEPS_MAX} steps."
        fix = 'Name fewer lanes in one row, or end with a row "when: {}".'
        yield Finding("L6", "stages", lifecycle.stages_line, message, fix=fix)
    for gap in gaps or []:
        when = ", ".join(f"{lane}: {_pattern(values)}" for lane, values in gap.items())
        yield Finding(
            rule="L6",
            where="stages",
            line=lifecycle.stages_line,
            message=f"no row matches {{{when}}}.",
            story=_gap_story(witnesses, gap),
            fix="Add a row that does.",
        )


def _pattern(values: tuple[str, ...]) -> str:
    names = ["an unnamed conflict" if value == UNNAMED else value for value in values]
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _gap_story(witnesses: Witnesses, gap: Gap) -> str:
    for history in witnesses.histories():
        if all(_in_gap(witnesses.lifecycle.lanes[lane], history.values[lane], values) for lane, values in gap.items()):
            story = witnesses.told(history, lambda state: state.stage is None, _stage)
            if story:
                return story
    return ""


def _in_gap(lane: Lane, value: str, values: tuple[str, ...]) -> bool:
    return value in values or (UNNAMED in values and value not in lane.states and not lane.conflict_members(value))


def _stage(state: TicketState) -> str:
    return state.stage or "no stage"


def _listed(names: Collection[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
