"""The stage of a ticket and what is owed in it, read from its lanes; nothing here is ever stored."""

from collections.abc import Mapping
from dataclasses import dataclass

from crdt_sync.domain.ids import LaneId
from crdt_sync.domain.lifecycle.join import LaneView, flagged_overtaken, flags, trigger
from crdt_sync.domain.lifecycle.model import Lifecycle, Pattern, StageRow
from crdt_sync.domain.lifecycle.result import OpenObligation

REVIEW = "review"  # what a flagged lane owes; no lifecycle declares it: a person looks, and acts again or not


@dataclass(frozen=True, slots=True)
class StageMatch:
    """The row that holds, and the first of its alternatives that made it hold."""

    row: StageRow
    alternative: Mapping[LaneId, Pattern]


def match_stage(lifecycle: Lifecycle, states: Mapping[LaneId, str]) -> StageMatch | None:
    """Return the first row that matches; None only for a table that a checker would refuse."""
    for row in lifecycle.stages:
        for alternative in row.when:
            if all(pattern.matches(states[lane]) for lane, pattern in alternative.items()):
                return StageMatch(row, alternative)
    return None


def obligations(match: StageMatch | None, views: Mapping[LaneId, LaneView]) -> tuple[OpenObligation, ...]:
    """Return what is owed: the row's own entries, then a review of each flagged lane, both in the file's order."""
    found: list[OpenObligation] = []
    stage = match.row.stage if match else None
    if match:
        causes = trigger(head for lane in match.alternative for head in views[lane].effective)
        found += [OpenObligation(stage, entry.owes, causes) for entry in match.row.owes]
    for lane, view in views.items():
        if flags(view):
            found.append(OpenObligation(stage, {lane: (REVIEW,)}, trigger((*view.effective, *flagged_overtaken(view)))))
    return tuple(found)
