"""The one table from errors to what each wire calls them: HTTP status, gRPC status, WebSocket close code.

Close codes 4400 to 4499 are permanent for unmodified y-websocket clients, all others make them come again
(y-websocket 3.1, `shouldReconnect`); 4408 is left alone because Hocuspocus means a timeout by it.
"""

from dataclasses import dataclass
from typing import Literal

from crdt_sync import errors

Wire = Literal["sync", "collab", "events", "grpc", "http", "submit", "webhook"]
"""Where something was asked. `submit` are the entries of submit documents, whatever wire brought them; over `webhook`
nobody asks: it is how other systems are told."""

GrpcStatus = Literal[
    "INVALID_ARGUMENT",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "NOT_FOUND",
    "FAILED_PRECONDITION",
    "ABORTED",
    "RESOURCE_EXHAUSTED",
    "UNAVAILABLE",
    "INTERNAL",
    "UNIMPLEMENTED",
]


@dataclass(frozen=True, slots=True)
class Status:
    """What the wires say for one kind of error."""

    http: int
    grpc: GrpcStatus
    close: int


TABLE: dict[type[errors.TicketSyncError], Status] = {
    errors.TicketSyncError: Status(500, "INTERNAL", 1011),
    errors.CallerError: Status(400, "INVALID_ARGUMENT", 4422),
    errors.Malformed: Status(400, "INVALID_ARGUMENT", 4422),
    errors.TooLarge: Status(413, "RESOURCE_EXHAUSTED", 4413),
    errors.Unauthenticated: Status(401, "UNAUTHENTICATED", 4401),
    errors.Forbidden: Status(403, "PERMISSION_DENIED", 4403),
    errors.NotFound: Status(404, "NOT_FOUND", 4404),
    errors.NotThereYet: Status(404, "NOT_FOUND", 4504),
    errors.Conflict: Status(409, "FAILED_PRECONDITION", 4422),
    errors.PreconditionMissing: Status(428, "FAILED_PRECONDITION", 4422),
    errors.PreconditionUnknown: Status(412, "FAILED_PRECONDITION", 4422),
    errors.Refused: Status(422, "INVALID_ARGUMENT", 4422),
    errors.Reset: Status(409, "FAILED_PRECONDITION", 4410),
    errors.TooMany: Status(429, "RESOURCE_EXHAUSTED", 1013),
    errors.Unavailable: Status(503, "UNAVAILABLE", 1013),
    errors.ServiceError: Status(500, "INTERNAL", 1011),
}

BY_CODE: dict[str, Status] = {  # where a wire tells apart what one type of error covers
    "stopping": Status(503, "UNAVAILABLE", 1012),  # RFC 6455's registry: "Service Restart"
    "session_expired": Status(401, "UNAUTHENTICATED", 4501),  # a token that was good at the handshake
    "key_withdrawn": Status(401, "UNAUTHENTICATED", 4501),  # of an open session: with 4401 clients would stay away
    "media_awaited": Status(404, "FAILED_PRECONDITION", 4504),  # a gateway knows it so from what will never be there
    "unknown_method": Status(404, "UNIMPLEMENTED", 4404),  # gRPC's own word for a call that a server does not have
    "protocol": Status(400, "INVALID_ARGUMENT", 1002),  # RFC 6455's own two, for who breaks it
    "not_utf8": Status(400, "INVALID_ARGUMENT", 1007),
    "token_late": Status(401, "UNAUTHENTICATED", 4501),  # a slow line is no wrong token: providers 2 end with 4401
}


def status_of(error: errors.TicketSyncError) -> Status:
    """Return the row of the error's code if it has its own, else that of the nearest type."""
    own = BY_CODE.get(error.code)
    return own or next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)
