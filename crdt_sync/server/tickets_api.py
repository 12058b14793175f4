"""Tickets over HTTP: requests into calls of the service, answers into JSON. No rule of tickets is known here."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from crdt_sync.adapters import lifecycle_files
from crdt_sync.domain.ids import DIGEST_PATTERN, ID_PATTERN, NAME_PATTERN, Department, Digest, Position, TicketId
from crdt_sync.domain.lifecycle.phrases import Language
from crdt_sync.domain.media import ref_of
from crdt_sync.domain.message import PARTS_MAX
from crdt_sync.domain.tripwire import COMPARED_TICKETS_MAX, Evidence, Fingerprint
from crdt_sync.errors import Malformed, PreconditionMissing
from crdt_sync.ports import TicketFilter
from crdt_sync.server.requests import (
    Caller,
    LanePath,
    LifecyclesPort,
    RequestId,
    TicketPath,
    TicketsPort,
    Traceparent,
)
from crdt_sync.service.views import FormView, TicketView

PAGE_MAX = 500  # some 500 kB of JSON

Text = Annotated[str, Field(max_length=65_536)]
Short = Annotated[str, Field(max_length=256)]
Scalar = Text | bool | int | Annotated[float, Field(allow_inf_nan=False)] | None
Fields = Annotated[dict[Short, Scalar], Field(max_length=256)]


class Body(BaseModel):
    """A request's body: exactly these fields, of exactly these types."""

    model_config = ConfigDict(strict=True, extra="forbid")


class OpenBody(Body):
    """A ticket to open."""

    title: Short
    lifecycle: Annotated[str | None, Field(description="a digest; the default lifecycle if absent")] = None
    subject: Annotated[str | None, Field(max_length=512, description="what the ticket is about, once for ever")] = None
    card: Fields | None = None


class TransitionBody(Body):
    """A transition to make, judged in what was seen."""

    lane: Short
    name: Short
    seen: Annotated[Short | None, Field(description="the `version` that was shown, verbatim; needed")] = None
    payload: Fields | None = None


class ContentBody(Body):
    """A part of an answer whose content was uploaded for this ticket."""

    type: Literal["image", "voice", "video", "file"]
    digest: Annotated[str, Field(pattern=f"^{DIGEST_PATTERN.pattern}$")]
    name: Annotated[Short, Field(description="as the customer is shown it")] = ""


class MessageBody(Body):
    """An answer to the customer: a text, contents, or both."""

    text: Text = ""
    contents: Annotated[list[ContentBody], Field(max_length=PARTS_MAX - 1)] = []


class TakeBody(Body):
    """A lane to take."""

    lane: Short


class FormBody(Body):
    """A change of a lane's form; null removes a field, the note is added to the notes."""

    fields: Fields = {}
    note: Text = ""


class ClaimBody(Body):
    """What the caller finds in a ticket: digests of the heads of its log, and of the state that they amount to."""

    ticket: Short
    heads: Short
    state: Short


class CompareBody(Body):
    """Tickets to compare, at most 100."""

    claims: Annotated[list[ClaimBody], Field(max_length=COMPARED_TICKETS_MAX)]


class EvidenceBody(Body):
    """What the caller believes: an explanation in English, one sentence a line, and a state as canonical JSON."""

    explanation: Text
    state: Text


class AlarmBody(Body):
    """A ticket on which the service does not agree with the caller, and what the caller believes of it."""

    heads: Short
    state: Short
    evidence: EvidenceBody


router = APIRouter(prefix="/api", tags=["tickets"])


def ticket_response(ticket: TicketView, *, status: int = 200) -> Response:
    """Return a ticket as an answer, with its ETag."""
    headers = {"ETag": f'"{ticket.version}.{ticket.position}"', "Cache-Control": "private, no-cache"}
    return JSONResponse(ticket.to_json(), status, headers=headers)


def _form(form: FormView) -> Response:
    return JSONResponse({"fields": dict(form.fields), "notes": form.notes, "position": form.position})


@router.post("/tickets", status_code=201, responses={200: {"description": "the ticket that this subject has"}})
async def open_ticket(
    body: OpenBody, caller: Caller, tickets: TicketsPort, request_id: RequestId, traceparent: Traceparent
) -> Response:
    """Open a ticket, or return the one that the subject already has."""
    opened = await tickets.open(
        caller,
        title=body.title,
        lifecycle=body.lifecycle,
        subject=body.subject,
        card=body.card,
        request_id=request_id,
        trace=traceparent,
    )
    return ticket_response(opened.ticket, status=201 if opened.created else 200)


@router.get("/tickets")
async def list_tickets(
    *,
    request: Request,
    caller: Caller,
    tickets: TicketsPort,
    stage: Short | None = None,
    lane: Annotated[list[Short], Query(description="`sales:signed`; `lane.sales=signed` says the same")] = [],  # noqa: B006
    department: Annotated[Short | None, Query(description="one that takes part beside the caller's own")] = None,
    owed: Annotated[Short | None, Query(description="a lane that an open obligation names")] = None,
    changed_after: Annotated[int, Query(ge=0, le=2**53 - 1, description="a service-wide position")] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 100,
    cursor: Annotated[Short | None, Query(pattern=f"^{ID_PATTERN.pattern}$", description="the `next` before")] = None,
) -> Response:
    """List the tickets that the caller may see, a page at a time."""
    where = TicketFilter(
        department=caller.department,
        tickets=caller.tickets,
        stage=stage,
        lane_states=_lane_states(lane, request),
        owed_by=owed,
        changed_after=Position(changed_after) if changed_after else None,
        together_with=None if department is None else Department(department),
    )
    page = await tickets.list(caller, where, after=None if cursor is None else TicketId(cursor), limit=limit)
    return JSONResponse(
        {"tickets": [each.to_json() for each in page.tickets], "next": page.next, "position": page.position}
    )


_LIST_PARAMETERS = frozenset({"stage", "lane", "department", "owed", "changed_after", "limit", "cursor"})


def _lane_states(pairs: list[str], request: Request) -> dict[str, str]:
    """Read both ways of naming a lane's state; a parameter that is neither is a mistake, not a filter of nothing."""
    named = [pair.partition(":") for pair in pairs]
    for name, value in request.query_params.multi_items():
        if name.startswith("lane."):
            named.append((name.removeprefix("lane."), ":", value))
        elif name not in _LIST_PARAMETERS:
            raise Malformed(f"There is no filter {name[:64]!r}.", code="unknown_filter", advice="See /docs.")
    for lane, _, state in named:
        if not NAME_PATTERN.fullmatch(lane) or not state:
            raise Malformed("A lane filter reads lane=sales:signed.", code="lane_filter")
    states = {lane: state for lane, _, state in named}
    if len(states) < len(named):
        raise Malformed("A lane is in one state at a time.", code="lane_filter")
    return states


@router.post("/tickets/compare")
async def compare_tickets(body: CompareBody, caller: Caller, tickets: TicketsPort) -> Response:
    """Say of each ticket, in order, whether the service finds in it what the caller does."""
    claims = [(TicketId(each.ticket), Fingerprint(Digest(each.heads), Digest(each.state))) for each in body.claims]
    return JSONResponse({"agreements": await tickets.compare(caller, claims)})


@router.post("/tickets/{ticket}/alarms", status_code=201)
async def raise_alarm(ticket: TicketPath, body: AlarmBody, caller: Caller, tickets: TicketsPort) -> Response:
    """Keep what both sides believe of a ticket on which they disagree; return what the service believes."""
    claimed = Fingerprint(Digest(body.heads), Digest(body.state))
    own = await tickets.raise_alarm(caller, ticket, claimed=claimed, evidence=Evidence(**dict(body.evidence)))
    return JSONResponse({"evidence": asdict(own)}, 201)


@router.get("/tickets/{ticket}", responses={304: {"description": "nothing changed since If-None-Match"}})
async def get_ticket(ticket: TicketPath, caller: Caller, tickets: TicketsPort, request: Request) -> Response:
    """Return a ticket; its ETag is `"version.position"`."""
    answer = ticket_response(await tickets.get(caller, ticket))
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if "*" in known or answer.headers["etag"] in known:
        kept = {name: answer.headers[name] for name in ("ETag", "Cache-Control")}
        return Response(status_code=304, headers=kept)
    return answer


@router.post("/tickets/{ticket}/transitions")
async def make_transition(
    *,
    ticket: TicketPath,
    body: TransitionBody,
    caller: Caller,
    tickets: TicketsPort,
    request_id: RequestId,
    traceparent: Traceparent,
) -> Response:
    """Make a transition. A stale `seen` is no error: the move is concurrent with what came since."""
    if body.seen is None:
        raise PreconditionMissing(
            "A transition says what its author had seen.", advice="Send the ticket's `version` as `seen`."
        )
    made = await tickets.transition(
        caller,
        ticket,
        lane=body.lane,
        name=body.name,
        seen=body.seen,
        payload=body.payload,
        request_id=request_id,
        trace=traceparent,
    )
    return JSONResponse({"ticket": made.ticket.to_json(), "transition": made.transition})


@router.get("/tickets/{ticket}/messages")
async def list_messages(ticket: TicketPath, caller: Caller, tickets: TicketsPort) -> Response:
    """Return the conversation with the customer, oldest first."""
    return JSONResponse({"messages": await tickets.messages(caller, ticket)})


@router.post("/tickets/{ticket}/messages", status_code=201)
async def post_message(
    *,
    ticket: TicketPath,
    body: MessageBody,
    caller: Caller,
    tickets: TicketsPort,
    request_id: RequestId,
    traceparent: Traceparent,
) -> Response:
    """Answer the customer."""
    if not body.text and not body.contents:
        raise Malformed("A message has a text, or contents, or both.")
    contents = [{"type": each.type, "ref": ref_of(each.digest), "name": each.name} for each in body.contents]
    posted = await tickets.post_message(
        caller, ticket, text=body.text, contents=contents, request_id=request_id, trace=traceparent
    )
    return JSONResponse({"message": posted.message, "position": posted.position}, 201)


@router.patch("/tickets/{ticket}/card")
async def update_card(
    *,
    ticket: TicketPath,
    body: Fields,
    caller: Caller,
    tickets: TicketsPort,
    request_id: RequestId,
    traceparent: Traceparent,
) -> Response:
    """Set fields of the card, the last writer winning; null removes a field."""
    view = await tickets.update_card(caller, ticket, fields=body, request_id=request_id, trace=traceparent)
    return ticket_response(view)


@router.post("/tickets/{ticket}/take")
async def take_lane(
    *,
    ticket: TicketPath,
    body: TakeBody,
    caller: Caller,
    tickets: TicketsPort,
    request_id: RequestId,
    traceparent: Traceparent,
) -> Response:
    """Take a lane of the caller's department, from whoever has it."""
    return ticket_response(await tickets.take(caller, ticket, body.lane, request_id=request_id, trace=traceparent))


@router.get("/tickets/{ticket}/forms/{lane}")
async def get_form(ticket: TicketPath, lane: LanePath, caller: Caller, tickets: TicketsPort) -> Response:
    """Return a lane's form: its fields and its notes."""
    return _form(await tickets.form(caller, ticket, lane))


@router.patch("/tickets/{ticket}/forms/{lane}")
async def update_form(
    *,
    ticket: TicketPath,
    lane: LanePath,
    body: FormBody,
    caller: Caller,
    tickets: TicketsPort,
    request_id: RequestId,
    traceparent: Traceparent,
) -> Response:
    """Change a lane's form."""
    form = await tickets.update_form(
        caller, ticket, lane, fields=body.fields, note=body.note, request_id=request_id, trace=traceparent
    )
    return _form(form)


@router.get("/tickets/{ticket}/explain")
async def explain_ticket(
    ticket: TicketPath, caller: Caller, tickets: TicketsPort, language: Language = "en"
) -> Response:
    """Say in plain words why the ticket is in its stage."""
    explained = await tickets.explain(caller, ticket, language)
    return JSONResponse({"ticket": explained.ticket.to_json(), "lines": list(explained.lines)})


@router.get("/tickets/{ticket}/history")
async def ticket_history(ticket: TicketPath, caller: Caller, tickets: TicketsPort) -> Response:
    """Return every transition of the ticket and what became of it."""
    return JSONResponse({"history": await tickets.history(caller, ticket)})


@router.get("/lifecycles")
async def list_lifecycles(caller: Caller, lifecycles: LifecyclesPort) -> Response:
    """List the lifecycles that tickets here were or can be opened with."""
    del caller
    shown = [
        {
            "digest": each.digest,
            "lifecycle": each.name,
            "version": each.version,
            "title": dict(each.title),
            "default": each.digest == lifecycles.default.digest,
        }
        for each in lifecycles.all()
    ]
    return JSONResponse({"lifecycles": shown})


@router.get("/lifecycles/{digest}", response_class=Response)
async def get_lifecycle(digest: str, caller: Caller, lifecycles: LifecyclesPort, request: Request) -> Response:
    """Return a lifecycle's source, as JSON for who accepts that; what has a digest never changes."""
    del caller
    source = lifecycles.source(digest)
    headers = {"Cache-Control": "private, max-age=31536000, immutable", "ETag": f'"{digest}"', "Vary": "Accept"}
    if "application/json" in request.headers.get("accept", ""):
        return Response(lifecycle_files.as_json(source), headers=headers, media_type="application/json")
    return Response(source, headers=headers, media_type="application/yaml")
