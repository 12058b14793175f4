"""What an operator has taken from a person since that person's token was signed. Knows no token and no store."""

from dataclasses import dataclass, replace
from typing import TypeVar

from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ActorId, Role, TicketId
from crdt_sync.errors import Unauthenticated

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Restriction:
    """What is left to a person; the newest one of an actor counts. Without anything taken it restricts nothing."""

    actor: ActorId
    revoked: bool = False
    read_only: bool = False
    roles: tuple[Role, ...] | None = None  # at most these
    tickets: tuple[TicketId, ...] | None = None  # at most these
    valid_from_ms: int = 0  # tokens that were issued before are void; one that does not say when counts as old

    def apply(self, identity: Identity) -> Identity:
        """Return the identity with what is left to it.

        Raises:
            Unauthenticated: nothing is (`revoked`, `signed_out`).

        """
        if self.revoked:
            raise Unauthenticated("Access was taken back.", code="revoked", advice="Ask whoever runs the service.")
        if identity.issued_at_ms < self.valid_from_ms:
            raise Unauthenticated("This token was made void.", code="signed_out", advice="Sign in again.")
        granted = identity.granted or identity.principal
        narrowed = replace(
            granted,
            roles=tuple(role for role in granted.roles if self.roles is None or role in self.roles),
            tickets=_both(granted.tickets, self.tickets),
            read_only=granted.read_only or self.read_only,
        )
        return replace(identity, principal=narrowed, granted=granted)

    def joined(self, other: "Restriction") -> "Restriction":
        """Return what takes all that either takes from the actor."""
        return Restriction(
            self.actor,
            revoked=self.revoked or other.revoked,
            read_only=self.read_only or other.read_only,
            roles=_both(self.roles, other.roles),
            tickets=_both(self.tickets, other.tickets),
            valid_from_ms=max(self.valid_from_ms, other.valid_from_ms),
        )


def _both(one: tuple[_T, ...] | None, other: tuple[_T, ...] | None) -> tuple[_T, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    return tuple(each for each in one if each in other)
