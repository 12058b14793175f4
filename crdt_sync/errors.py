"""The one tree of errors: each says by its type whose fault it is, and by its `code` what happened.

    TicketSyncError
    +-- CallerError            what was asked cannot be done; asking again the same way will not help
    |   +-- Malformed          bytes or fields that do not decode
    |   +-- TooLarge           over a limit of `crdt_sync.wire.limits`
    |   +-- Unauthenticated    no token, or one that is wrong or expired
    |   +-- Forbidden          the department or the role may not
    |   +-- NotFound           a name that can never be, or nothing there for this caller
    |   +-- NotThereYet        a well-formed name without a journaled opening (retryable)
    |   +-- Conflict           judged, and refused in what the caller had seen
    |   +-- PreconditionMissing  a command without `seen`
    |   +-- PreconditionUnknown  a `seen` that names nothing known
    |   +-- Refused            a rule of the document's kind is broken
    |   +-- Reset              what is named belongs to an ended life of the document
    |   +-- TooMany            of something that has room for more later (retryable)
    +-- ServiceError           our fault or our store's; the same request may succeed later
        +-- Unavailable        the log cannot commit, or the service is stopping

Codes are stable: clients, tests and documents rely on them. The mapping of types to HTTP status, gRPC status and
WebSocket close codes is one table, `crdt_sync.rpc.status`.
"""

from typing import ClassVar, Self


class TicketSyncError(Exception):
    """Any error of ours. `code` is stable; `message` is one clear sentence; `advice` says what to do next."""

    default_code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, code: str | None = None, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.advice = advice

    def detached(self) -> Self:
        """Return this error without its traceback: who keeps it would keep every frame up to there, and their bytes."""
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return self


class CallerError(TicketSyncError):
    """What was asked cannot be done."""


class Malformed(CallerError):
    """Bytes or fields that do not decode."""

    default_code = "malformed"


class TooLarge(CallerError):
    """More than a limit allows."""

    default_code = "size"


class Unauthenticated(CallerError):
    """No token, or one that is wrong or expired."""

    default_code = "unauthenticated"


class Forbidden(CallerError):
    """The caller's department or roles do not allow it."""

    default_code = "forbidden"


class NotFound(CallerError):
    """Nothing there for this caller, or a name that can never be."""

    default_code = "not_found"


class NotThereYet(CallerError):
    """A well-formed name whose ticket has no journaled opening yet; it may come."""

    default_code = "not_there_yet"
    retryable = True


class Conflict(CallerError):
    """Judged in what the caller had seen, and refused."""

    default_code = "conflict"


class PreconditionMissing(CallerError):
    """A command that does not say what its author had seen."""

    default_code = "seen_missing"


class PreconditionUnknown(CallerError):
    """A `seen` that names nothing known."""

    default_code = "seen_unknown"


class Refused(CallerError):
    """A rule of the document's kind is broken; the bytes are kept in quarantine."""

    default_code = "refused"


class Reset(CallerError):
    """The document was made anew, and what is named belongs to a former life of it."""

    default_code = "reset"


class TooMany(CallerError):
    """More at once than there is room for; later there may be room."""

    default_code = "too_many_requests"
    retryable = True


class ServiceError(TicketSyncError):
    """Our fault, or our store's."""

    default_code = "internal"
    retryable = True


class Unavailable(ServiceError):
    """The log cannot commit, or the service is stopping; what was sent was not accepted."""

    default_code = "unavailable"
