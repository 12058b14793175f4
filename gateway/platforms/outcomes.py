"""What became of an attempt to send, from what a call came to. Owns no platform's codes."""

from collections.abc import Mapping

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery
from gateway.outbound import Dead, Outcome, RetryLater, Unknown, WindowClosed
from gateway.platforms.http import CallFailed, NoAnswer, NotSent, Refused


def failed(error: CallFailed, closed: Mapping[str, str]) -> Outcome:
    """The outcome of a call that failed; `closed` names the refusals that last until the other side writes again."""
    match error:
        case NotSent():
            return RetryLater(error.code)
        case NoAnswer():
            return Unknown(error.code)
        case Refused() if error.code in closed:
            return WindowClosed(closed[error.code])
        case Refused() if error.retry_ms is not None:
            return RetryLater(error.code, error.retry_ms or None)
        case _:
            return Dead(error.code)


def text_of(delivery: Delivery, *, bytes_max: int) -> str | Dead:
    """The text to send, or why there is none."""
    if delivery.part.WhichOneof("part") != "text":
        return Dead("unsupported_part")
    return delivery.part.text if len(delivery.part.text.encode()) <= bytes_max else Dead("text_size")
