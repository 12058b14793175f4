"""The checker: a lifecycle is proven before it is loaded. Rules L3 to L11, and L0: the file's own stories hold.

L1 and L2 are found while the file is read (`spec`). A rule judges what the file says and nothing else; the witness of
a finding is searched for afterwards (`witness`), is folded before it is shown, and is empty where no history in reach
shows the defect, for instance because a row can never be the stage.

The rules of one lane stand in `lane_rules`, those of all lanes together in `reach_rules`, and L6 in `table`. A file
whose lanes are too many together for the latter is refused as well: what is not proven is not loaded.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from crdt_sync.domain.ids import LaneId
from crdt_sync.domain.lifecycle import lane_rules, reach_rules, stories
from crdt_sync.domain.lifecycle.lane_rules import stage_shown
from crdt_sync.domain.lifecycle.model import Finding, Lane, Lifecycle, TransitionSpec
from crdt_sync.domain.lifecycle.node import printable
from crdt_sync.domain.lifecycle.reach import Reaches
from crdt_sync.domain.lifecycle.space import COMBINATIONS_MAX, TooWide
from crdt_sync.domain.lifecycle.table import STEPS_MAX, UNNAMED, Gap, uncovered
from crdt_sync.domain.lifecycle.witness import Witnesses


@dataclass(frozen=True, slots=True)
class _Judged:
    """A lifecycle under judgement. Of `lanes` alone, states, order and conflicts were read without a fault."""

    witnesses: Witnesses
    reaches: Reaches
    lanes: tuple[Lane, ...]

    @property
    def lifecycle(self) -> Lifecycle:
        return self.witnesses.lifecycle

    def is_alive(self, transition: TransitionSpec) -> bool:
        """Tell whether the transition may ever be made; what is too wide to be judged may."""
        try:
            return not reach_rules.is_dead(self.reaches, transition)
        except TooWide:
            return True


def check(
    lifecycle: Lifecycle, *, unsure: Collection[LaneId] = (), complete: bool = True, sound: bool = True
) -> list[Finding]:
    """Return the findings of L3 to L11 and, if the reading was `sound`, of the stories.

    `unsure` lanes had a fault in their states, order or conflicts, so that L3 and L5 would only repeat it. Without
    `complete`, something else of the lanes or the stages could not be read, and what it leaves open would be taken for
    an absence by the rules that find absences: L7 to L11.
    """
    lanes = tuple(lane for lane in lifecycle.lanes.values() if lane.id not in unsure)
    judged = _Judged(Witnesses(lifecycle), Reaches(lifecycle), lanes)
    findings: list[Finding] = []
    unproven: list[str] = []
    for rule, judge in RULES.items():
        if rule == "L0" and not sound:
            continue
        if rule in _OF_ABSENCES and not complete:
            continue
        try:
            findings += judge(judged)
        except TooWide:
            unproven.append(rule)
    return findings + ([_too_wide(lifecycle, unproven)] if unproven else [])


def _antichains(judged: _Judged) -> Iterator[Finding]:
    for lane in judged.lanes:
        yield from lane_rules.antichains(judged.witnesses, lane)


def _undone(judged: _Judged) -> Iterator[Finding]:
    for lane in judged.lifecycle.lanes.values():
        yield from lane_rules.undone(judged.witnesses, lane)


def _settlements(judged: _Judged) -> Iterator[Finding]:
    for lane in judged.lanes:
        yield from lane_rules.settlements(judged.witnesses, lane)


def _amendments(judged: _Judged) -> Iterator[Finding]:
    for lane in judged.lifecycle.lanes.values():
        yield from lane_rules.amendments(judged.witnesses, lane, judged.is_alive)


def _completion(judged: _Judged) -> Iterator[Finding]:
    yield from reach_rules.traps(judged.witnesses, judged.reaches)
    yield from reach_rules.dead_transitions(judged.witnesses, judged.reaches)


def _stories(judged: _Judged) -> Iterator[Finding]:
    for story in judged.lifecycle.stories:
        if differences := stories.run(judged.lifecycle, story):
            where = f"stories.{printable(story.name)}"
            message = f"the story does not hold: {'; '.join(differences)}."
            fix = "Correct the story, or the lanes that it is about."
            yield Finding("L0", where, story.line, message, " · ".join(story.events), fix)


def _too_wide(lifecycle: Lifecycle, rules: list[str]) -> Finding:
    line = next(iter(lifecycle.lanes.values())).line
    message = (
        f"the lanes have more combinations than can be judged, so {lane_rules.listed(rules)} cannot be proven; "
        f"at most {COMBINATIONS_MAX} are."
    )
    fix = "Let fewer lanes be named by rows and conditions, or split the process into two lifecycles."
    return Finding(rules[0], "lanes", line, message, fix=fix)


def _uncovered(judged: _Judged) -> Iterator[Finding]:
    lifecycle = judged.lifecycle
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
            story=_gap_story(judged.witnesses, gap),
            fix="Add a row that does.",
        )


def _pattern(values: tuple[str, ...]) -> str:
    names = ["an unnamed conflict" if value == UNNAMED else value for value in values]
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _gap_story(witnesses: Witnesses, gap: Gap) -> str:
    for history in witnesses.histories():
        if all(_in_gap(witnesses.lifecycle.lanes[lane], history.values[lane], values) for lane, values in gap.items()):
            story = witnesses.told(history, lambda state: state.stage is None, stage_shown)
            if story:
                return story
    return ""


def _in_gap(lane: Lane, value: str, values: tuple[str, ...]) -> bool:
    return value in values or (UNNAMED in values and value not in lane.states and not lane.conflict_members(value))


RULES: dict[str, Callable[[_Judged], Iterator[Finding]]] = {
    "L3": _antichains,
    "L4": _undone,
    "L5": _settlements,
    "L6": _uncovered,
    "L7": lambda judged: reach_rules.idle_rows(judged.witnesses, judged.reaches),
    "L8": _completion,
    "L9": lambda judged: reach_rules.broken_conditions(judged.witnesses, judged.reaches),
    "L10": lambda judged: reach_rules.ping_pong(judged.witnesses, judged.reaches),
    "L11": _amendments,
    "L0": _stories,
}  # each may be left out by a test that asks what the others miss
_OF_ABSENCES = frozenset({"L7", "L8", "L9", "L10", "L11"})
