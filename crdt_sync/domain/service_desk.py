"""What the service desk is, once read: who answers, when, and where a new conversation goes. Values and look-ups.

A `ServiceDesk` is read by `crdt_sync.adapters.desk_file`. An empty one, which is the default, changes nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from crdt_sync.domain.delivery import Conversation
from crdt_sync.domain.group import NO_GROUPS, Groups
from crdt_sync.domain.hours import Hours
from crdt_sync.domain.ids import ActorId, Department, LaneId
from crdt_sync.domain.lifecycle.phrases import Language

Assign = Literal["least_busy", "round_robin", "sticky"]

PLACEHOLDERS = frozenset({"customer", "agent"})
"""What a canned reply may leave open: the customer's name on the card, and the name of whoever answers."""

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def language_of(text: str) -> Language | None:
    """Return the language of a text: Chinese where there is a Han character, none where nothing is said."""
    if not text.strip():
        return None
    return "zh" if _HAN.search(text) else "en"


def placeholders(text: str) -> frozenset[str]:
    """Return the names that a text has in braces."""
    return frozenset(_PLACEHOLDER.findall(text))


def filled(text: str, values: Mapping[str, str]) -> str:
    """Put values into a text's placeholders, once: what a value says is no placeholder. Others stay as they are."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a new conversation goes, if everything that is not empty here fits it."""

    name: str
    channels: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()  # case-folded; any of them within the first message
    languages: frozenset[Language] = frozenset()
    lifecycle: str | None = None  # as the file names it: a shipped one, or a path; the default if None
    card: Mapping[str, str] = field(default_factory=dict)  # priority and tags
    lane: LaneId | None = None  # whose owner is asked first
    assign: Assign | None = None

    def fits(self, conversation: Conversation, text: str) -> bool:
        """Tell whether a conversation that begins with this text is for this rule."""
        folded = text.casefold()
        return (
            (not self.channels or conversation.channel in self.channels)
            and (not self.accounts or conversation.account in self.accounts)
            and (not self.words or any(word in folded for word in self.words))
            and (not self.languages or language_of(text) in self.languages)
        )


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who answers. `name` is what customers are shown; without hours of their own they are always on duty."""

    actor: ActorId
    department: Department
    name: str
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A text that is ready to be said, in every language that it has, for some departments."""

    id: str
    departments: frozenset[Department]
    title: Mapping[Language, str]
    text: Mapping[Language, str]


@dataclass(frozen=True, slots=True)
class ServiceDesk:
    """Everything that the file says, in its order."""

    rules: tuple[Rule, ...] = ()
    hours: Hours | None = None  # None: somebody always answers, and nobody is told otherwise
    away: Mapping[Language, str] = field(default_factory=dict)
    people: tuple[Person, ...] = ()
    replies: tuple[Reply, ...] = ()
    groups: Groups = NO_GROUPS

    def rule(self, conversation: Conversation, text: str) -> Rule | None:
        """Return the first rule that fits."""
        return next((rule for rule in self.rules if rule.fits(conversation, text)), None)

    def rule_named(self, name: str) -> Rule | None:
        """Return the rule of a name."""
        return next((rule for rule in self.rules if rule.name == name), None)

    def name_of(self, actor: str) -> str:
        """Return the name under which a customer knows somebody; empty for who is not listed."""
        return next((person.name for person in self.people if person.actor == actor), "")

    def replies_of(self, department: Department) -> Sequence[Reply]:
        """Return the replies of a department."""
        return [reply for reply in self.replies if department in reply.departments]

    def candidates(self, department: Department, now_ms: int) -> Sequence[ActorId]:
        """Return who of a department may be given something: who is on duty, else all, who find it when they come."""
        people = [person for person in self.people if person.department == department]
        on_duty = [person for person in people if person.hours is None or person.hours.is_open(now_ms)]
        return [person.actor for person in on_duty or people]


NO_DESK = ServiceDesk()


def least_busy(candidates: Sequence[ActorId], open_tickets: Mapping[ActorId, int]) -> ActorId | None:
    """Choose who has the fewest open tickets; of several the first."""
    return min(candidates, key=lambda actor: open_tickets.get(actor, 0), default=None)


def next_in_turn(candidates: Sequence[ActorId], everybody: Sequence[ActorId], last: str) -> ActorId | None:
    """Choose the first candidate behind whoever was chosen last, in the order of everybody, which is a ring."""
    start = everybody.index(ActorId(last)) + 1 if last in everybody else 0
    order = [*everybody[start:], *everybody[:start]]
    return next((actor for actor in order if actor in candidates), None)
