"""The replica's end of the tripwire: what its folds make of the log beside what the service's make of it.

It reads the very fold that people see, at the heads of the log: own undelivered moves are left out. It changes no
document, and its failures stop nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from crdt_sync.documents.log import LogDocument
from crdt_sync.domain import transition
from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import DocumentKind, DocumentName, TicketId, TransitionId
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.transition import Transition
from crdt_sync.domain.tripwire import (
    COMPARED_TICKETS_MAX,
    Agreement,
    Alarm,
    Fingerprint,
    evidence,
    fingerprint,
    heads_of,
)
from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import Clock
from crdt_sync.replica.link import Link
from crdt_sync.replica.shelf import Shelf
from crdt_sync.replica.store import ReplicaStore
from crdt_sync.replica.ticket import Ticket


@dataclass(frozen=True, slots=True)
class _Claim:
    """A ticket as it is compared: the log at a revision, and what the fold makes of it."""

    ticket: TicketId
    revision: int
    lifecycle: Lifecycle
    fold: Fold
    heads: tuple[TransitionId, ...]
    fingerprint: Fingerprint


class Tripwire:
    """Compares each ticket once in a process and again after each change of its log; keeps an alarm if it must."""

    def __init__(self, store: ReplicaStore, shelf: Shelf, principal: Principal, clock: Clock) -> None:
        self._store, self._shelf, self._principal, self._clock = store, shelf, principal, clock
        self._compared: dict[TicketId, int] = {}  # the revision of the log to which the service gave an answer

    def forget(self) -> None:
        """Begin anew."""
        self._compared.clear()

    async def compare(self, link: Link, tickets: Iterable[Ticket]) -> None:
        """Compare what is due in one request; what finds no room or no answer is due again the next time.

        Raises:
            Unavailable: an alarm cannot be stored.

        """
        claims = list(islice(self._due(tickets), COMPARED_TICKETS_MAX))
        if not claims:
            return
        try:
            agreements = await link.compare([(claim.ticket, claim.fingerprint) for claim in claims])
        except TicketSyncError:
            return  # what ails the connection, its reader tells
        for claim, agreement in zip(claims, agreements, strict=True):
            if agreement is not Agreement.DIVERGED or await self._raise_alarm(link, claim):
                self._compared[claim.ticket] = claim.revision

    async def alarms(self) -> Sequence[Alarm]:
        """Return what is kept."""
        return await self._store.alarms()

    def _due(self, tickets: Iterable[Ticket]) -> Iterator[_Claim]:
        for ticket in tickets:
            name = DocumentName(ticket.id, DocumentKind.LOG)
            revision = self._shelf.revisions[str(name)]
            log = self._shelf.get(name)
            if self._compared.get(ticket.id) == revision or not isinstance(log, LogDocument):
                continue
            try:
                claim = _claim(ticket, revision, log)
            except Exception:  # noqa: BLE001 - such a fold fails whoever looks at the ticket; the connection goes on
                self._compared[ticket.id] = revision
                continue
            if claim is not None:
                yield claim

    async def _raise_alarm(self, link: Link, claim: _Claim) -> bool:
        """Exchange evidence and keep both sides'; tell whether that was done."""
        own = evidence(claim.lifecycle, claim.fold, claim.heads)
        try:
            theirs = await link.raise_alarm(claim.ticket, claim.fingerprint, own)
            theirs.check()
        except TicketSyncError:
            return False
        seen = (claim.ticket, self._principal.department, self._principal.actor, claim.fingerprint.heads)
        await self._store.save_alarm(Alarm(*seen, replica=own, service=theirs, at_ms=self._clock.now_ms()))
        return True


def _claim(ticket: Ticket, revision: int, log: LogDocument) -> _Claim | None:
    """Return what there is to compare of a ticket; None if its lifecycle or its log is not here."""
    lifecycle, fold = ticket.lifecycle, ticket.fold
    made = [transition.decode(record.encode()) for record in log.transitions()]
    heads = heads_of(each for each in made if isinstance(each, Transition))
    if lifecycle is None or fold is None or not heads:
        return None
    return _Claim(ticket.id, revision, lifecycle, fold, heads, fingerprint(fold, heads))
