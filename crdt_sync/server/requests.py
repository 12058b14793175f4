"""What requests have in common: who is calling, which ticket, the headers of a command. Answers nothing."""

import re
from collections.abc import Mapping
from typing import Annotated, Protocol, cast

from fastapi import Depends, Header, Path
from starlette.requests import HTTPConnection, Request

from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ID_PATTERN, LaneId, TicketId
from crdt_sync.errors import Forbidden, Malformed, NotFound
from crdt_sync.server.auth import Authenticator, bearer
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.service.conversations import Conversations
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.media import Contents
from crdt_sync.service.tickets import Tickets

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,128}")


async def identify(request: Request, token: str | None) -> Identity:
    """Return who makes a request, and count it.

    Raises:
        TooOften: it is one too many for him or for his address.
        TicketSyncError: his token was judged so.

    """
    authenticator = cast(Authenticator, request.app.state.authenticator)
    rate = cast(HandshakeRate, request.app.state.rate)
    rate.arrive(source_of(request), token, "requests")
    return await rate.judged(authenticator.authenticate(token, request.headers), token, "requests")


async def _caller(request: Request) -> Principal:
    identity = await identify(request, bearer(request.headers.get("authorization")))
    request.state.principal = identity.principal  # for the record of refusals
    return identity.principal


def _tickets(request: Request) -> Tickets:
    return cast(Tickets, request.app.state.tickets)


def _contents(request: Request) -> Contents:
    return cast(Contents, request.app.state.contents)


def _conversations(request: Request) -> Conversations:
    return cast(Conversations, request.app.state.conversations)


def _lifecycles(request: Request) -> Lifecycles:
    return cast(Lifecycles, request.app.state.lifecycles)


def _ticket_id(ticket: Annotated[str, Path(description="52 characters of base32")]) -> TicketId:
    if not ID_PATTERN.fullmatch(ticket):
        raise NotFound("No ticket can have this id.", code="unknown_ticket", advice="Take an id from a list.")
    return TicketId(ticket)


def source_of(connection: HTTPConnection) -> str:
    """Return the address that a request comes from, empty where there is none."""
    return connection.client.host if connection.client is not None else ""


def traceparent_of(header: str | None) -> str | None:
    """Return a W3C `traceparent` if it is well-formed; another is as if absent (Trace Context, 3.2.2)."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else None


def request_id_of(text: str) -> str:
    """Return an idempotency key.

    Raises:
        Malformed: it has another form.

    """
    if not _IDEMPOTENCY_KEY.fullmatch(text):
        raise Malformed("An idempotency key has 1 to 128 printable characters.", code="idempotency_key")
    return text


def _traceparent(request: Request) -> str | None:
    return traceparent_of(request.headers.get("traceparent"))


def _request_id(
    idempotency_key: Annotated[
        str | None, Header(description="the same key and body give the first result again")
    ] = None,
) -> str | None:
    return None if idempotency_key is None else request_id_of(idempotency_key)


Caller = Annotated[Principal, Depends(_caller)]
TicketsPort = Annotated[Tickets, Depends(_tickets)]
ContentsPort = Annotated[Contents, Depends(_contents)]
ConversationsPort = Annotated[Conversations, Depends(_conversations)]
LifecyclesPort = Annotated[Lifecycles, Depends(_lifecycles)]
TicketPath = Annotated[TicketId, Depends(_ticket_id)]
LanePath = Annotated[LaneId, Path(description="a lane of the ticket's lifecycle")]
RequestId = Annotated[str | None, Depends(_request_id)]
Traceparent = Annotated[str | None, Depends(_traceparent)]


class Asking(Protocol):
    """Whatever came with headers: a request, or a handshake."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By lowercase names."""
        ...


def check_origin(connection: Asking, allowed: tuple[str, ...], *, encrypted: bool = False) -> None:
    """Refuse a browser's page of another host: its user's cookies and address are not that page's to use.

    With `encrypted` this host's pages must have come encrypted: whoever stands in between makes others under its name.

    Raises:
        Forbidden: the origin is neither this host nor one of `allowed`.

    """
    origin = connection.headers.get("origin")
    if origin is None or origin in allowed:
        return  # programs send none, browsers always do
    host = connection.headers.get("host", "")
    scheme, _, of = origin.lower().partition("://")
    if host and of == host.lower() and (scheme == "https" or not encrypted):
        return
    raise Forbidden("Pages of this origin may not connect.", code="origin", advice="Add it to CRDT_SYNC_ORIGINS.")
