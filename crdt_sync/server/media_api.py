"""Pictures, recordings and files over HTTP: uploaded as they are, and served as what their own bytes say they are.

Whatever a customer sends is hostile until a person has looked at it: it is served as a download, with a type that no
browser may doubt, and with nothing that it could run.
"""

import asyncio
import re
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, StreamingResponse

from crdt_sync.domain.ids import DIGEST_PATTERN, Digest
from crdt_sync.domain.media import EXTENSIONS
from crdt_sync.errors import CallerError, TooLarge
from crdt_sync.server.requests import Caller, ContentsPort, TicketPath
from crdt_sync.service.live_ticket import no_media
from crdt_sync.service.media import Content
from crdt_sync.wire import limits

_RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{1,15})?")

router = APIRouter(prefix="/api", tags=["media"])


@router.post("/tickets/{ticket}/media", status_code=201)
async def upload_media(ticket: TicketPath, caller: Caller, contents: ContentsPort, request: Request) -> Response:
    """Take the body as a content that a message of this ticket may name; its own bytes say of what type it is."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limits.MEDIA_BYTES_MAX:
        raise TooLarge(f"A content has at most {limits.MEDIA_BYTES_MAX} bytes.", code="media_size")
    try:
        async with asyncio.timeout(limits.MEDIA_UPLOAD_S):
            media = await contents.upload(caller, ticket, request.stream())
    except TimeoutError:
        raise CallerError("The content did not arrive in time.", code="slow_body") from None
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    return JSONResponse({"digest": media.digest, "size": media.size, "type": media.type}, 201)


@router.get(
    "/tickets/{ticket}/media/{digest}",
    response_class=Response,
    responses={206: {"description": "one range of it"}, 304: {"description": "known by If-None-Match"}},
)
async def get_media(
    ticket: TicketPath, digest: str, caller: Caller, contents: ContentsPort, request: Request
) -> Response:
    """Return a content that the ticket's conversation refers to, or the range of it that is asked for."""
    if not DIGEST_PATTERN.fullmatch(digest):
        raise no_media()
    content = await contents.of_ticket(caller, ticket, Digest(digest))
    media, headers = content.media, _headers(content)
    if digest in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    start, end = _range(request, media.size)
    headers["Content-Length"] = str(end - start)
    status = 200 if end - start == media.size else 206
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{media.size}"
    return StreamingResponse(_between(content, start, end), status, headers, media.type)


def _headers(content: Content) -> dict[str, str]:
    media = content.media
    return {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{media.digest[:16]}.{EXTENSIONS[media.type]}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "ETag": f'"{media.digest}"',
        "X-Content-Type-Options": "nosniff",
    }


def _range(request: Request, size: int) -> tuple[int, int]:
    """Return where to begin and to end; any range but one with a beginning is as if absent (RFC 9110, 14.2)."""
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    start = int(found[1]) if found else 0
    end = min(int(found[2]) + 1, size) if found and found[2] else size
    return (start, end) if start < end else (0, size)


async def _between(content: Content, start: int, end: int) -> AsyncIterator[bytes]:
    rest = end - start
    async for piece in content.pieces(start):
        yield piece[:rest]
        rest -= len(piece)
        if rest <= 0:
            return
