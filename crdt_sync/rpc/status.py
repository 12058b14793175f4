"""Errors on gRPC, both ways: the status, and the `google.rpc.ErrorInfo` that carries our stable code.

Which status an error has is the table of `crdt_sync.wire.status`, for every wire.
"""

from collections.abc import Iterable
from typing import NoReturn, cast

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from crdt_sync.errors import TicketSyncError
from crdt_sync.wire.status import status_of

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
    detail = any_pb2.Any()
    detail.Pack(info)
    rich = status_pb2.Status(code=status.value[0], message=error.message, details=[detail])
    await context.abort(status, error.message, ((DETAILS_KEY, rich.SerializeToString()),))
    raise AssertionError("abort raises")


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
