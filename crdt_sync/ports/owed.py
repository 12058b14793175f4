"""Since when tickets owe what they owe, as contracts.

What is owed follows from a ticket's transitions; when it began to be is written by the commit that raised it, so that
it turns red once however often the service starts anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from crdt_sync.domain.canonical import dumps
from crdt_sync.domain.ids import TicketId


def obligation_text(entry: Mapping[str, object]) -> str:
    """Spell an obligation: what it is, as canonical JSON, without what caused it; a new cause makes no new one."""
    return dumps({name: value for name, value in entry.items() if name != "trigger"})


@dataclass(frozen=True, slots=True)
class OwedChange:
    """What happened to an obligation, as `obligation_text` spells it."""

    ticket: TicketId
    obligation: str
    became: Literal["raised", "red", "discharged"]
    at_ms: int


@dataclass(frozen=True, slots=True)
class StoredOwed:
    """One open obligation that is not red."""

    ticket: TicketId
    obligation: str
    raised_ms: int


class OwedStore(Protocol):
    """The part of the store that holds since when something is owed. A batch's changes are applied in their order."""

    async def overdue(
        self, raised_by_ms: int, *, ticket: TicketId | None = None, limit: int = 100
    ) -> Sequence[StoredOwed]:
        """Return what was raised by then and is not red, of one ticket or of all, what was raised first at first.

        Raises:
            StoreUnavailable: the store does not answer.

        """
        ...
