"""Who a replica works for, as its token says. Nothing is verified here: only the service's word counts."""

import json

import jwt

from crdt_sync.domain.access import Principal
from crdt_sync.domain.canonical import dumps
from crdt_sync.domain.ids import ActorId, Department, Role, TicketId
from crdt_sync.errors import Conflict, Forbidden, Unauthenticated
from crdt_sync.replica.store import ReplicaStore


def principal_of(token: str) -> Principal:
    """Read a token's claims.

    Raises:
        Unauthenticated: no such claims can be read from it.
        Forbidden: it is a gateway's, which keeps no replica.

    """
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise _unreadable() from error
    principal = principal_from(claims)
    if principal.is_gateway:
        raise Forbidden("A gateway ingests; it keeps no replica.", code="gateway")
    return principal


def principal_from(claims: dict[str, object]) -> Principal:
    """Return the principal of these claims.

    Raises:
        Unauthenticated: `sub`, `department` or `roles` is missing or of another type.

    """
    actor, department, roles = claims.get("sub"), claims.get("department"), claims.get("roles", [])
    tickets = claims.get("tickets")
    if not (isinstance(actor, str) and isinstance(department, str) and isinstance(roles, list)):
        raise _unreadable()
    return Principal(
        ActorId(actor),
        Department(department),
        tuple(Role(str(role)) for role in roles),
        tuple(TicketId(str(ticket)) for ticket in tickets) if isinstance(tickets, list) else None,
    )


def claims_of(principal: Principal) -> str:
    """Return the claims as JSON, for a replica to remember whose it is."""
    claims: dict[str, object] = {
        "sub": principal.actor,
        "department": principal.department,
        "roles": list(principal.roles),
    }
    if principal.tickets is not None:
        claims["tickets"] = list(principal.tickets)
    return dumps(claims)


async def identified(store: ReplicaStore, token: str | None) -> Principal:
    """Return who owns the replica in `store`; whoever opens it first does from then on.

    Raises:
        Unauthenticated: there is no token and no owner yet, or the token does not say who it is for.
        Conflict: the token is another's than the owner's.

    """
    known = await store.identity()
    owner = principal_from(json.loads(known)) if known is not None else None
    if token is None:
        if owner is None:
            raise Unauthenticated(
                "A new replica needs a token, to know whose it is.",
                code="token_missing",
                advice="Give --token; `crdt-sync token` prints one for a local service.",
            )
        return owner
    principal = principal_of(token)
    if owner is not None and (owner.actor, owner.department) != (principal.actor, principal.department):
        raise Conflict(
            f"This replica belongs to {owner.actor!r} of {owner.department!r}, and the token is another's.",
            code="replica_owner",
            advice="Use one file for each person.",
        )
    if principal != owner:
        await store.save_identity(claims_of(principal))
    return principal


def _unreadable() -> Unauthenticated:
    return Unauthenticated(
        "The token says neither who works here nor for which department.",
        code="token_invalid",
        advice="`crdt-sync token` prints one for a local service.",
    )
