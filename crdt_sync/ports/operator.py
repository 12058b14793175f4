"""What is kept for the operator beside the log, as contracts: restrictions on people, and the record of refusals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from crdt_sync.domain.ids import ActorId
from crdt_sync.domain.restriction import Restriction

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class StoredRestriction:
    """A restriction, and its place among all changes of restrictions."""

    change: int
    restriction: Restriction
    at_ms: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Refusals of one kind within one hour: so many, the last of them then.

    `source` stands for an address and does not say it. Empty texts stand for what is not known, or was too much to keep
    apart.
    """

    hour_ms: int
    wire: str
    subject: str  # a document, a route or a call
    code: str
    actor: str
    department: str
    source: str
    count: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class RefusalFilter:
    """Which refusals to return; None restricts nothing."""

    actor: ActorId | None = None
    code: str | None = None
    source: str | None = None


class OperatorStore(Protocol):
    """The part of the store that an operator writes or reads. Every method raises `StoreUnavailable`."""

    async def restrict(
        self, actor: ActorId, amend: Callable[[Restriction], Restriction], at_ms: int
    ) -> StoredRestriction:
        """Keep what `amend` makes of the actor's restriction in its place, both in one transaction, and return it.

        `amend` is given one that takes nothing if there is none. It may run in another thread.
        """
        ...

    async def restrictions(self, after: int = 0) -> Sequence[StoredRestriction]:
        """Return the restrictions that changed after a change, in their order; a single look at an index if none."""
        ...

    async def refusals(self, where: RefusalFilter, *, limit: int = 100) -> Sequence[Refusal]:
        """Return refusals, the newest first."""
        ...
