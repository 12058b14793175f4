"""What became of an attempt to send, from what a call came to. Owns no platform's codes."""

from collections.abc import Collection, Mapping

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery
from gateway.media import UPLOADED, MediaFailed
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


def media_failed(error: CallFailed, codes: Mapping[str, str]) -> MediaFailed:
    """Why a content was not had, or not uploaded; `codes` name the refusals that agents should understand.

    Either may always be tried again where it is not known what became of it.
    """
    if isinstance(error, Refused) and error.retry_ms is None:
        code = codes.get(error.code, error.code)
        return MediaFailed(code if code.startswith("media_") else "media_unavailable")
    return MediaFailed(error.code, again=True, delay_ms=error.retry_ms or None if isinstance(error, Refused) else None)


def said_by_id(delivery: Delivery, kinds: Collection[str]) -> Mapping[str, object] | None:
    """How Tencent's interfaces say a content that was uploaded; None where the part is none of these kinds."""
    media = delivery.part.media
    if delivery.part.WhichOneof("part") != "media" or media.type not in kinds or media.platform_id.startswith(UPLOADED):
        return None
    return {"msgtype": media.type, media.type: {"media_id": media.platform_id}}


def text_of(delivery: Delivery, *, bytes_max: int) -> str | Dead:
    """The text to send, or why there is none."""
    if delivery.part.WhichOneof("part") != "text":
        return Dead("unsupported_part")
    return delivery.part.text if len(delivery.part.text.encode()) <= bytes_max else Dead("text_size")
