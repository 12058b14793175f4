"""IngressService: what a chat gateway brings, into the service's arrivals. Knows no platform."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from crdt_sync.domain.media import MEDIA_PARTS
from crdt_sync.domain.message import MessageKind
from crdt_sync.errors import Forbidden, Malformed, TooLarge
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2_grpc
from crdt_sync.server.auth import Authenticator
from crdt_sync.server.grpc_calls import CODE, Call, Servicer, unary
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.server.requests import traceparent_of
from crdt_sync.service.arrival import Arrival
from crdt_sync.service.audit import Audit
from crdt_sync.service.ingest import Ingested
from crdt_sync.service.media import Contents, Place
from crdt_sync.service.tickets import Tickets
from crdt_sync.wire import limits

ENVELOPES_MAX = 100  # of a call, as the proto says

_STATUS = {
    "accepted": pb.INGEST_STATUS_ACCEPTED,
    "duplicate": pb.INGEST_STATUS_DUPLICATE,
    "rejected": pb.INGEST_STATUS_REJECTED,
    "retry_later": pb.INGEST_STATUS_RETRY_LATER,
}

Part = Mapping[str, str]


class IngressServicer(Servicer, gateway_pb2_grpc.IngressServiceServicer):
    """The calls of IngressService."""

    def __init__(
        self,
        authenticator: Authenticator,
        audit: Audit,
        rate: HandshakeRate,
        tickets: Tickets,
        contents: Contents,
    ) -> None:
        super().__init__(authenticator, audit, rate)
        self._tickets = tickets
        self._contents = contents

    @unary
    async def Ingest(self, request: pb.IngestRequest, call: Call) -> pb.IngestResponse:  # noqa: N802 (named by the proto)
        """Take what a gateway brings; one result each, in order."""
        if not call.principal.is_gateway:
            raise Forbidden("Only a gateway ingests.", code="not_a_gateway")
        if len(request.envelopes) > ENVELOPES_MAX:
            raise TooLarge(f"A call takes at most {ENVELOPES_MAX} envelopes.", code="too_many")
        arrivals = [_arrival(envelope, call.trace) for envelope in request.envelopes]
        taken = iter(await self._tickets.ingest(call.principal, [each for each in arrivals if each is not None]))
        results = [
            _shapeless(envelope) if arrival is None else _result(next(taken))
            for envelope, arrival in zip(request.envelopes, arrivals, strict=True)
        ]
        return pb.IngestResponse(results=results)

    @unary
    async def Attach(  # noqa: N802 (named by the proto)
        self, steps: AsyncIterator[pb.AttachRequest], call: Call
    ) -> pb.AttachResponse:
        """Take the content of one part, or why there is none."""
        first = await anext(aiter(steps), None)
        if first is None or first.WhichOneof("step") != "head":
            raise Malformed("An attachment begins with what it is.", code="attachment")
        head = first.head
        if not CODE.fullmatch(head.code):
            raise Malformed("A code is at most 64 lowercase letters, digits, underscores and dots.", code="code")
        place = Place(head.account, head.idempotency_key, head.index)
        shown = await self._contents.attach(call.principal, place, head.code or _pieces(steps), call.trace)
        if isinstance(shown, str):
            return pb.AttachResponse(code=shown)
        return pb.AttachResponse(content=pb.MediaContent(digest=shown.digest, size=shown.size, type=shown.type))


async def _pieces(steps: AsyncIterator[pb.AttachRequest]) -> AsyncIterator[bytes]:
    async for step in steps:
        if step.WhichOneof("step") != "piece":
            raise Malformed("An attachment goes on with its bytes.", code="attachment")
        if not 0 < len(step.piece) <= limits.MEDIA_PIECE_BYTES:
            raise Malformed(f"A piece has 1 to {limits.MEDIA_PIECE_BYTES} bytes.", code="attachment")
        yield step.piece


def _arrival(envelope: pb.Envelope, trace: str | None) -> Arrival | None:
    """Return what an envelope holds, None if it holds nothing that could ever be taken."""
    told = _told(envelope)
    if told is None or not envelope.idempotency_key or not envelope.conversation:
        return None
    if any("\0" in name for name in (envelope.conversation, envelope.system.about, envelope.delivery.message)):
        return None  # PostgreSQL holds none, so nothing of ours has such a name
    kind, sender, parts = told
    return Arrival(
        key=envelope.idempotency_key,
        channel=envelope.channel,
        account=envelope.account,
        conversation=envelope.conversation,
        sender=sender,
        kind=kind,
        parts=parts,
        sent_at_ms=envelope.sent_at,
        display_name=envelope.customer.display_name,
        trace=traceparent_of(envelope.traceparent) or trace,
        hears_events=envelope.hears_events,
        about=envelope.system.about,
        rule=envelope.rule,
    )


def _told(envelope: pb.Envelope) -> tuple[MessageKind, str, Sequence[Part]] | None:
    """Return kind, sender and parts; what has no sender was told by the platform about the conversation."""
    match envelope.WhichOneof("kind"):
        case "customer":
            return "customer", envelope.customer.sender, _parts(envelope.customer.parts)
        case "agent":
            return "agent", envelope.agent.sender, _parts(envelope.agent.parts)
        case "system":
            notice = {"type": "event", "event": envelope.system.event}
            return "system", envelope.conversation, [notice, *_parts(envelope.system.parts)]
        case "delivery":
            state = {"type": "event", "event": envelope.delivery.state}
            return "delivery", envelope.conversation, [state, {"type": "text", "text": envelope.delivery.message}]
        case "unknown":
            named = {"type": "event", "event": envelope.unknown.type}
            raw = [{"type": "text", "text": envelope.unknown.raw}] if envelope.unknown.raw else []
            return "unknown", envelope.conversation, [named, *raw]
        case _:
            return None


def _parts(parts: Iterable[pb.Part]) -> list[Part]:
    return [_part(part) for part in parts]


def _part(part: pb.Part) -> Part:
    """Write a part as a message's record has it; numbers as text, to a centimetre."""
    match part.WhichOneof("part"):
        case "text":
            return {"type": "text", "text": part.text}
        case "media" if part.media.type in MEDIA_PARTS:
            media = part.media
            return {"type": media.type, "ref": media.platform_id or media.url, "name": media.name}
        case "location":
            place = part.location
            return {
                "type": "location",
                "latitude": f"{place.latitude:.7f}",
                "longitude": f"{place.longitude:.7f}",
                "label": place.label,
            }
        case _:
            return {}  # no message holds it, so the envelope is rejected by name


def _result(ingested: Ingested) -> pb.IngestResult:
    return pb.IngestResult(
        idempotency_key=ingested.key,
        status=_STATUS[ingested.status],
        ticket=ingested.ticket,
        message=ingested.message,
        code=ingested.code,
        reason=ingested.reason,
    )


def _shapeless(envelope: pb.Envelope) -> pb.IngestResult:
    return pb.IngestResult(
        idempotency_key=envelope.idempotency_key,
        status=pb.INGEST_STATUS_REJECTED,
        code="malformed",
        reason="An envelope has an idempotency key, a conversation and a kind.",
    )
