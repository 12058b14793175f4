"""The widget's addresses: its script, a page that shows it, and the sockets of visitors."""

import hashlib
import json
from collections.abc import Mapping
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from crdt_sync.errors import NotFound
from gateway.http import problem
from gateway.widget.limits import VisitorLimits
from gateway.widget.picture_routes import PictureRoutes
from gateway.widget.socket import Site, VisitorSocket
from gateway.widget.uploads import Uploads

_NO_SUCH_SITE = 4404
_SCRIPT_MAX_AGE_S = 300  # a new one is on every page within minutes, and an unchanged one costs a 304
_PAGE_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' blob:; base-uri 'none'"


class Widget:
    """Every site of one gateway."""

    def __init__(self, sites: Mapping[str, Site], limits: VisitorLimits) -> None:
        self._sites = sites
        self._uploads = Uploads(limits.uploads_bytes_max)
        self._script = _script()
        self._etag = f'"{hashlib.sha256(self._script).hexdigest()[:32]}"'
        self._demo = next((name for name, site in sites.items() if site.settings.demo), None)

    def routes(self) -> list[BaseRoute]:
        """Return the routes; none of a gateway without a site."""
        if not self._sites:
            return []
        return [
            WebSocketRoute("/widget/{site}", self.socket),
            Route("/widget.js", self.script),
            Route("/widget/demo", self.demo),
            *PictureRoutes(self._sites, self._uploads).routes(),
        ]

    async def socket(self, websocket: WebSocket) -> None:
        """A visitor's socket. What is refused is accepted first: a browser never sees why a handshake failed."""
        site = self._sites.get(websocket.path_params["site"])
        if site is None:
            await websocket.accept()
            await websocket.close(_NO_SUCH_SITE, "not_found")
            return
        await VisitorSocket(site, websocket).serve()

    async def script(self, request: Request) -> Response:
        """The widget itself. It may be kept, and asked for anew by its digest."""
        headers = {"ETag": self._etag, "Cache-Control": f"public, max-age={_SCRIPT_MAX_AGE_S}"}
        if self._etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        headers |= {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "cross-origin"}
        return Response(self._script, headers=headers, media_type="text/javascript")

    async def demo(self, request: Request) -> Response:
        """A page that carries the widget under a strict policy."""
        if self._demo is None:
            return problem(NotFound("No site has a page for a demonstration here."))
        lang = "zh" if request.query_params.get("lang") == "zh" else "en"
        page = _static("demo.html").decode().replace("{{site}}", self._demo).replace("{{lang}}", lang)
        return Response(page, headers={"Content-Security-Policy": _PAGE_POLICY}, media_type="text/html")


def _script() -> bytes:
    """The script with its words and its style inside, as it is served: one file."""
    words = json.dumps(json.loads(_static("words.json")), ensure_ascii=False).encode()
    style = json.dumps(_static("widget.css").decode()).encode()
    return _static("widget.js").replace(b'"{{words.json}}"', words).replace(b'"{{widget.css}}"', style)


def _static(name: str) -> bytes:
    return resources.files("gateway.widget").joinpath(name).read_bytes()
