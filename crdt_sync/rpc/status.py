"""Errors on gRPC, both ways: the status, our stable code in `google.rpc.ErrorInfo`, and when to try again.

Which status an error has is the table of `crdt_sync.wire.status`, for every wire.
"""

from collections.abc import Iterable
from typing import NoReturn, cast

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from crdt_sync.errors import TicketSyncError
from crdt_sync.wire.status import status_of

RETRY_S = 1  # for what may pass by itself: a restart takes about as long
DOMAIN = "crdt-sync"  # of ErrorInfo: whose codes these are
DETAILS_KEY = "grpc-status-details-bin"  # where gRPC's richer error model keeps google.rpc.Status


def grpc_status_of(error: TicketSyncError) -> grpc.StatusCode:
    """Return the gRPC status of an error."""
    return grpc.StatusCode[status_of(error).grpc]


async def abort(context: "grpc.aio.ServicerContext[object, object]", error: TicketSyncError) -> NoReturn:
    """End a call with an error of ours; never returns."""
    status = grpc_status_of(error)
    info = error_details_pb2.ErrorInfo(
        reason=error.code, domain=DOMAIN, metadata={"advice": error.advice} if error.advice else {}
    )
    details = [_packed(info)]
    if error.retryable:
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=RETRY_S))))
    rich = status_pb2.Status(code=status.value[0], message=error.message, details=details)
    await context.abort(status, error.message, ((DETAILS_KEY, rich.SerializeToString()),))
    raise AssertionError("abort raises")


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def code_of(error: grpc.aio.AioRpcError) -> str:
    """Return the stable code that a failed call carries; empty if its error is not of this service."""
    trailing = cast(Iterable[tuple[str, str | bytes]], error.trailing_metadata() or ())
    for key, value in trailing:
        if key == DETAILS_KEY and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info) and info.domain == DOMAIN:
                    return cast(str, info.reason)
    return ""
