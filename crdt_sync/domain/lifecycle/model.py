"""What a lifecycle is, once read: immutable values and look-ups, no parsing and no judgement.

A `Lifecycle` is made by `crdt_sync.domain.lifecycle.spec`, proven by `check` and run by `fold`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from crdt_sync.domain.ids import Department, Digest, LaneId, Role

StageKind = Literal["normal", "attention", "compensation", "settled", "final"]
PayloadType = Literal["text", "money", "integer", "date", "file"]

STAGE_KINDS: tuple[StageKind, ...] = ("normal", "attention", "compensation", "settled", "final")
PAYLOAD_TYPES: tuple[PayloadType, ...] = ("text", "money", "integer", "date", "file")
RESERVED_NAMES = frozenset({"open", "upgrade", "same_as"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect of a lifecycle file: the rule it breaks, the place, and, where there is one, a story that shows it.

    `rule` is L1 to L11 of the checker, or L0 for a story of the file's own that does not hold. `story` is events in
    the form of the file, joined by " · ", then " ⇒ " and what they give; empty if no history can show the defect.
    """

    rule: str
    where: str  # "sales.revive", "sales.order", "stages.closed", "stories.sign and lose at once", or "file"
    line: int  # of the file, counted from 1
    message: str
    story: str = ""
    fix: str = ""

    def to_text(self, source: str) -> str:
        """One line for a person; in the story the lane that `where` names is left out."""
        lane = self.where.partition(".")[0]
        story = f" Story: {self.story.replace(f': {lane}.', ': ')}." if self.story else ""
        fix = f" {self.fix}" if self.fix else ""
        return f"{source}:{self.line} {self.where} {self.rule}: {self.message}{story}{fix}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One condition on a name: any of `names`, none of them (`negated`), or everything (`any`)."""

    names: frozenset[str] = frozenset()
    negated: bool = False
    any: bool = False

    def matches(self, name: str) -> bool:
        """Tell whether `name` satisfies the pattern."""
        return self.any or (name in self.names) is not self.negated


@dataclass(frozen=True, slots=True)
class TransitionSpec:
    """A transition as the lifecycle declares it. `settles` names a conflict; `sources` are states or conflicts."""

    name: str
    lane: LaneId
    sources: frozenset[str]
    to: str
    by: tuple[Role, ...]
    settles: str | None = None
    resets: bool = False
    conditions: tuple[tuple[str, Pattern], ...] = ()  # (lane, or "stage") -> pattern; all must hold
    payload: Mapping[str, PayloadType] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class Lane:
    """One department's state machine, with the order that says which of two concurrent states wins."""

    id: LaneId
    owner: Department
    control: bool
    initial: str
    states: tuple[str, ...]
    final: tuple[str, ...]
    below: Mapping[str, frozenset[str]]  # state -> every state strictly below it (transitively closed)
    conflicts: Mapping[frozenset[str], str]  # a set of pairwise unordered states -> its name
    conflict_unnamed: bool
    transitions: Mapping[str, TransitionSpec]  # in the order of the file
    form_readers: tuple[Department, ...]  # beside the owner
    line: int = 0

    def conflict_members(self, name: str) -> frozenset[str]:
        """Return the states that the named conflict joins; empty if there is none of that name."""
        return next((members for members, known in self.conflicts.items() if known == name), frozenset())


@dataclass(frozen=True, slots=True)
class Obligation:
    """An entry of `owes`: any one of these transitions discharges it."""

    owes: Mapping[LaneId, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class StageRow:
    """One row of the stage table; it matches if any alternative does. An alternative maps lanes to patterns."""

    stage: str
    kind: StageKind
    when: tuple[Mapping[LaneId, Pattern], ...]
    owes: tuple[Obligation, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Story:
    """A small concurrent history and what it must give, as written; `crdt_sync.domain.lifecycle.stories` runs it."""

    name: str
    events: tuple[str, ...]
    expect: Mapping[str, object]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The merge semantics of one kind of ticket. Two files with one `digest` decide alike."""

    name: str
    version: int
    digest: Digest
    title: Mapping[str, str]  # language -> text
    open_by: tuple[Role, ...]
    talk: tuple[Department, ...]
    inbound_after_close: Literal["new_ticket", "reopen"]
    lanes: Mapping[LaneId, Lane]  # in the order of the file
    stages: tuple[StageRow, ...]
    stories: tuple[Story, ...]
    labels: Mapping[str, Mapping[str, str]]  # stage, lane, department, role, or "lane.name" -> language -> text
    stages_line: int = 0

    @property
    def control(self) -> Lane:
        """The lane that opens and closes the ticket."""
        return next(lane for lane in self.lanes.values() if lane.control)

    @property
    def departments(self) -> tuple[Department, ...]:
        """Who participates: every owner of a lane, once, in the order of the file."""
        return tuple(dict.fromkeys(lane.owner for lane in self.lanes.values()))

    def label(self, key: str, language: str) -> str:
        """The label of `key` (a stage, a lane, a role, or `lane.name`) in `language`, or its bare name."""
        return self.labels.get(key, {}).get(language) or key.rpartition(".")[2]
