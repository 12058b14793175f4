"""The HTTP application: which routes there are and what every request passes. Builds no part of the service."""

from dataclasses import dataclass

from fastapi import FastAPI
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from crdt_sync.errors import NotFound
from crdt_sync.ports import Clock
from crdt_sync.server import (
    consoles,
    conversations_api,
    health,
    media_api,
    metrics,
    problems,
    provider_api,
    reference,
    session_api,
    tickets_api,
    webhooks_api,
)
from crdt_sync.server.auth import Authenticator
from crdt_sync.server.event_streams import EventStreams
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.server.health import Readiness
from crdt_sync.server.metrics import Metrics
from crdt_sync.server.middleware import AccessLog, BodyLimit, SafeHeaders
from crdt_sync.server.session_api import Sessions
from crdt_sync.service.audit import Audit
from crdt_sync.service.conversations import Conversations
from crdt_sync.service.events import Events
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.media import Contents
from crdt_sync.service.tickets import Tickets
from crdt_sync.service.webhooks import Webhooks

INTERFACE = "1"  # of the routes, not of the package: it changes when a caller would have to


class Channels:
    """The place of the chat gateway's application, which comes up after the gRPC port that it needs."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    def routes(self) -> list[BaseRoute]:
        """Return the addresses that are the gateway's."""
        return [
            Route("/channels/{account:path}", self, name="channels"),
            WebSocketRoute("/widget/{site}", self, name="widget_socket"),
            Route("/widget/{rest:path}", self, name="widget"),
            Route("/widget.js", self, name="widget_script"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to the gateway, if there is one in this process."""
        if self.app is not None:
            await self.app(scope, receive, send)
            return
        error = NotFound("No chat gateway runs in this process.", code="no_gateway", advice="Use the gateway's own.")
        await problems.problem(error)(scope, receive, send)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the routes need of the service."""

    tickets: Tickets
    contents: Contents
    conversations: Conversations
    webhooks: Webhooks
    lifecycles: Lifecycles
    authenticator: Authenticator
    readiness: Readiness
    clock: Clock
    audit: Audit
    rate: HandshakeRate
    metrics: Metrics
    events: Events
    origins: tuple[str, ...]
    channels: Channels
    sessions: Sessions | None  # None without tokens


# What routes find at the application.
_SHARED = (
    "tickets",
    "contents",
    "conversations",
    "webhooks",
    "lifecycles",
    "authenticator",
    "readiness",
    "clock",
    "audit",
    "rate",
    "metrics",
    "events",
    "origins",
    "sessions",
)


def create_app(parts: Parts) -> FastAPI:
    """Lay out the routes."""
    app = FastAPI(title="crdt-sync", version=INTERFACE, docs_url=None, redoc_url=None, redirect_slashes=False)
    for name in _SHARED:
        setattr(app.state, name, getattr(parts, name))
    problems.install(app)
    for part in (tickets_api, media_api, conversations_api, webhooks_api, session_api, provider_api):
        app.include_router(part.router)
    for part in (health, metrics, consoles, reference):
        app.include_router(part.router)
    streams = EventStreams(parts.events, parts.authenticator, parts.audit, parts.rate, parts.origins)
    app.router.routes.extend(streams.routes())
    app.router.routes.extend(parts.channels.routes())
    for layer in (BodyLimit, SafeHeaders, AccessLog):  # the last is outermost
        app.add_middleware(layer)
    return app


def has_websocket(app: FastAPI, path: str) -> bool:
    """Tell whether a decoded path is one of the application's own WebSockets."""
    routes = [route for route in app.routes if isinstance(route, WebSocketRoute)]
    return any(route.path_regex.match(path) for route in routes)
