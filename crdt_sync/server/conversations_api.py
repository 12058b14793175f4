"""What people see beside a conversation, over HTTP. No rule is known here."""

from dataclasses import asdict
from typing import Annotated, cast

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from starlette.responses import JSONResponse

from crdt_sync.domain.ids import ID_PATTERN, TicketId
from crdt_sync.domain.instants import instant
from crdt_sync.server.requests import Caller, ConversationsPort, RequestId, TicketPath, Traceparent
from crdt_sync.server.tickets_api import Body, ticket_response
from crdt_sync.service.conversations import PAGE_TICKETS_MAX, Writing
from crdt_sync.service.events import Events

_Ticket = Annotated[str, Query(pattern=f"^{ID_PATTERN.pattern}$")]

PEOPLE_MAX = 500  # of a department, by name: nobody chooses from more

router = APIRouter(prefix="/api", tags=["conversations"])


class LinkBody(Body):
    """Another ticket of the same customer."""

    ticket: Annotated[str, Field(pattern=f"^{ID_PATTERN.pattern}$")]


class DuplicateBody(Body):
    """The ticket in which the work goes on."""

    of: Annotated[str, Field(pattern=f"^{ID_PATTERN.pattern}$")]


@router.get("/replies")
async def list_replies(
    caller: Caller,
    conversations: ConversationsPort,
    ticket: Annotated[_Ticket | None, Query(description="fill in the names of this ticket")] = None,
) -> Response:
    """List the replies that the caller's department has ready."""
    replies = await conversations.replies(caller, None if ticket is None else TicketId(ticket))
    return JSONResponse({"replies": [asdict(reply) for reply in replies]})


@router.get("/people")
async def list_people(request: Request, caller: Caller, conversations: ConversationsPort) -> Response:
    """List who of the caller's own department may be handed something: listed, a user, or connected now."""
    known = await conversations.colleagues(caller)
    connected = cast(Events, request.app.state.events).leases.connected(caller.department)
    people = sorted({*known, *connected})[:PEOPLE_MAX]
    return JSONResponse({"people": [{"actor": actor, "name": known.get(actor, "")} for actor in people]})


@router.get("/tickets/{ticket}/writing")
async def may_write(ticket: TicketPath, caller: Caller, conversations: ConversationsPort) -> Response:
    """Say whether an answer would be sent now, until when, and how many more; null where the ticket is of no chat."""
    writing = await conversations.writing(caller, ticket)
    return JSONResponse({"writing": None if writing is None else _told(writing)})


@router.get("/tickets/{ticket}/customer")
async def list_past(
    ticket: TicketPath,
    caller: Caller,
    conversations: ConversationsPort,
    limit: Annotated[int, Query(ge=1, le=PAGE_TICKETS_MAX)] = PAGE_TICKETS_MAX,
    cursor: Annotated[_Ticket | None, Query(description="the `next` before")] = None,
) -> Response:
    """List the customer's other tickets that the caller may read, across channels, those opened last first."""
    after = None if cursor is None else TicketId(cursor)
    shown, next_ = await conversations.past(caller, ticket, after=after, limit=limit)
    return JSONResponse({"tickets": [each.to_json() for each in shown], "next": next_})


@router.post("/tickets/{ticket}/customer", status_code=204)
async def link_customer(
    ticket: TicketPath, body: LinkBody, caller: Caller, conversations: ConversationsPort
) -> Response:
    """Say that another ticket is of the same customer: from then on all tickets of both are."""
    await conversations.link(caller, ticket, TicketId(body.ticket))
    return Response(status_code=204)


@router.delete("/tickets/{ticket}/customer", status_code=204)
async def unlink_customer(ticket: TicketPath, caller: Caller, conversations: ConversationsPort) -> Response:
    """Say that this side of the chat, with all of its tickets, is a customer of its own."""
    await conversations.unlink(caller, ticket)
    return Response(status_code=204)


@router.post("/tickets/{ticket}/duplicate")
async def mark_duplicate(
    *,
    ticket: TicketPath,
    body: DuplicateBody,
    caller: Caller,
    conversations: ConversationsPort,
    request_id: RequestId,
    traceparent: Traceparent,
) -> Response:
    """Say that the ticket is a duplicate of another one: its work and its conversation go on there."""
    of = TicketId(body.of)
    view = await conversations.mark_duplicate(caller, ticket, of, request_id=request_id, trace=traceparent)
    return ticket_response(view)


@router.delete("/tickets/{ticket}/duplicate")
async def clear_duplicate(
    *,
    ticket: TicketPath,
    caller: Caller,
    conversations: ConversationsPort,
    request_id: RequestId,
    traceparent: Traceparent,
) -> Response:
    """Say that the ticket is no duplicate: its work and its conversation go on in itself again."""
    view = await conversations.clear_duplicate(caller, ticket, request_id=request_id, trace=traceparent)
    return ticket_response(view)


def _told(writing: Writing) -> dict[str, object]:
    return {
        "known": writing.known,
        "may_write": writing.may_write,
        "heard_at": None if writing.heard_ms is None else instant(writing.heard_ms),
        "sent": writing.sent,
        "waiting": writing.waiting,
        "closes_at": None if writing.closes_ms is None else instant(writing.closes_ms),
        "left": writing.left,
        "over": writing.over or None,
    }
