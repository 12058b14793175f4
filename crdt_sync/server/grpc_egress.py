"""EgressService: what is to be sent, to chat gateways, and what became of it. Knows no platform."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from functools import partial

from crdt_sync.domain.access import Principal
from crdt_sync.domain.delivery import Window
from crdt_sync.errors import CallerError, Malformed, TicketSyncError
from crdt_sync.ports.outbox import StoredDelivery
from crdt_sync.rpc.status import abort
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2 as pb
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2_grpc
from crdt_sync.server.auth import Authenticator
from crdt_sync.server.grpc_calls import CODE, Call, Context, Room, Servicer, caller_of, read_in_time, source_of, unary
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.server.problems import as_ours, log_failure
from crdt_sync.service.audit import Asked, Audit
from crdt_sync.service.heard import Heard
from crdt_sync.service.media import Contents
from crdt_sync.service.outbox import Claiming, Outbox
from crdt_sync.service.sending import Outcome, Report, lease_of

PLATFORM_ID_MAX = 256  # characters; WhatsApp's, the longest that is known, have some 80
DELAY_MS_MAX = 86_400_000  # a platform that asks for more is asked again after a day
WINDOW_MS_MAX = 365 * 86_400_000  # no platform lets anybody wait as long

_OUTCOMES: Mapping[int, Outcome] = {
    pb.DELIVERY_OUTCOME_BEGUN: "begun",
    pb.DELIVERY_OUTCOME_SENT: "sent",
    pb.DELIVERY_OUTCOME_RETRY: "retry",
    pb.DELIVERY_OUTCOME_UNKNOWN: "unknown",
    pb.DELIVERY_OUTCOME_WINDOW_CLOSED: "window_closed",
    pb.DELIVERY_OUTCOME_DEAD: "dead",
}


class EgressServicer(Servicer, gateway_pb2_grpc.EgressServiceServicer):
    """The calls of EgressService."""

    def __init__(
        self,
        authenticator: Authenticator,
        audit: Audit,
        rate: HandshakeRate,
        outbox: Outbox,
        contents: Contents,
        room: Room,
    ) -> None:
        super().__init__(authenticator, audit, rate)
        self._contents = contents
        self._outbox = outbox
        self._room = room

    async def Claim(  # noqa: N802 (named by the proto)
        self, request: pb.ClaimRequest, context: Context
    ) -> AsyncIterator[pb.Delivery]:
        """Give what is to be sent until the stream ends."""
        source = source_of(context)
        principal: Principal | None = None
        claiming: Claiming | None = None
        room = ExitStack()
        try:
            room.enter_context(self._room())
            identity = await caller_of(context, self.authenticator, self.rate)
            principal = identity.principal
            claiming = self._outbox.claim(
                identity,
                accounts=request.accounts,
                idempotent=request.idempotent_accounts,
                in_flight_max=request.in_flight_max,
            )
            windows = {
                one.account: Window(min(one.duration_ms, WINDOW_MS_MAX), one.parts_max or None)
                for one in request.windows
            }
            await self._outbox.keep_windows(claiming, request.accounts, windows)
            async for row in claiming:
                heard, author = claiming.told(row)
                with read_in_time(partial(self.audit.refused, Asked("grpc", "Claim", source, principal))):
                    yield _delivery(row, heard, author)
        except Exception as raised:  # noqa: BLE001 (the task boundary of a stream: nobody else is disturbed)
            error = self._failed(Asked("grpc", "Claim", source, principal), raised)
        finally:
            room.close()
            if claiming is not None:
                await claiming.close()
        await abort(context, error)

    async def Fetch(  # noqa: N802 (named by the proto)
        self, request: pb.FetchRequest, context: Context
    ) -> AsyncIterator[pb.FetchResponse]:
        """Give the content of a part that is to be sent, piece by piece."""
        source = source_of(context)
        principal: Principal | None = None
        try:
            with self._room():
                principal = (await caller_of(context, self.authenticator, self.rate, "requests")).principal
                content = await self._contents.of_delivery(principal, request.delivery)
                told = content.media
                yield pb.FetchResponse(content=pb.MediaContent(digest=told.digest, size=told.size, type=told.type))
                async for piece in content.pieces():
                    with read_in_time(partial(self.audit.refused, Asked("grpc", "Fetch", source, principal))):
                        yield pb.FetchResponse(piece=piece)
                return
        except Exception as raised:  # noqa: BLE001 (as above)
            error = self._failed(Asked("grpc", "Fetch", source, principal), raised)
        await abort(context, error)

    @unary
    async def Report(self, request: pb.DeliveryReport, call: Call) -> pb.DeliveryAck:  # noqa: N802 (named by the proto)
        """Write down what became of a part."""
        row = await self._outbox.report(call.principal, _report(request))
        return pb.DeliveryAck(leased_until=row.due_ms if row.state == "sending" else 0)

    def _failed(self, asked: Asked, raised: Exception) -> TicketSyncError:
        """Return why a stream ends, once it is written down."""
        error = as_ours(raised)
        if isinstance(error, CallerError) or error.code == "full":
            self.audit.refused(asked, error.code)
        elif error is not raised:
            log_failure("stream failed", raised, method=asked.subject)
        return error


def _report(request: pb.DeliveryReport) -> Report:
    outcome = _OUTCOMES.get(request.outcome)
    if outcome is None:
        raise Malformed("The report has no outcome that is known.", code="outcome")
    if not CODE.fullmatch(request.code):
        raise Malformed("A code is at most 64 lowercase letters, digits, underscores and dots.", code="code")
    if len(request.platform_id) > PLATFORM_ID_MAX or "\0" in request.platform_id:
        raise Malformed(f"A platform's id has at most {PLATFORM_ID_MAX} characters.", code="platform_id")
    delay_ms = min(request.delay_ms, DELAY_MS_MAX)
    return Report(request.id, request.lease, outcome, request.platform_id, request.code, delay_ms)


def _delivery(row: StoredDelivery, heard: Heard, author_name: str) -> pb.Delivery:
    return pb.Delivery(
        id=row.id,
        ticket=row.ticket,
        message=row.message,
        index=row.index,
        channel=row.channel,
        account=row.account,
        conversation=row.conversation,
        part=_part(json.loads(row.content)),
        attempt=row.attempts,
        lease=lease_of(row),
        leased_until=row.due_ms,
        heard_at=heard.at_ms,
        sent_since=heard.sent_since,
        traceparent=row.traceparent or "",
        author_name=author_name,
    )


def _part(part: Mapping[str, str]) -> pb.Part:
    match part["type"]:
        case "text":
            return pb.Part(text=part["text"])
        case "location":
            latitude, longitude = float(part["latitude"]), float(part["longitude"])
            return pb.Part(location=pb.Location(latitude=latitude, longitude=longitude, label=part["label"]))
        case "event":
            return pb.Part(event=part["event"])
        case kind:
            return pb.Part(media=pb.Media(type=kind, platform_id=part["ref"], name=part["name"]))
