"""Contents of answers on their way out: fetched from the service and uploaded to the platform, before they are sent.

All of it comes before the part counts as begun: whatever fails here, nothing was sent.
"""

import asyncio
from collections.abc import Callable, Mapping

import grpc
import structlog

from crdt_sync.rpc.ticketsync.v1 import gateway_pb2 as pb
from crdt_sync.rpc.ticketsync.v1.gateway_pb2_grpc import EgressServiceStub
from gateway.counts import Counts
from gateway.media import UPLOADED, Content, MediaFailed, MediaPort, refused
from gateway.outbound import Dead, RetryLater

IN_FLIGHT_MAX = 2  # contents in memory at once, 40 MiB at worst
_READY_S = 20.0  # for all of it; with the wait for a rate before it, under a lease of half a minute
_NAMED_MAX = 1_000  # names that parts still to be sent have on their platform, which keeps them for three days
_AWAITED_MS = 60_000  # an upload has the part given out at once; this is for one that crossed the part's admission
_GONE = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT})

_log = structlog.get_logger(__name__)


class Uploads:
    """The contents of answers, for the accounts whose platform takes some."""

    def __init__(self, ports: Mapping[str, MediaPort], *, token: Callable[[], str], counts: Counts) -> None:
        self._ports = ports
        self._token = token
        self._counts = counts
        self._under_way = 0
        self._named: dict[str, tuple[str, str]] = {}

    async def ready(self, stub: EgressServiceStub, delivery: pb.Delivery) -> pb.Delivery | RetryLater | Dead:
        """Return the delivery as its sender takes it: a content has the platform's own name there.

        What has no content, or goes to a platform without a port for contents, stays as it is.
        """
        port, media = self._ports.get(delivery.account), delivery.part.media
        if delivery.part.WhichOneof("part") != "media" or port is None:
            return delivery
        if not media.platform_id.startswith(UPLOADED):
            return Dead("no_media")
        try:
            named = self._named.get(delivery.id) or await self._name(stub, delivery, port)
        except MediaFailed as error:
            return RetryLater(error.code, error.delay_ms) if error.again else Dead(error.code)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                return RetryLater("media_awaited", _AWAITED_MS)
            return Dead("no_media") if error.code() in _GONE else RetryLater("content")
        except TimeoutError:
            return RetryLater("content")
        except Exception as error:  # noqa: BLE001 - a boundary: whatever it is, nothing was sent
            _log.error("upload failed", account=delivery.account, delivery=delivery.id, error=type(error).__name__)
            return RetryLater("upload_failed")
        ready = pb.Delivery()
        ready.CopyFrom(delivery)
        ready.part.media.platform_id, ready.part.media.name = named
        return ready

    async def _name(self, stub: EgressServiceStub, delivery: pb.Delivery, port: MediaPort) -> tuple[str, str]:
        """Have the content named by the platform, once for all attempts at the part: some count what one uploads."""
        if self._under_way >= IN_FLIGHT_MAX:
            raise MediaFailed("uploads_busy", again=True)  # a part that waited here would outlive its lease
        self._under_way += 1
        try:
            async with asyncio.timeout(_READY_S):
                named = await self._upload(stub, delivery, port)
        finally:
            self._under_way -= 1
        self._named[delivery.id] = named
        if len(self._named) > _NAMED_MAX:
            del self._named[next(iter(self._named))]
        return named

    async def _upload(self, stub: EgressServiceStub, delivery: pb.Delivery, port: MediaPort) -> tuple[str, str]:
        metadata = (("authorization", f"Bearer {self._token()}"),)
        kind, data = delivery.part.media.type, bytearray()
        call = stub.Fetch(pb.FetchRequest(delivery=delivery.id), timeout=_READY_S, metadata=metadata)
        told = pb.MediaContent()
        async for step in call:
            if step.WhichOneof("step") == "content":
                told = step.content
                if code := refused(port, kind, told.type, told.size):
                    call.cancel()
                    raise MediaFailed(code)
            data += step.piece
        if not told.size or len(data) != told.size:
            raise MediaFailed("content", again=True)
        content = Content(told.type, delivery.part.media.name, bytes(data))
        platform_id = await port.upload(kind, content)
        self._counts.add("media.uploaded")
        self._counts.add("media.uploaded_bytes", len(data))
        return platform_id, content.file_name
