"""Group chats that are bound to a department: where each is, what it is told, and what names a ticket in it. Pure.

A binding is the operator's word, and the only one that counts: what a gateway says of a conversation binds nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from crdt_sync.domain.delivery import Conversation
from crdt_sync.domain.ids import Department, LaneId, TicketId
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.lifecycle.phrases import Language

RED_AFTER_MS = 3_600_000  # an hour: who owes something has had the time to see it

_CODE_CHARACTERS = 8  # 40 bits: among a million tickets one lookup in a million finds two
_CODE = re.compile(r"[#＃]([a-z2-7]{8,52})(?![a-z0-9])", re.IGNORECASE)


class Notice(StrEnum):
    """What a group may be told of."""

    STAGE = "stage"  # a ticket came into another stage
    RAISED = "raised"  # something is owed that was not
    RED = "red"  # something has been owed for too long


@dataclass(frozen=True, slots=True)
class Group:
    """One group chat, where a robot of ours is. `notices` may be empty: then it is listened to alone."""

    at: Conversation
    department: Department
    notices: frozenset[Notice]
    language: Language = "zh"

    def lane(self, lifecycle: Lifecycle) -> LaneId | None:
        """Return the lane into whose form its messages go: the first that its department owns, None without one."""
        return next((lane.id for lane in lifecycle.lanes.values() if lane.owner == self.department), None)


@dataclass(frozen=True, slots=True)
class Groups:
    """Every bound group, and after how long an obligation is red."""

    groups: Sequence[Group] = ()
    red_after_ms: int = RED_AFTER_MS

    def bound(self, account: str, conversation: str) -> Group | None:
        """Return the group that stands there, None for a conversation that is bound to no department."""
        return next((each for each in self.groups if _stands(each.at, account, conversation)), None)

    def hearing(self, lifecycle: Lifecycle) -> Sequence[Group]:
        """Return the groups of the departments that take part in tickets of this lifecycle."""
        return [each for each in self.groups if each.notices and each.department in lifecycle.departments]


NO_GROUPS = Groups()


def short_code(ticket: TicketId) -> str:
    """Return what people in a group call a ticket."""
    return f"#{ticket[:_CODE_CHARACTERS]}"


def code_in(text: str) -> str | None:
    """Return how the ids begin that a text names by the first code in it, None if it names none."""
    found = _CODE.search(text)
    return found[1].lower() if found is not None else None


def _stands(at: Conversation, account: str, conversation: str) -> bool:
    return at.account == account and at.conversation == conversation
