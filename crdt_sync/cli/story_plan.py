"""How a story is played by people who are really apart: who sits where, and who meets the service when. Pure.

A seat is one person at one machine, cut off from the service. Moves of one role that did not see each other are made
at different seats. A seat meets the service as early as it can: when others will build on what was done there, and when
all that its own next move builds on has been delivered. So at each move it holds what the move's author had seen.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from crdt_sync.domain import payload
from crdt_sync.domain.access import GATEWAY
from crdt_sync.domain.ids import LaneId, Role
from crdt_sync.domain.lifecycle import stories
from crdt_sync.domain.lifecycle.model import Lifecycle, Story, TransitionSpec
from crdt_sync.domain.lifecycle.people import Person, people
from crdt_sync.domain.lifecycle.result import Standing
from crdt_sync.domain.lifecycle.stories import StoryEvent
from crdt_sync.errors import Malformed

INTEGER = re.compile(r"-?[0-9]+")


@dataclass(frozen=True, slots=True)
class Seat:
    """The `number`-th person of a role, counted from 1."""

    person: Person
    number: int

    @property
    def name(self) -> str:
        """What the demonstration calls this seat."""
        return self.person.name if self.number == 1 else f"{self.person.name}-{self.number}"


@dataclass(frozen=True, slots=True)
class Meeting:
    """A seat's link is mended until both sides have everything of each other's, then cut again."""

    seat: Seat


@dataclass(frozen=True, slots=True)
class Move:
    """A seat makes a transition, and holds exactly what the event's author had seen."""

    seat: Seat
    event: StoryEvent
    transition: TransitionSpec

    @property
    def values(self) -> Mapping[str, str | int] | None:
        """The payload that the event spells, whole numbers as such; None if it spells none."""
        if self.event.payload is None:
            return None
        texts = (part.partition("=") for part in self.event.payload.split(","))
        pairs = ((name.strip(), text) for name, _, text in texts)
        return {name: int(text) if self._is_integer(name, text) else text for name, text in pairs}

    @property
    def can_be_entered(self) -> bool:
        """Whether a replica takes the payload, if any; to a story it is but a text that tells two apart."""
        if self.values is None:
            return True
        try:
            payload.check(self.transition.payload, self.values)
        except Malformed:
            return False
        return True

    def _is_integer(self, name: str, text: str) -> bool:
        return self.transition.payload.get(name) == "integer" and INTEGER.fullmatch(text) is not None


Step = Meeting | Move


def plan(lifecycle: Lifecycle, story: Story) -> tuple[Step, ...] | None:
    """Return the steps in their order, from when everybody has seen the opening and is cut off; None if there are none.

    There are none for a story with a move that is inert or carries a payload that no replica takes; with one that is
    the gateway's; or with an author who saw less than anybody who meets the service as early as that could.
    """
    fold, _ = stories.folded(lifecycle, story)
    if any(status.status is Standing.INERT for status in fold.state().status.values()):
        return None
    declared = _declared(lifecycle, story)
    if any(transition.by[0] == Role(GATEWAY) for _, transition in declared):
        return None
    planned = _Plan(lifecycle)
    steps = tuple(planned.steps(declared))
    entered = all(step.can_be_entered for step in steps if isinstance(step, Move))
    return steps if planned.exact and entered else None


def _declared(lifecycle: Lifecycle, story: Story) -> list[tuple[StoryEvent, TransitionSpec]]:
    events = [event for event in map(stories.parse_event, story.events) if event is not None]
    return [(event, lifecycle.lanes[LaneId(event.lane)].transitions[event.name]) for event in events]


@dataclass(slots=True)
class _Plan:
    lifecycle: Lifecycle
    exact: bool = True
    _pasts: dict[str, frozenset[str]] = field(default_factory=dict)
    _queues: dict[Seat, list[str]] = field(default_factory=dict)  # what each seat still has to do
    _known: dict[Seat, set[str]] = field(default_factory=dict)
    _delivered: set[str] = field(default_factory=set)

    def steps(self, declared: Sequence[tuple[StoryEvent, TransitionSpec]]) -> Iterator[Step]:
        seats = self._seated(declared)
        for event, transition in declared:
            seat = seats[event.key]
            self.exact = self.exact and self._known[seat] == self._pasts[event.key]
            self._queues[seat].pop(0)
            self._known[seat].add(event.key)
            yield Move(seat, event, transition)
            elsewhere = (key for key, other in seats.items() if other != seat)
            if any(event.key in self._pasts[key] for key in elsewhere):
                yield self._meet(seat)
            yield from [self._meet(other) for other in self._queues if self._waits(other)]

    def _seated(self, declared: Sequence[tuple[StoryEvent, TransitionSpec]]) -> Mapping[str, Seat]:
        """Give each event a seat whose last move its author had seen, the busiest first; else a new seat."""
        seats: dict[str, Seat] = {}
        everybody = {(person.department, person.role): person for person in people(self.lifecycle)}
        for event, transition in declared:
            past = frozenset(event.seen).union(*(self._pasts[key] for key in event.seen))
            self._pasts[event.key] = past
            person = everybody[self.lifecycle.lanes[transition.lane].owner, transition.by[0]]
            same = [seat for seat in self._queues if seat.person == person]
            free = [seat for seat in same if self._queues[seat][-1] in past]
            seat = max(free, key=lambda one: len(self._queues[one]), default=Seat(person, len(same) + 1))
            seats[event.key] = seat
            self._queues.setdefault(seat, []).append(event.key)
            self._known.setdefault(seat, set())
        return seats

    def _waits(self, seat: Seat) -> bool:
        """Tell whether the seat's next move builds on more than the seat holds, and all of it has been delivered."""
        if not self._queues[seat]:
            return False
        missing = self._pasts[self._queues[seat][0]] - self._known[seat]
        return bool(missing) and missing <= self._delivered

    def _meet(self, seat: Seat) -> Meeting:
        self._delivered |= self._known[seat]
        self._known[seat] |= self._delivered
        return Meeting(seat)
