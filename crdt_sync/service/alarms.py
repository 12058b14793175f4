"""The service's end of the tripwire: its own fingerprint of a ticket beside a replica's.

A replica's claim is a stranger's word: it is compared, and kept if it differs, and changes nothing else.
"""

from collections.abc import Sequence

from crdt_sync.domain.ids import TicketId
from crdt_sync.domain.tripwire import (
    COMPARED_TICKETS_MAX,
    Agreement,
    Evidence,
    Fingerprint,
    agreement,
    evidence,
    fingerprint,
)
from crdt_sync.errors import Conflict, TooLarge
from crdt_sync.service.live_ticket import LiveTicket


def check_claims(claims: Sequence[tuple[TicketId, Fingerprint]]) -> None:
    """Check what is to be compared.

    Raises:
        TooLarge: too many tickets.
        Malformed: something is no fingerprint.

    """
    if len(claims) > COMPARED_TICKETS_MAX:
        raise TooLarge("Too many tickets to compare at once.", advice=f"Send {COMPARED_TICKETS_MAX} at a time.")
    for _, claimed in claims:
        claimed.check()


def compared(live: LiveTicket, claimed: Fingerprint) -> Agreement:
    """Say whether the service finds what is claimed."""
    return agreement(claimed, fingerprint(live.fold, live.fold.frontier()))


def contradicted(live: LiveTicket, claimed: Fingerprint) -> Evidence | Agreement:
    """Return what the service believes where it does not find what is claimed, or else why it has nothing to say."""
    found = compared(live, claimed)
    return evidence(live.lifecycle, live.fold, live.fold.frontier()) if found is Agreement.DIVERGED else found


def not_diverged(found: Agreement) -> Conflict:
    """The error for an alarm that has no ground, or no longer."""
    return Conflict(
        f"There is nothing to raise an alarm about: {found.value}.",
        code="not_diverged",
        advice="Compare the ticket again once its log has changed.",
    )
