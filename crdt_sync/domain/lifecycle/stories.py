"""Stories: small concurrent histories, written as `"key: lane.transition < seen, seen"`.

A story's opening is made by `opener`; each event is a transition whose actor is its key and whose time is its index.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from crdt_sync.domain.canonical import digest
from crdt_sync.domain.ids import LaneId, Role, TicketId, TransitionId
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.lifecycle.model import Lifecycle, Story
from crdt_sync.domain.transition import OPENING_NAME, Transition, make
from crdt_sync.errors import Malformed

OPENER = "opener"

EVENT_PATTERN = re.compile(
    r"(?P<key>[a-z][a-z0-9_]*): (?P<lane>[a-z][a-z0-9_]*)\.(?P<name>[a-z][a-z0-9_]*)"
    r"(?:\((?P<payload>[a-z][a-z0-9_]*=[^()]*)\))?(?: < (?P<seen>[a-z][a-z0-9_]*(?:, ?[a-z][a-z0-9_]*)*))?"
)


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """One event: who, which transition, the text of its payload (`contract=A`), and what its author had seen."""

    key: str
    lane: str
    name: str
    payload: str | None
    seen: tuple[str, ...]  # empty: the opening alone

    @property
    def payload_fields(self) -> tuple[str, ...]:
        """The names of the payload's fields."""
        parts = self.payload.split(",") if self.payload else []
        return tuple(part.partition("=")[0].strip() for part in parts)


def parse_event(text: str) -> StoryEvent | None:
    """Return the event that `text` spells, or None if it spells none."""
    match = EVENT_PATTERN.fullmatch(text)
    if match is None:
        return None
    seen = tuple(key.strip() for key in (match["seen"] or "").split(",") if key.strip())
    return StoryEvent(match["key"], match["lane"], match["name"], match["payload"], seen)


def transitions(lifecycle: Lifecycle, story: Story) -> dict[str, Transition]:
    """Return the records of a story by key, each after its parents; the opening has the key `opener`.

    Raises:
        Malformed: an event is not well-formed, names an unknown event, or cannot be recorded.

    """
    control = lifecycle.control
    opening = make(
        ticket=None,
        lane=control.id,
        name=OPENING_NAME,
        actor=OPENER,
        roles=lifecycle.open_by[:1],
        after=(),
        lifecycle=lifecycle.digest,
        at=0,
        subject="story",
    )
    made = {OPENER: opening}
    past: dict[str, frozenset[str]] = {OPENER: frozenset()}
    for index, text in enumerate(story.events):
        event = _known_event(text, made)
        seen = event.seen or (OPENER,)
        past[event.key] = frozenset(seen).union(*(past[key] for key in seen))
        newest = [key for key in dict.fromkeys(seen) if not any(key in past[other] for other in seen)]
        made[event.key] = _record(lifecycle, event, [made[key].id for key in newest], opening.id, index)
    return made


def _known_event(text: str, made: Mapping[str, Transition]) -> StoryEvent:
    event = parse_event(text)
    if event is None or event.key in made or not made.keys() >= set(event.seen):
        raise Malformed(
            f"The event {text[:80]!r} does not follow from those before it.",
            code="story",
            advice='Write "key: lane.transition < seen, seen" with a new key, and name earlier events alone.',
        )
    return event


def _record(
    lifecycle: Lifecycle, event: StoryEvent, after: list[TransitionId], ticket: TransitionId, index: int
) -> Transition:
    lane = lifecycle.lanes.get(LaneId(event.lane))
    declared = lane.transitions.get(event.name) if lane else None
    return make(
        ticket=TicketId(ticket),
        lane=event.lane,
        name=event.name,
        actor=event.key,
        # An undeclared transition is inert whatever its role; it still needs one to be a record.
        roles=declared.by[:1] if declared else (Role(OPENER),),
        after=after,
        lifecycle=lifecycle.digest,
        payload=digest(event.payload) if event.payload else None,
        at=index,
    )


def folded(lifecycle: Lifecycle, story: Story) -> tuple[Fold, dict[TransitionId, str]]:
    """Return the fold of a story, and the key of each of its transitions."""
    made = transitions(lifecycle, story)
    fold = Fold(lifecycle, made[OPENER].id)
    for transition in made.values():
        fold.add(transition)
    return fold, {transition.id: key for key, transition in made.items()}


def run(lifecycle: Lifecycle, story: Story) -> list[str]:
    """Return how a story's outcome differs from what it expects, one sentence each; empty if the story holds."""
    fold, keys = folded(lifecycle, story)
    return differences(story, fold.state().to_json(), keys)


def differences(story: Story, state: Mapping[str, Any], keys: Mapping[TransitionId, str]) -> list[str]:
    """Return how `state`, the plain form of a ticket, differs from what the story expects; `keys` name its events."""
    actual = _outcome(state, keys)
    found = []
    for what, expected in story.expect.items():
        if what == "flags" and isinstance(expected, Mapping):
            for lane, flags in expected.items():
                found += _difference(f"flags of {lane}", sorted(flags), sorted(state["flags"].get(lane, ())))
        elif isinstance(expected, str) or expected is None:
            found += _difference(what, expected, actual.get(what))
        else:
            found += _difference(what, sorted(cast(Collection[str], expected)), actual[what])
    return found


def _outcome(state: Mapping[str, Any], keys: Mapping[TransitionId, str]) -> dict[str, object]:
    by_status: dict[str, list[str]] = {"overtaken": [], "contested": [], "inert": []}
    for id_, status in state["status"].items():
        if status["status"] in by_status:
            by_status[status["status"]].append(keys[id_])
    return {
        "stage": state["stage"],
        "owes": sorted({lane for obligation in state["obligations"] for lane in obligation["owes"]}),
        **{status: sorted(found) for status, found in by_status.items()},
        **state["lanes"],
    }


def _difference(what: str, expected: object, actual: object) -> list[str]:
    return [] if expected == actual else [f"{what} is {_shown(actual)}, expected {_shown(expected)}"]


def _shown(value: object) -> str:
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)
