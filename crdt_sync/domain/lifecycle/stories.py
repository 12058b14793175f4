"""Stories: small concurrent histories, written as `"key: lane.transition < seen, seen"`.

A story's opening is made by `opener`; each event is a transition whose actor is its key and whose time is its index.
"""

import re
from dataclasses import dataclass

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
