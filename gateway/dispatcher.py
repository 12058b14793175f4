"""Brings answers from the service to the platforms: claims parts, sends each, and reports what became of it.

Owns rates, windows and the delays of retries; the order of a conversation and what is still to be sent are the
service's. Nothing is kept here: what was claimed and not begun when this process ends goes back, and what was begun is
unknown.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import grpc
import structlog

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1 import gateway_pb2 as pb
from crdt_sync.rpc.ticketsync.v1.gateway_pb2_grpc import EgressServiceStub
from gateway.counts import Counts
from gateway.forwarder import Pace
from gateway.media import MediaPort
from gateway.outbound import Dead, Outcome, RetryLater, Sender, Sent, Unknown, WindowClosed
from gateway.ports import Chance, Clock
from gateway.rates import Throttle
from gateway.uploads import Uploads
from gateway.waiting import ended, grown_ms

IN_FLIGHT_MAX = 200  # conversations that are answered at once
_RETRY_MS_MIN, _RETRY_MS_MAX = 1_000, 300_000
ATTEMPTS_MAX = 300  # a day of them
_PATIENCE_MS = 5_000  # waiting for a rate under a lease of half a minute; what takes longer goes back meanwhile
_DRAIN_S = 5.0  # for what is being sent when the gateway stops; its process has ten seconds in all

_FINAL = frozenset({grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT})

_log = structlog.get_logger(__name__)


class Dispatcher:
    """The one claimer of a gateway. At most one part of a conversation is on its way."""

    def __init__(
        self,
        senders: Mapping[str, Sender],
        *,
        token: Callable[[], str],
        pace: Pace,
        clock: Clock,
        chance: Chance,
        counts: Counts,
        media: Mapping[str, MediaPort] | None = None,
        refusal: Callable[[pb.Delivery], Awaitable[str | None]] | None = None,
    ) -> None:
        """`media` are the ports of the accounts whose platform takes contents; both mappings may change meanwhile.

        `refusal` says of a part, within milliseconds, with which code it is not to be sent, if it is not.
        """
        self._refusal = refusal
        self._uploads = Uploads(media if media is not None else {}, token=token, counts=counts)
        self._senders = senders
        self._throttles: dict[str, tuple[Sender, Throttle]] = {}
        self._other = asyncio.Event()
        self._token = token
        self._pace = pace
        self._clock = clock
        self._chance = chance
        self._counts = counts
        self._lanes: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self, stub: EgressServiceStub) -> None:
        """Begin to claim; while none of the accounts can send nothing is claimed."""
        self._task = asyncio.create_task(self._run(stub), name="dispatcher")

    def renew(self) -> None:
        """Claim anew, because other accounts can send. What was claimed and not begun goes back; the rest goes on."""
        self._other.set()

    async def stop(self) -> None:
        """Claim no more, let what is being sent end and be reported, and cut off what takes too long."""
        await ended(self._task)
        lanes = list(self._lanes.values())
        if lanes:
            _, late = await asyncio.wait(lanes, timeout=_DRAIN_S)
            for lane in late:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def _run(self, stub: EgressServiceStub) -> None:
        while True:
            self._other.clear()
            claiming = asyncio.create_task(self._claim_all(stub), name="claim") if self._senders else None
            try:
                await self._other.wait()
            finally:
                await ended(claiming)

    async def _claim_all(self, stub: EgressServiceStub) -> None:
        failures = 0
        while True:
            try:
                async for delivery in self._claim(stub):
                    failures = 0
                    self._enter(stub, delivery)
                reason = "ended"
            except (grpc.aio.AioRpcError, Malformed) as error:
                reason = _reason(error)
            self._counts.add(f"claim.failed.{reason.lower()}")
            _log.warning("nothing to be sent can be claimed", reason=reason)
            await self._clock.sleep(self._pause_ms(failures) / 1000)
            failures += 1

    def _claim(self, stub: EgressServiceStub) -> grpc.aio.UnaryStreamCall[pb.ClaimRequest, pb.Delivery]:
        request = pb.ClaimRequest(
            accounts=self._senders,
            idempotent_accounts=[name for name, sender in self._senders.items() if sender.has_idempotency],
            in_flight_max=IN_FLIGHT_MAX,
            windows=[
                pb.SendingWindow(account=name, duration_ms=window.duration_ms, parts_max=window.parts_max or 0)
                for name, sender in self._senders.items()
                if (window := sender.limits.window) is not None
            ],
        )
        call: grpc.aio.UnaryStreamCall[pb.ClaimRequest, pb.Delivery] = stub.Claim(
            request, metadata=self._metadata(), wait_for_ready=True
        )
        return call

    def _enter(self, stub: EgressServiceStub, delivery: pb.Delivery) -> None:
        """Have a part sent once what came before it in its conversation has ended, should its lease have lapsed."""
        lane = (delivery.account, delivery.conversation)
        task = asyncio.create_task(self._deliver(stub, delivery, self._lanes.get(lane)), name="lane")
        self._lanes[lane] = task

        def leave(ended: asyncio.Task[None]) -> None:
            if self._lanes.get(lane) is ended:
                del self._lanes[lane]

        task.add_done_callback(leave)

    async def _deliver(self, stub: EgressServiceStub, delivery: pb.Delivery, before: asyncio.Task[None] | None) -> None:
        """Boundary of a part: whatever goes wrong with it, the others are sent."""
        if before is not None:
            await asyncio.wait([before])
        try:
            outcome = await self._attempt(stub, delivery)
        except Exception as error:  # noqa: BLE001 - see above
            _log.error("sender failed", account=delivery.account, delivery=delivery.id, error=type(error).__name__)
            outcome = Unknown("sender_failed")
        if outcome is not None:
            await self._report(stub, self._reported(delivery, outcome))

    async def _attempt(self, stub: EgressServiceStub, delivery: pb.Delivery) -> Outcome | None:
        """Send a part when its platform allows it; None if it is another's to send by now."""
        sender = self._senders.get(delivery.account)
        if sender is None:
            return None  # its account went meanwhile; the lease lapses
        throttle = self._throttle(delivery.account, sender)
        closed = self._closed(sender, delivery)
        if closed is not None:
            return closed
        while wait_ms := throttle.wait_ms(delivery.conversation, self._clock.now_ms()):
            if wait_ms > _PATIENCE_MS:
                return RetryLater("rate", wait_ms)
            await self._clock.sleep(wait_ms / 1000)
        code = await self._refusal(delivery) if self._refusal is not None else None
        if code is not None:
            return Dead(code)
        ready = await self._uploads.ready(stub, delivery)
        if not isinstance(ready, pb.Delivery):
            return ready
        throttle.take(delivery.conversation, self._clock.now_ms())
        begun = pb.DeliveryReport(id=delivery.id, lease=delivery.lease, outcome=pb.DELIVERY_OUTCOME_BEGUN)
        if not await self._report(stub, begun):
            return None
        outcome = await sender.send(ready)
        if isinstance(outcome, RetryLater) and outcome.delay_ms is not None:
            throttle.pause(self._clock.now_ms() + outcome.delay_ms)
        return outcome

    def _throttle(self, account: str, sender: Sender) -> Throttle:
        """The pace of an account, begun anew with another sender."""
        known = self._throttles.get(account)
        if known is None or known[0] is not sender:
            known = self._throttles[account] = (sender, Throttle(sender.limits))
        return known[1]

    def _closed(self, sender: Sender, delivery: pb.Delivery) -> WindowClosed | None:
        """Say what the platform would say, where that is known: asking it anyway may count against the account."""
        window = sender.limits.window
        if window is None or not delivery.heard_at:
            return None
        if self._clock.now_ms() - delivery.heard_at > window.duration_ms:
            return WindowClosed("window")
        if window.parts_max is not None and delivery.sent_since >= window.parts_max:
            return WindowClosed("quota")
        return None

    def _reported(self, delivery: pb.Delivery, outcome: Outcome) -> pb.DeliveryReport:
        sender = self._senders.get(delivery.account)
        if isinstance(outcome, Unknown) and sender is not None and sender.has_idempotency:
            outcome = RetryLater(outcome.code)
        if isinstance(outcome, RetryLater) and delivery.attempt >= ATTEMPTS_MAX:
            outcome = Dead("attempts")
        report = pb.DeliveryReport(id=delivery.id, lease=delivery.lease)
        match outcome:
            case Sent(platform_id):
                report.outcome, report.platform_id = pb.DELIVERY_OUTCOME_SENT, platform_id
            case RetryLater(code, delay_ms):
                report.outcome, report.code = pb.DELIVERY_OUTCOME_RETRY, code
                grown = grown_ms(delivery.attempt - 1, _RETRY_MS_MIN, _RETRY_MS_MAX, self._chance)
                report.delay_ms = grown if delay_ms is None else delay_ms
            case Unknown(code):
                report.outcome, report.code = pb.DELIVERY_OUTCOME_UNKNOWN, code
            case WindowClosed(code):
                report.outcome, report.code = pb.DELIVERY_OUTCOME_WINDOW_CLOSED, code
            case Dead(code):
                report.outcome, report.code = pb.DELIVERY_OUTCOME_DEAD, code
        self._counts.add(f"send.{pb.DeliveryOutcome.Name(report.outcome).removeprefix('DELIVERY_OUTCOME_').lower()}")
        return report

    async def _report(self, stub: EgressServiceStub, report: pb.DeliveryReport) -> bool:
        """Tell the service, for as long as it takes; False if it does not take the report for this lease any more."""
        failures = 0
        while True:
            try:
                timeout_s = self._pace.call_timeout_ms / 1000
                await stub.Report(report, timeout=timeout_s, metadata=self._metadata(), wait_for_ready=True)
            except (grpc.aio.AioRpcError, Malformed) as error:
                if isinstance(error, grpc.aio.AioRpcError) and error.code() in _FINAL:
                    self._counts.add("report.refused")
                    _log.warning("report refused", delivery=report.id, reason=error.code().name)
                    return False
                self._counts.add(f"report.failed.{_reason(error).lower()}")
                await self._clock.sleep(self._pause_ms(failures) / 1000)
                failures += 1
            else:
                return True

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self._token()}"),)

    def _pause_ms(self, failures: int) -> int:
        return grown_ms(failures, self._pace.retry_delay_ms_min, self._pace.retry_delay_ms_max, self._chance)


def _reason(error: grpc.aio.AioRpcError | Malformed) -> str:
    return error.code().name if isinstance(error, grpc.aio.AioRpcError) else error.code
