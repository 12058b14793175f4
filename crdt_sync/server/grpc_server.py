"""The gRPC server: its services, its limits, its port. Builds no part of the service."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from crdt_sync.errors import Unavailable
from crdt_sync.ports import Clock
from crdt_sync.rpc.ticketsync.v1 import (
    events_pb2,
    events_pb2_grpc,
    gateway_pb2,
    gateway_pb2_grpc,
    sync_pb2,
    sync_pb2_grpc,
    tickets_pb2,
    tickets_pb2_grpc,
)
from crdt_sync.server.auth import Authenticator
from crdt_sync.server.grpc_calls import Room
from crdt_sync.server.grpc_decoding import GRPC_MESSAGE_BYTES_MAX, DecodingInterceptor
from crdt_sync.server.grpc_egress import EgressServicer
from crdt_sync.server.grpc_events import EventServicer
from crdt_sync.server.grpc_ingress import IngressServicer
from crdt_sync.server.grpc_sync import SyncServicer
from crdt_sync.server.grpc_tickets import TicketServicer
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.server.health import Readiness
from crdt_sync.server.listening import Tls, bind
from crdt_sync.service.audit import Audit
from crdt_sync.service.connections import Connections
from crdt_sync.service.events import Events
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.media import Contents
from crdt_sync.service.outbox import Outbox
from crdt_sync.service.tickets import Tickets
from crdt_sync.wire import limits

GRACE_S = 5.0  # for calls under way when the service stops: a commit takes milliseconds
HEALTH_INTERVAL_S = 5.0  # for those who watch; who asks gets an answer of now

OPTIONS: list[tuple[str, int]] = [
    ("grpc.so_reuseport", 0),  # else a busy port would be shared silently
    ("grpc.max_receive_message_length", GRPC_MESSAGE_BYTES_MAX + limits.MIB),  # the library refuses without a code
    ("grpc.max_send_message_length", GRPC_MESSAGE_BYTES_MAX),
    ("grpc.max_metadata_size", 16 * 1024),  # a token of 8 KiB, and as much beside it
    ("grpc.max_concurrent_streams", 1000),  # of one caller's connection
    ("grpc.keepalive_time_ms", 30_000),  # below the minute after which common proxies forget a silent connection
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),  # a caller may ask thrice as often as we do
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.server_handshake_timeout_ms", limits.UNAUTHENTICATED_S * 1000),  # until TLS and HTTP/2 have begun
    ("grpc.max_connection_idle_ms", 60_000),  # without a call: who calls again connects again, within a round trip
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcParts:
    """What the calls need of the service."""

    authenticator: Authenticator
    tickets: Tickets
    lifecycles: Lifecycles
    connections: Connections
    events: Events
    outbox: Outbox
    contents: Contents
    readiness: Readiness
    clock: Clock
    audit: Audit
    rate: HandshakeRate
    room: Room


class StoreHealth(health.aio.HealthServicer):  # type: ignore[misc, name-defined] # it has no types
    """Serving while the log can commit; every service of this server needs it alike."""

    def __init__(self, readiness: Readiness, services: tuple[str, ...]) -> None:
        super().__init__()
        self._readiness = readiness
        self._services = services

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Any) -> Any:  # noqa: N802, ANN401
        """Ask the log, then answer."""
        await self.refresh()
        return await super().Check(request, context)

    async def refresh(self) -> None:
        """Ask the log."""
        try:
            await self._readiness.check()
            status = health_pb2.HealthCheckResponse.SERVING
        except Unavailable:
            status = health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", *self._services):
            await self.set(service, status)

    async def watch(self) -> None:
        """Keep asking, for those who watch."""
        while True:
            await self.refresh()
            await asyncio.sleep(HEALTH_INTERVAL_S)


class GrpcServer:
    """The server and its one port."""

    def __init__(self, parts: GrpcParts, connections_max: int) -> None:
        options = [*OPTIONS, ("grpc.max_allowed_incoming_connections", connections_max)]  # more are closed untold
        self._server = grpc.aio.server(options=options, interceptors=[DecodingInterceptor(parts.audit)])
        files = (sync_pb2, tickets_pb2, events_pb2, gateway_pb2)
        self.services = tuple(s.full_name for file in files for s in file.DESCRIPTOR.services_by_name.values())
        self._health = StoreHealth(parts.readiness, self.services)
        self._watching: asyncio.Task[None] | None = None
        sync = SyncServicer(parts.authenticator, parts.connections, parts.audit, parts.rate, parts.room)
        tickets = TicketServicer(parts.authenticator, parts.audit, parts.rate, parts.tickets, parts.lifecycles)
        sync_pb2_grpc.add_SyncServiceServicer_to_server(sync, self._server)
        tickets_pb2_grpc.add_TicketServiceServicer_to_server(tickets, self._server)
        events = EventServicer(parts.authenticator, parts.events, parts.audit, parts.clock, parts.rate, parts.room)
        events_pb2_grpc.add_EventServiceServicer_to_server(events, self._server)
        ingress = IngressServicer(parts.authenticator, parts.audit, parts.rate, parts.tickets, parts.contents)
        gateway_pb2_grpc.add_IngressServiceServicer_to_server(ingress, self._server)
        egress = EgressServicer(parts.authenticator, parts.audit, parts.rate, parts.outbox, parts.contents, parts.room)
        gateway_pb2_grpc.add_EgressServiceServicer_to_server(egress, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*self.services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self, host: str, port: int, tls: Tls | None = None) -> int:
        """Listen, and return the port; with a certificate, everything on it is encrypted.

        Raises:
            Unavailable, Malformed: as `listening.bind` and `Tls.read`.

        """
        credentials = grpc.ssl_server_credentials([tls.read()]) if tls else None
        bind(host, port, "--grpc-port").close()  # gRPC writes its own complaint to standard error, past every log
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if credentials is None:
                bound = self._server.add_insecure_port(address)
            else:
                bound = self._server.add_secure_port(address, credentials)
        except RuntimeError as error:  # somebody took it in between
            raise Unavailable(f"Port {port} on {host} was taken just now.", code="port_busy") from error
        await self._server.start()
        self._watching = asyncio.ensure_future(self._health.watch())
        return bound

    def listen_within(self, path: Path) -> str:
        """Listen in plain on a Unix socket, before the start: for the gateway of the same process. Return its address.

        Whoever may enter the path's directory may connect.
        """
        address = f"unix:{path}"
        self._server.add_insecure_port(address)
        return address

    async def stop(self) -> None:
        """Refuse new calls, let those under way end, then cut what is left."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._health.enter_graceful_shutdown()
        await self._server.stop(GRACE_S)
