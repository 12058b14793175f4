"""Equal heads, equal state: how a replica and the service notice that one of them folds wrongly.

The heads of a view determine their ancestors, and so the view; the fold is a function of the view. Two copies with
equal heads and different state are therefore a fault or damage in one of them, never concurrency. Here is what they
compare, and what is kept if it differs; who compares, and when, is known elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from crdt_sync.domain.canonical import digest, dumps
from crdt_sync.domain.ids import DIGEST_PATTERN, ActorId, Department, Digest, TicketId, TransitionId
from crdt_sync.domain.lifecycle.explain import explain
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.lifecycle.result import TicketState
from crdt_sync.domain.transition import Transition
from crdt_sync.errors import Malformed, TooLarge

COMPARED_TICKETS_MAX = 100  # in one request: a screen of tickets, some 30 kB
EVIDENCE_BYTES_MAX = 64 * 1024  # of each of its texts in UTF-8: hundreds of transitions; both fit the body of a request
ALARMS_PER_TICKET_MAX = 4  # of one department: the first ones tell, a fault that stays says the same again


class Agreement(StrEnum):
    """What comes of a comparison."""

    EQUAL = "equal"
    OTHER_HEADS = "other_heads"  # one side has seen more: nothing can be said yet
    DIVERGED = "diverged"
    NO_TICKET = "no_ticket"  # none that the asker may know of


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A view as two digests: of the ids of its heads, and of what the fold makes of it."""

    heads: Digest
    state: Digest

    def check(self) -> None:
        """Check what came from outside.

        Raises:
            Malformed: one is no digest.

        """
        if not (DIGEST_PATTERN.fullmatch(self.heads) and DIGEST_PATTERN.fullmatch(self.state)):
            raise Malformed(
                "A fingerprint is two SHA-256 digests.", advice="Send 64 lowercase hexadecimal digits each."
            )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one side believes: its explanation in English, a sentence a line, and the state as canonical JSON."""

    explanation: str
    state: str

    def check(self) -> None:
        """Check what came from outside.

        Raises:
            TooLarge: a text has more than `EVIDENCE_BYTES_MAX` bytes.
            Malformed: a text is no Unicode.

        """
        for text in (self.explanation, self.state):
            try:
                size = len(text.encode())
            except UnicodeEncodeError as error:
                raise Malformed("A text holds half a character.", advice="Send whole characters.") from error
            if size > EVIDENCE_BYTES_MAX:
                raise TooLarge("A text of the evidence is too long.", advice=f"Cut it at {EVIDENCE_BYTES_MAX} bytes.")


@dataclass(frozen=True, slots=True)
class Alarm:
    """A ticket of which a department's replica and the service believe different things under the same heads."""

    ticket: TicketId
    department: Department
    actor: ActorId
    heads: Digest
    replica: Evidence
    service: Evidence
    at_ms: int

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Alarm":
        """Return the alarm of which `dataclasses.asdict` made this."""
        return cls(**{**plain, **{side: Evidence(**plain[side]) for side in ("replica", "service")}})


def heads_of(transitions: Iterable[Transition]) -> tuple[TransitionId, ...]:
    """Return, sorted, the ids that no other has seen; none if an ancestor is missing, for then they name no view.

    It reads the records and asks no fold, which may be at fault.
    """
    known = {transition.id: transition for transition in transitions}
    seen = {parent for transition in known.values() for parent in transition.after}
    return tuple(sorted(known.keys() - seen)) if seen <= known.keys() else ()


def fingerprint(fold: Fold, heads: Sequence[TransitionId]) -> Fingerprint:
    """Return the fingerprint of the view with these heads, as `fold` reads it."""
    return Fingerprint(digest(heads), digest(_plain(_state(fold, heads))))


def evidence(lifecycle: Lifecycle, fold: Fold, heads: Sequence[TransitionId]) -> Evidence:
    """Return what `fold` believes of the view with these heads; texts that are too long are cut."""
    state = _state(fold, heads)
    try:
        lines = "\n".join(explain(lifecycle, fold, state=state))
    except Exception as error:  # noqa: BLE001 - what a faulty fold says may make no sense, and is told nevertheless
        lines = f"There is no explanation of this state: {error!r}."
    return Evidence(_cut(lines), _cut(dumps(_plain(state))))


def agreement(claimed: Fingerprint, own: Fingerprint) -> Agreement:
    """Return what two fingerprints of one ticket say about each other."""
    if claimed.heads != own.heads:
        return Agreement.OTHER_HEADS
    return Agreement.EQUAL if claimed.state == own.state else Agreement.DIVERGED


def _state(fold: Fold, heads: Sequence[TransitionId]) -> TicketState:
    """Read the view with these heads. A fold that lacks one has lost it, which the rest of the state will show."""
    return fold.state_at([head for head in heads if head in fold])


def _plain(state: TicketState) -> dict[str, object]:
    """Return what depends on the view alone: not what waits for an ancestor, nor what is in no view."""
    return {key: value for key, value in state.to_json().items() if key not in {"pending", "quarantined"}}


def _cut(text: str) -> str:
    return text.encode()[:EVIDENCE_BYTES_MAX].decode(errors="ignore")
