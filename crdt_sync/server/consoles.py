"""`/`, `/console/...` and `/board`: the pages of the consoles as they were built. Asks nobody who he is.

A page holds no ticket and no token: it fetches what its person may see over the same interface as every client. What is
here is alike for all, so a department that nobody knows gets the page too, which then says so.
"""

import gzip
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from crdt_sync.errors import NotFound
from crdt_sync.server.problems import unknown_address

_MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "json": "application/json", "svg": "image/svg+xml"}
_HASHED = re.compile(r".+-[\w-]{8}\.\w+")  # as Vite names what never changes
_WORKER = "worker.js"
_FOREVER, _ASK = "public, max-age=31536000, immutable", "no-cache"
_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' blob:",  # attachments are fetched with a token and shown from memory
        "media-src blob:",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # no text becomes markup or script, whatever our own code does
        "trusted-types crdt-sync",
    )
)

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent, to those who unpack and to those who do not."""

    plain: bytes
    packed: bytes


@router.get("/")
@router.get("/console/{department}")
@router.get("/console/{department}/{ticket}")
@router.get("/board")
async def page(request: Request) -> Response:
    """The one page, which reads from its address what to show."""
    headers = {"Content-Security-Policy": _CONTENT_SECURITY_POLICY, "Cache-Control": _ASK}
    return _answer(request, _built()["index.html"], headers, "text/html")


@router.get("/assets/{name}")
async def asset(request: Request, name: str) -> Response:
    """A file that the page loads."""
    file = _built().get(f"assets/{name}")
    if file is None:  # an old page asks for a file of its own build; it is told to load anew
        raise unknown_address()
    headers = {"Cache-Control": _FOREVER if _HASHED.fullmatch(name) else _ASK}
    if name == _WORKER:
        headers["Service-Worker-Allowed"] = "/"
    return _answer(request, file, headers, _MEDIA_TYPES[name.rpartition(".")[2]])


def _answer(request: Request, file: File, headers: dict[str, str], media_type: str) -> Response:
    headers["Vary"] = "Accept-Encoding"
    packs = "gzip" in request.headers.get("accept-encoding", "")
    if packs:
        headers["Content-Encoding"] = "gzip"
    return Response(file.packed if packs else file.plain, headers=headers, media_type=media_type)


@cache
def _built() -> dict[str, File]:
    return built(resources.files("crdt_sync.server").joinpath("static"))


def built(root: Traversable) -> dict[str, File]:
    """Return every file of a build by its path, some 300 kB.

    Raises:
        NotFound: nobody has built the pages.

    """
    if not root.joinpath("index.html").is_file():
        raise NotFound(
            "The pages of the consoles were not built.",
            code="no_pages",
            advice="Run `make setup` in the repository, or install the wheel, which has them.",
        )
    found = [("index.html", root.joinpath("index.html"))]
    found += [(f"assets/{each.name}", each) for each in root.joinpath("assets").iterdir()]
    return {name: File(data := each.read_bytes(), gzip.compress(data, mtime=0)) for name, each in found}
