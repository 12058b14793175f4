"""TicketService: requests into calls of the service, answers into protobuf. No rule of tickets is known here."""

from collections.abc import Mapping
from typing import cast

from google.protobuf import struct_pb2

from crdt_sync.domain.ids import ID_PATTERN, Department, Digest, Position, TicketId
from crdt_sync.domain.lifecycle.phrases import Language
from crdt_sync.domain.media import ref_of
from crdt_sync.domain.tripwire import Evidence, Fingerprint
from crdt_sync.errors import Malformed, NotFound, PreconditionMissing
from crdt_sync.ports import TicketFilter
from crdt_sync.rpc.ticketsync.v1 import tickets_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import tickets_pb2_grpc
from crdt_sync.server.auth import Authenticator
from crdt_sync.server.grpc_calls import Call, Servicer, idempotency_of, unary
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.service.audit import Audit
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.tickets import Tickets
from crdt_sync.service.views import FormView, TicketView

PAGE_DEFAULT = 100
LANGUAGES = ("en", "zh")
_EXACT_INTEGER_MAX = 2**53  # a Struct's numbers are doubles

Scalar = str | bool | int | float | None


class TicketServicer(Servicer, tickets_pb2_grpc.TicketServiceServicer):
    """The calls of TicketService."""

    def __init__(
        self,
        authenticator: Authenticator,
        audit: Audit,
        rate: HandshakeRate,
        tickets: Tickets,
        lifecycles: Lifecycles,
    ) -> None:
        super().__init__(authenticator, audit, rate)
        self._tickets = tickets
        self._lifecycles = lifecycles

    @unary
    async def Open(self, request: pb.OpenRequest, call: Call) -> pb.OpenResponse:  # noqa: N802 (named by the proto)
        """Open a ticket, or return the one that the subject already has."""
        opened = await self._tickets.open(
            call.principal,
            title=request.title,
            lifecycle=request.lifecycle or None,
            subject=request.subject or None,
            card=fields_of(request.card),
            request_id=idempotency_of(request.request_id),
            trace=call.trace,
        )
        return pb.OpenResponse(ticket=_ticket(opened.ticket), created=opened.created)

    @unary
    async def Get(self, request: pb.GetRequest, call: Call) -> pb.GetResponse:  # noqa: N802
        """Return a ticket."""
        return pb.GetResponse(ticket=_ticket(await self._tickets.get(call.principal, _id(request.id))))

    @unary
    async def List(self, request: pb.ListRequest, call: Call) -> pb.ListResponse:  # noqa: N802
        """List the tickets that the caller may see, a page at a time."""
        where = TicketFilter(
            department=call.principal.department,
            tickets=call.principal.tickets,
            stage=request.stage or None,
            lane_states=dict(request.lanes),
            owed_by=request.owed or None,
            changed_after=Position(request.changed_after) if request.changed_after else None,
            together_with=Department(request.department) if request.department else None,
        )
        after = _id(request.page_token) if request.page_token else None
        page = await self._tickets.list(call.principal, where, after=after, limit=request.page_size or PAGE_DEFAULT)
        tickets = [_ticket(each) for each in page.tickets]
        return pb.ListResponse(tickets=tickets, next_page_token=page.next or "", position=page.position)

    @unary
    async def Transition(self, request: pb.TransitionRequest, call: Call) -> pb.TransitionResponse:  # noqa: N802
        """Make a transition, judged in what was seen."""
        if not request.seen:
            raise PreconditionMissing(
                "A transition says what its author had seen.", advice="Send the ticket's `version` as `seen`."
            )
        made = await self._tickets.transition(
            call.principal,
            _id(request.id),
            lane=request.lane,
            name=request.name,
            seen=request.seen,
            payload=fields_of(request.payload) if request.HasField("payload") else None,
            request_id=idempotency_of(request.request_id),
            trace=call.trace,
        )
        return pb.TransitionResponse(ticket=_ticket(made.ticket), transition=made.transition)

    @unary
    async def PostMessage(self, request: pb.PostMessageRequest, call: Call) -> pb.PostMessageResponse:  # noqa: N802
        """Answer the customer."""
        posted = await self._tickets.post_message(
            call.principal,
            _id(request.id),
            text=request.text,
            contents=[{"type": each.type, "ref": ref_of(each.digest), "name": each.name} for each in request.contents],
            request_id=idempotency_of(request.request_id),
            trace=call.trace,
        )
        return pb.PostMessageResponse(message=posted.message, position=posted.position)

    @unary
    async def UpdateCard(self, request: pb.UpdateCardRequest, call: Call) -> pb.UpdateCardResponse:  # noqa: N802
        """Set fields of the card; null removes a field."""
        view = await self._tickets.update_card(
            call.principal,
            _id(request.id),
            fields=fields_of(request.card),
            request_id=idempotency_of(request.request_id),
            trace=call.trace,
        )
        return pb.UpdateCardResponse(ticket=_ticket(view))

    @unary
    async def Take(self, request: pb.TakeRequest, call: Call) -> pb.TakeResponse:  # noqa: N802
        """Take a lane of the caller's department."""
        key = idempotency_of(request.request_id)
        taking = self._tickets.take(call.principal, _id(request.id), request.lane, request_id=key, trace=call.trace)
        return pb.TakeResponse(ticket=_ticket(await taking))

    @unary
    async def UpdateForm(self, request: pb.UpdateFormRequest, call: Call) -> pb.UpdateFormResponse:  # noqa: N802
        """Change a lane's form; null removes a field, the note is added to the notes."""
        form = await self._tickets.update_form(
            call.principal,
            _id(request.id),
            request.lane,
            fields=fields_of(request.fields),
            note=request.note,
            request_id=idempotency_of(request.request_id),
            trace=call.trace,
        )
        return _form(form)

    @unary
    async def Explain(self, request: pb.ExplainRequest, call: Call) -> pb.ExplainResponse:  # noqa: N802
        """Say in plain words why the ticket is in its stage."""
        language = request.language or "en"
        if language not in LANGUAGES:
            raise Malformed("The explanation comes in 'en' or 'zh'.", code="language")
        explained = await self._tickets.explain(call.principal, _id(request.id), cast(Language, language))
        return pb.ExplainResponse(ticket=_ticket(explained.ticket), lines=explained.lines)

    @unary
    async def GetLifecycle(self, request: pb.GetLifecycleRequest, call: Call) -> pb.GetLifecycleResponse:  # noqa: N802
        """Return a lifecycle's source, the default's for an empty digest."""
        del call
        digest = request.digest or self._lifecycles.default.digest
        return pb.GetLifecycleResponse(digest=digest, source=self._lifecycles.source(digest))

    @unary
    async def Compare(self, request: pb.CompareRequest, call: Call) -> pb.CompareResponse:  # noqa: N802
        """Say of each ticket whether the service finds in it what the caller does."""
        claims = [(TicketId(each.ticket), _fingerprint(each.fingerprint)) for each in request.claims]
        return pb.CompareResponse(agreements=await self._tickets.compare(call.principal, claims))

    @unary
    async def RaiseAlarm(self, request: pb.RaiseAlarmRequest, call: Call) -> pb.RaiseAlarmResponse:  # noqa: N802
        """Keep what both sides believe of a ticket on which they disagree."""
        own = await self._tickets.raise_alarm(
            call.principal,
            _id(request.id),
            claimed=_fingerprint(request.fingerprint),
            evidence=Evidence(request.evidence.explanation, request.evidence.state),
        )
        return pb.RaiseAlarmResponse(evidence=pb.Evidence(explanation=own.explanation, state=own.state))


def fields_of(struct: struct_pb2.Struct) -> dict[str, Scalar]:
    """Return a Struct's scalars; whole numbers come back as integers.

    Raises:
        Malformed: a value is a list or an object.

    """
    return {name: _scalar(name, value) for name, value in struct.fields.items()}


def _scalar(name: str, value: struct_pb2.Value) -> Scalar:
    match value.WhichOneof("kind"):
        case "null_value" | None:
            return None
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= _EXACT_INTEGER_MAX else number
        case _:
            raise Malformed(f"The field {name[:64]!r} is a list or an object.", advice="Send text or a number.")


def _id(text: str) -> TicketId:
    if not ID_PATTERN.fullmatch(text):
        raise NotFound("No ticket can have this id.", code="unknown_ticket", advice="Take an id from a list.")
    return TicketId(text)


def _fingerprint(message: pb.Fingerprint) -> Fingerprint:
    return Fingerprint(Digest(message.heads), Digest(message.state))


def _struct(fields: Mapping[str, object]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(cast(dict[str, Scalar], fields))
    return struct


def _ticket(view: TicketView) -> pb.Ticket:
    return pb.Ticket(
        id=view.id,
        version=str(view.version),
        lifecycle=view.lifecycle,
        stage=view.stage,
        kind=view.kind,
        lanes=view.lanes,
        flags={lane: pb.Flags(flags=flags) for lane, flags in view.flags.items()},
        obligations=[_obligation(each) for each in view.obligations],
        card=_struct(view.card),
        subject=view.subject,
        opened_at=view.opened_at_ms,
        updated_at=view.updated_at_ms,
        position=view.position,
        duplicate_of=view.duplicate_of,
    )


def _obligation(open_one: Mapping[str, object]) -> pb.Obligation:
    """Write an obligation of lifecycle.md, section 9: `{"row", "owes", "trigger"}`."""
    owes = cast(Mapping[str, list[str]], open_one["owes"])
    return pb.Obligation(
        row=cast(str, open_one["row"]),
        owes={lane: pb.Names(names=names) for lane, names in owes.items()},
        trigger=cast(list[str], open_one["trigger"]),
    )


def _form(form: FormView) -> pb.UpdateFormResponse:
    return pb.UpdateFormResponse(fields=_struct(form.fields), notes=form.notes, position=form.position)
