"""`/widget/{site}/pictures`: a visitor brings a picture, and is shown those of his own conversation, and its files.

Both take the visitor's token as `Authorization`, never in an address, and a page that may carry the widget.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crdt_sync.errors import Malformed, NotFound, TicketSyncError, TooMany, Unavailable
from gateway.arrivals import Kept
from gateway.channels.base import Unverified
from gateway.http import problem
from gateway.widget.pictures import BYTES_MAX, Picture, type_of
from gateway.widget.socket import Site
from gateway.widget.uploads import Uploads
from gateway.widget.visitors import source_of

_KEPT_S = 86_400  # in the visitor's own browser
_PREFLIGHT_S = 7_200
_SEQ = re.compile(r"[0-9]{1,9}")
_PICTURE = {  # whatever the bytes are: not a page, not a script, nobody else's
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": f"private, max-age={_KEPT_S}",
}


class PictureRoutes:
    """The pictures of every site."""

    def __init__(self, sites: Mapping[str, Site], uploads: Uploads) -> None:
        self._sites = sites
        self._uploads = uploads

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/widget/{site}/pictures", self._post, methods=["POST"]),
            Route("/widget/{site}/pictures/{seq}", self._get, methods=["GET"]),
            Route("/widget/{site}/pictures", self._preflight, methods=["OPTIONS"]),
            Route("/widget/{site}/pictures/{seq}", self._preflight, methods=["OPTIONS"]),
        ]

    async def _post(self, request: Request) -> Response:
        return await self._answer(request, self._take)

    async def _get(self, request: Request) -> Response:
        return await self._answer(request, self._show)

    async def _preflight(self, request: Request) -> Response:
        async def allow(_site: Site, _request: Request) -> Response:
            allowed = {"Methods": "GET, POST", "Headers": "authorization, content-type", "Max-Age": str(_PREFLIGHT_S)}
            headers = {f"Access-Control-Allow-{name}": value for name, value in allowed.items() if name != "Max-Age"}
            return Response(status_code=204, headers=headers | {"Access-Control-Max-Age": allowed["Max-Age"]})

        return await self._answer(request, allow)

    async def _answer(self, request: Request, answer: Callable[[Site, Request], Awaitable[Response]]) -> Response:
        """Boundary of a request: a page of another host that may not ask is not even shown why."""
        site = self._sites.get(request.path_params["site"])
        if site is None:
            return problem(NotFound("There is no such site here."))
        origin = request.headers.get("origin")
        try:
            if origin is not None or request.method != "GET":  # a browser names no origin where a page asks its own
                site.channel.check_origin(request.headers)
        except Unverified as error:
            return self._refused(site, error)
        try:
            answered = await answer(site, request)
        except ClientDisconnect:
            answered = Response(status_code=400)  # nobody reads it
        except TicketSyncError as error:
            answered = self._refused(site, error)
        if origin is not None:
            answered.headers["Access-Control-Allow-Origin"] = origin
        answered.headers["Vary"] = "Origin, Authorization"
        return answered

    def _refused(self, site: Site, error: TicketSyncError) -> Response:
        site.around.counts.add(f"widget.refused.{error.reason if isinstance(error, Unverified) else error.code}")
        return problem(error)

    async def _take(self, site: Site, request: Request) -> Response:
        """Keep a picture, and answer once it is committed."""
        around, visitor = site.around, _visitor(site, request)
        address = request.client.host if request.client is not None else ""
        if not around.visitors.admits_picture(visitor, source_of(address)):
            raise TooMany("Too many pictures came.", code="too_many_pictures")
        if await around.pictures.full():
            raise Unavailable("No more pictures can be kept now.", code="pictures_full")
        async with self._uploads.body(request, BYTES_MAX) as data:
            type_ = type_of(data)
            if type_ is None:
                raise Malformed("This is no PNG, JPEG, GIF or WebP.", code="media_type")
            digest = await around.pictures.keep(Picture(type_, data))
            now_ms, cid = around.clock.now_ms(), request.query_params.get("cid", "")
            callback = site.channel.picture(visitor, cid, digest, data, now_ms=now_ms)
            kept = await around.keeper.keep(site.channel.account, callback)
        around.visitors.wake((site.channel.account, visitor))
        seq = await around.log.seq_of(site.channel.account, callback.keys[0])
        return JSONResponse({"seq": seq, "dup": kept is Kept.DUPLICATE})

    async def _show(self, site: Site, request: Request) -> Response:
        """A picture or a file of the visitor's own conversation, by its place there."""
        visitor, seq = _visitor(site, request), request.path_params["seq"]
        known = _SEQ.fullmatch(seq) is not None
        entry = await site.around.log.entry(site.channel.account, visitor, int(seq)) if known else None
        fields = entry.fields if entry is not None else {}
        digest = fields.get("picture") or fields.get("file")
        picture = await site.around.pictures.find(digest) if digest is not None else None
        if picture is None:
            raise NotFound("There is no such picture for this visitor.")
        headers = dict(_PICTURE)
        if "file" in fields:
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(fields['text'], safe='')}"
        return Response(picture.data, headers=headers, media_type=picture.type)


def _visitor(site: Site, request: Request) -> str:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    return site.channel.visitor(token, now_ms=site.around.clock.now_ms()).id
