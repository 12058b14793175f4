"""What the simulated platforms have of contents: those that customers sent, and those that were uploaded to be sent."""

import asyncio
from collections import deque
from email import message_from_bytes
from email.policy import HTTP

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class MediaShelf:
    """Contents by their names. `answers` are whole responses, used up one a call; while `gate` is closed, none."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.uploads: list[tuple[str, str, str, bytes]] = []
        self.answers: deque[Response] = deque()
        self.gate = asyncio.Event()
        self.gate.set()

    async def give(self, name: str) -> Response:
        """A content, or Tencent's word for what is no name, or no name any more."""
        self.asked.append(name)
        await self.gate.wait()
        if self.answers:
            return self.answers.popleft()
        if name not in self.kept:
            return JSONResponse({"errcode": 40007, "errmsg": "invalid media_id"})
        return Response(self.kept[name], media_type="image/jpeg")  # whatever it is

    async def take(self, request: Request) -> Response:
        """The field `media` of a form; what it is called from then on."""
        if self.answers:
            return self.answers.popleft()
        head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
        (file,) = message_from_bytes(head + await request.body(), policy=HTTP).iter_parts()
        assert "media" == file["content-disposition"].params["name"]
        content = file.get_payload(decode=True)
        self.uploads.append((request.query_params["type"], file.get_filename(), file.get_content_type(), content))
        return JSONResponse({"errcode": 0, "errmsg": "ok", "media_id": f"uploaded-{len(self.uploads)}"})
