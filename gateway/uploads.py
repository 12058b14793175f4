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
_FETCH_S = 25.0  # under a lease of half a minute
_GONE = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT})

_log = structlog.get_logger(__name__)


class Uploads:
    """The contents of answers, for the accounts whose platform takes some."""

    def __init__(self, ports: Mapping[str, MediaPort], *, token: Callable[[], str], counts: Counts) -> None:
        self._ports = ports
        self._token = token
        self._counts = counts
        self._room = asyncio.Semaphore(IN_FLIGHT_MAX)

    async def ready(self, stub: EgressServiceStub, delivery: pb.Delivery) -> pb.Delivery | RetryLater | Dead:
        """Return the delivery as its sender takes it: a content has the platform's own name there.

        What has no content, or goes to a platform without a port for contents, stays as it is.
        """
        port, media = self._ports.get(delivery.account), delivery.part.media
        if delivery.part.WhichOneof("part") != "media" or port is None:
            return delivery
        if not media.platform_id.startswith(UPLOADED):
            return Dead("no_media")
        async with self._room:
            try:
                named = await self._upload(stub, delivery, port)
            except MediaFailed as error:
                return RetryLater(error.code, error.delay_ms) if error.again else Dead(error.code)
            except grpc.aio.AioRpcError as error:
                return Dead("no_media") if error.code() in _GONE else RetryLater("content")
        ready = pb.Delivery()
        ready.CopyFrom(delivery)
        ready.part.media.platform_id, ready.part.media.name = named
        return ready

    async def _upload(self, stub: EgressServiceStub, delivery: pb.Delivery, port: MediaPort) -> tuple[str, str]:
        metadata = (("authorization", f"Bearer {self._token()}"),)
        kind, data = delivery.part.media.type, bytearray()
        call = stub.Fetch(pb.FetchRequest(delivery=delivery.id), timeout=_FETCH_S, metadata=metadata)
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
