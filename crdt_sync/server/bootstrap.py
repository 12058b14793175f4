"""The composition root: which parts the service has, and in which order they start and stop. Decides nothing else."""

import asyncio
import gc
from collections.abc import Coroutine
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import httpx
import structlog
from fastapi import FastAPI

from crdt_sync.adapters import desk_file, lifecycle_files
from crdt_sync.adapters.clock import SystemClock, SystemIds
from crdt_sync.adapters.receivers import HttpReceivers
from crdt_sync.adapters.telemetry import CONTENT_TYPE, Telemetry
from crdt_sync.domain.group import Groups
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.service_desk import NO_DESK, ServiceDesk
from crdt_sync.errors import Malformed
from crdt_sync.ports import Clock, Store
from crdt_sync.ports.meter import Levels
from crdt_sync.server import database
from crdt_sync.server.app import Channels, Parts, create_app
from crdt_sync.server.auth import (
    Authenticator,
    Keys,
    NoAuthenticator,
    StandingAuthenticator,
    TokenAuthenticator,
)
from crdt_sync.server.deadlines import Deadlines
from crdt_sync.server.descriptors import grpc_connections, make_room
from crdt_sync.server.grpc_server import GrpcParts, GrpcServer
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.server.health import Readiness
from crdt_sync.server.http_server import HttpServer
from crdt_sync.server.keys import (
    SUBJECT_KEY_FILE,
    DevelopmentKeyFiles,
    IssuerKeys,
    KeysBeside,
    local_secret,
    session_key,
)
from crdt_sync.server.listening import LOOPBACK, Tls
from crdt_sync.server.logs import guard_libraries
from crdt_sync.server.metrics import Metrics
from crdt_sync.server.session_api import Sessions
from crdt_sync.server.settings import Settings
from crdt_sync.server.sockets import Sockets
from crdt_sync.server.ways import open_sessions
from crdt_sync.service.audit import Audit
from crdt_sync.service.committer import Committer
from crdt_sync.service.compaction import Compactor
from crdt_sync.service.connections import Connections
from crdt_sync.service.conversations import Conversations
from crdt_sync.service.courier import Means
from crdt_sync.service.couriers import Couriers
from crdt_sync.service.events import Events
from crdt_sync.service.leases import Leases
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.live_ticket import Desk
from crdt_sync.service.media import Contents
from crdt_sync.service.outbox import Outbox
from crdt_sync.service.overdue import Overdue
from crdt_sync.service.rooms import Rooms
from crdt_sync.service.standing import Standing
from crdt_sync.service.tickets import Tickets
from crdt_sync.service.webhooks import Webhooks

COLLECT_AFTER_OBJECTS = 5_000  # some 150 changes, and below a megabyte; larger numbers gain nothing more
COLLECT_OLDER_AFTER = (20, 20)
RESTARTING = 1012  # RFC 6455's registry: "Service Restart"; every client comes back

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


class Service:
    """The whole service in one process. `port` and `grpc_port` are the real ones once it has started."""

    def __init__(self, settings: Settings) -> None:
        settings.check_exposure()
        self.settings = settings
        self.channels = Channels()
        self.telemetry = Telemetry()
        self.sessions: Sessions | None = None  # how people sign in; nobody does without tokens
        self.port = settings.port
        self.grpc_port = settings.grpc_port
        self.connections_max = 0  # how many this process may hold, once it has started
        self.gateway_address = ""  # where the gateway of this process finds gRPC in plain, once it has started
        self._client = httpx.AsyncClient()
        self._http: HttpServer | None = None
        self._grpc: GrpcServer | None = None
        self._lifecycles: Lifecycles | None = None
        self._held = ExitStack()
        self._store: Store | None = None
        self._compactor: Compactor | None = None
        self._committer: Committer | None = None
        self._connections: Connections | None = None
        self._leases: Leases | None = None
        self._events: Events | None = None
        self._outbox: Outbox | None = None
        self._overdue: Overdue | None = None
        self._contents: Contents | None = None
        self._couriers: Couriers | None = None
        self._audit: Audit | None = None
        self._readiness: Readiness | None = None

    @property
    def lifecycle(self) -> Lifecycle:
        """What tickets are opened with unless they say otherwise; there from the start on."""
        assert self._lifecycles is not None, "the service was started"
        return self._lifecycles.default

    async def start(self) -> None:
        """Start every part; when it returns, both ports answer.

        Raises:
            Unavailable: a port is taken (`port_busy`), or the database does not open.
            Malformed: a setting, a key file or a lifecycle will not do.

        """
        guard_libraries()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Refuse what is new, commit what is queued, tell every client to come back, then end."""
        if self._readiness is not None:
            self._readiness.stopping = True
        for part in (self._audit, self._overdue, self._couriers, self._committer, self._leases):
            if part is not None:
                await part.stop()
        if self._connections is not None:
            await self._connections.stop(RESTARTING, "stopping: The service is stopping.")
        for later in (self._events, self._outbox, self._http, self._grpc, self._contents, self._compactor):
            if later is not None:
                await later.stop()
        if self._store is not None:
            await self._store.close()
        self._held.close()
        await self._client.aclose()

    async def _start(self) -> None:
        settings, clock = self.settings, SystemClock()
        service_desk, sources = _files(settings)
        http = self._http = HttpServer(settings.host, settings.port, _tls(settings))
        store = self._store = await self._open(settings)
        lifecycles = self._lifecycles = await _load_lifecycles(store, sources)
        ids, telemetry = SystemIds(clock), self.telemetry
        secret = local_secret(settings.data / SUBJECT_KEY_FILE)
        audit = self._audit = Audit(telemetry, clock, secret)
        standing = Standing(store)
        await standing.refresh()
        keys = self._keys(clock)
        leases = self._leases = Leases(clock, standing, keys)
        compactor = self._compactor = Compactor(store, ids, telemetry)
        rooms = Rooms(store, ids, compactor)
        events = self._events = Events(store, leases)
        desk = Desk(store, rooms, lifecycles, ids, _groups(service_desk, lifecycles))
        outbox = self._outbox = Outbox(
            store, leases, clock, ids, telemetry, service_desk=service_desk, kept_days=settings.outbox_days
        )
        committer = self._committer = Committer(desk, clock, telemetry, notice=events.notice, outbox=outbox.notice)
        overdue = self._overdue = Overdue(store, clock, red_after_ms=desk.groups.red_after_ms)
        connections = self._connections = Connections(
            store=store,
            rooms=rooms,
            committer=committer,
            lifecycles=lifecycles,
            clock=clock,
            audit=audit,
            leases=leases,
            open_documents=settings.open_documents,
        )
        webhooks = self._webhooks(Means(store, events, self._receivers(clock), clock, ids, telemetry))
        telemetry.watch(partial(_levels, connections, events, outbox, webhooks.couriers))
        tickets = Tickets(
            store=store,
            rooms=rooms,
            committer=committer,
            lifecycles=lifecycles,
            clock=clock,
            ids=ids,
            secret=secret,
            service_desk=service_desk,
        )
        conversations = Conversations(store, tickets, outbox, lifecycles, ids, service_desk)
        contents = self._contents = Contents(store, tickets, lifecycles, clock, ids, telemetry)
        authenticator = StandingAuthenticator(self._authenticator(keys, clock), standing)
        readiness = self._readiness = Readiness(store, lambda: committer.dead)
        rate = HandshakeRate()
        room = self.connections_max = make_room(settings.connections)
        sockets = Sockets(connections, authenticator, Deadlines(), audit, rate, settings.origins, room)
        for part in (compactor, committer, connections, leases, events, webhooks.couriers):
            part.start()
        for writer in (audit, outbox, overdue, contents):
            writer.start(committer)
        parts = GrpcParts(
            authenticator=authenticator,
            tickets=tickets,
            lifecycles=lifecycles,
            connections=connections,
            events=events,
            outbox=outbox,
            contents=contents,
            readiness=readiness,
            clock=clock,
            audit=audit,
            rate=rate,
            room=sockets.stream,
        )
        grpc = GrpcServer(parts, grpc_connections(room))
        await self._listen(http, self._app(parts, conversations, webhooks, telemetry), sockets, grpc)

    def _receivers(self, clock: Clock) -> HttpReceivers:
        receivers = HttpReceivers(clock, self.settings.webhook_origins)
        self._held.callback(receivers.close)
        return receivers

    def _webhooks(self, means: Means) -> Webhooks:
        couriers = self._couriers = Couriers(means)
        return Webhooks(means.store, means.receivers, couriers, means.clock, means.ids)

    async def _open(self, settings: Settings) -> Store:
        _make_directory(settings.data)
        self._held.enter_context(database.held(settings.url))
        return await database.open_store(settings.url)

    def _app(self, parts: GrpcParts, conversations: Conversations, webhooks: Webhooks, telemetry: Telemetry) -> FastAPI:
        assert self._store is not None, "it is open"
        assert self._leases is not None, "they are looked after"
        self.sessions = open_sessions(
            self.settings,
            store=self._store,
            leases=self._leases,
            meter=telemetry,
            lifecycle=self.lifecycle,
            client=self._client,
        )
        return create_app(
            Parts(
                tickets=parts.tickets,
                contents=parts.contents,
                conversations=conversations,
                webhooks=webhooks,
                lifecycles=parts.lifecycles,
                authenticator=parts.authenticator,
                readiness=parts.readiness,
                clock=parts.clock,
                audit=parts.audit,
                rate=parts.rate,
                metrics=Metrics(telemetry.render, CONTENT_TYPE, self.settings.metrics),
                events=parts.events,
                origins=self.settings.origins,
                channels=self.channels,
                sessions=self.sessions,
            )
        )

    async def _listen(self, http: HttpServer, app: FastAPI, sockets: Sockets, grpc: GrpcServer) -> None:
        settings, self._grpc = self.settings, grpc
        tls = _tls(settings)
        if tls is not None and settings.gateway:
            within = self._held.enter_context(TemporaryDirectory(prefix="crdt-sync-"))  # its owner's alone
            self.gateway_address = grpc.listen_within(Path(within) / "grpc")
        self.grpc_port = await grpc.start(settings.host, settings.grpc_port, tls)
        self.gateway_address = self.gateway_address or f"{LOOPBACK}:{self.grpc_port}"
        await http.start(app, sockets, settings.proxies, settings.websockets)
        self.port = http.port
        _log.info("service started", host=settings.host, port=self.port, grpc_port=self.grpc_port)

    def _keys(self, clock: Clock) -> Keys | None:
        """Return where verification keys come from; nowhere without tokens."""
        if self.settings.auth == "none":
            return None
        own = session_key(self.settings.data)
        if self.settings.jwks_url is None:
            return KeysBeside(own, DevelopmentKeyFiles(self.settings.data))
        return KeysBeside(own, IssuerKeys(self.settings.jwks_url, clock, self._client))

    def _authenticator(self, keys: Keys | None, clock: Clock) -> Authenticator:
        if keys is None:
            return NoAuthenticator()
        return TokenAuthenticator(keys, clock, issuer=self.settings.jwt_issuer, audience=self.settings.jwt_audience)


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a program's main coroutine on the fastest event loop of this platform."""
    try:
        import uvloop  # noqa: PLC0415 (absent on Windows)
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


def tune_collector() -> None:
    """Have Python look for cycles less often, and never among what is there now. For a process that only serves.

    Of a change that waits for its commit some thirty objects are alive, so that the default of 700 new ones is reached
    every few changes, and each look goes through all that wait: a fifth of the processor's time under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS, *COLLECT_OLDER_AFTER)


def _groups(service_desk: ServiceDesk, lifecycles: Lifecycles) -> Groups:
    """Return the groups, and say which of them will hear nothing."""
    for group in service_desk.groups.groups:
        if all(group.lane(lifecycle) is None for lifecycle in lifecycles.all()):
            _log.warning("group of a department without a lane", account=group.at.account, named=group.department)
    return service_desk.groups


def _levels(connections: Connections, events: Events, outbox: Outbox, couriers: Couriers) -> Levels:
    """Say how much of everything there is."""
    return connections.levels(watching=events.wires(), outbox=outbox.levels(), webhooks=couriers.levels())


def _tls(settings: Settings) -> Tls | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Tls(settings.tls_certificate, settings.tls_key)


def _make_directory(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Malformed(
            f"The data directory {data} cannot be made: {error.strerror}.", code="data", advice="Choose another --data."
        ) from error


async def _load_lifecycles(store: Store, sources: dict[str, str]) -> Lifecycles:
    return await Lifecycles.load(store, lifecycle_files.load, lifecycle_files.load_accepted, sources)


def _files(settings: Settings) -> tuple[ServiceDesk, dict[str, str]]:
    """Read the service desk, and the lifecycles that it and the settings name; the first is the default."""
    service_desk = NO_DESK if settings.desk is None else desk_file.load(settings.desk)
    chosen = [rule.lifecycle for rule in service_desk.rules if rule.lifecycle is not None]
    return service_desk, _lifecycle_sources(settings.lifecycle, *chosen)


def _lifecycle_sources(*chosen: str) -> dict[str, str]:
    """Return the lifecycles that were chosen, by their shipped names or their paths, and behind them all shipped."""
    shipped = lifecycle_files.shipped()
    return {name: shipped.get(name) or _lifecycle_file(name) for name in chosen} | shipped


def _lifecycle_file(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed(
            f"The lifecycle {path!r} is neither a shipped one nor a file that can be read.",
            code="lifecycle",
            advice=f"Shipped are: {', '.join(sorted(lifecycle_files.shipped()))}.",
        ) from error
