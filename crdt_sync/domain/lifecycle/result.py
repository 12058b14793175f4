"""What a fold says about a ticket, as immutable values; it never decides anything itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from crdt_sync.domain.ids import LaneId, TicketId, TransitionId
from crdt_sync.domain.lifecycle.model import StageKind


class Code(StrEnum):
    """Why a transition has no effect. The first seven are the checks of a transition, in their order."""

    TICKET = "ticket"
    AFTER = "after"
    LIFECYCLE = "lifecycle"
    UNKNOWN = "unknown"
    ROLE = "role"
    FROM = "from"
    IF = "if"
    MALFORMED = "malformed"
    LIFECYCLE_UNKNOWN = "lifecycle_unknown"


class Reason(StrEnum):
    """Why one head gives way to another, in the order in which reasons are named."""

    ROUND = "round"
    ORDER = "order"
    SETTLED = "settled"


class Standing(StrEnum):
    """What has become of a transition of the view."""

    EFFECTIVE = "effective"
    SUPERSEDED = "superseded"
    OVERTAKEN = "overtaken"
    CONTESTED = "contested"
    INERT = "inert"


class Flag(StrEnum):
    """What a person should look at in a lane, although its state is decided."""

    OVERTAKEN = "overtaken"
    PAYLOAD_CONFLICT = "payload_conflict"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a transition is valid, for ever: `code` is None, or the first check that failed."""

    code: Code | None = None

    @property
    def valid(self) -> bool:
        """Tell whether the transition may have an effect."""
        return self.code is None


@dataclass(frozen=True, slots=True)
class Status:
    """What has become of one transition. `by` (sorted) names the transitions that made it so, None if none could."""

    status: Standing
    code: Code | None = None
    because: Reason | None = None
    by: tuple[TransitionId, ...] | None = None

    def to_json(self) -> dict[str, object]:
        """Return the plain form; what does not apply is absent."""
        plain: dict[str, object] = {"status": self.status.value}
        if self.code is not None:
            plain["code"] = self.code.value
        if self.because is not None:
            plain["because"] = self.because.value
        if self.by is not None:
            plain["by"] = list(self.by)
        return plain


@dataclass(frozen=True, slots=True)
class OpenObligation:
    """Something owed now: any one of the transitions of `owes` discharges it. `trigger` (sorted) is what caused it."""

    row: str | None
    owes: Mapping[LaneId, tuple[str, ...]]
    trigger: tuple[TransitionId, ...]

    def to_json(self) -> dict[str, object]:
        """Return the plain form."""
        owes = {lane: list(names) for lane, names in self.owes.items()}
        return {"row": self.row, "owes": owes, "trigger": list(self.trigger)}


@dataclass(frozen=True, slots=True)
class TicketState:
    """Everything that follows from a set of transitions; a ticket whose opening is not there has only `pending`.

    `pending` names what each waiting transition lacks, `quarantined` what belongs to no view of this ticket, `codes`
    the whole view if its lifecycle is another than the one at hand.
    """

    ticket: TicketId | None = None
    lanes: Mapping[LaneId, str] = field(default_factory=dict)
    flags: Mapping[LaneId, tuple[Flag, ...]] = field(default_factory=dict)
    stage: str | None = None
    kind: StageKind | None = None
    obligations: tuple[OpenObligation, ...] = ()
    status: Mapping[TransitionId, Status] = field(default_factory=dict)
    pending: Mapping[TransitionId, tuple[TransitionId, ...]] = field(default_factory=dict)
    quarantined: Mapping[TransitionId, Code] = field(default_factory=dict)
    codes: Mapping[TransitionId, Code] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return the plain form that `crdt-sync lifecycle fold` prints, except that `quarantined` is keyed by id."""
        return {
            "ticket": self.ticket,
            "lanes": dict(self.lanes),
            "flags": {lane: [flag.value for flag in flags] for lane, flags in self.flags.items()},
            "stage": self.stage,
            "kind": self.kind,
            "obligations": [obligation.to_json() for obligation in self.obligations],
            "status": {key: status.to_json() for key, status in self.status.items()},
            "pending": {key: list(missing) for key, missing in self.pending.items()},
            "quarantined": {key: code.value for key, code in self.quarantined.items()},
            "codes": {key: code.value for key, code in self.codes.items()},
        }
