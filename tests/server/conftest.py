import ssl
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import httpx
import pytest
import trustme

from crdt_sync.server.app import Channels, Parts, create_app
from crdt_sync.server.auth import TokenAuthenticator, VerificationKey, issue
from crdt_sync.server.bootstrap import Service
from crdt_sync.server.handshake_rate import HandshakeRate
from crdt_sync.server.health import Readiness
from crdt_sync.server.keys import DevelopmentKey, development_key
from crdt_sync.server.metrics import Metrics
from crdt_sync.server.settings import load
from crdt_sync.service.events import Events
from crdt_sync.service.leases import Leases
from crdt_sync.service.standing import Standing
from tests.conformance.server_process import FRESH
from tests.empty_database import lay_out
from tests.fakes import CountingMeter, ManualClock
from tests.server.fakes import FakeStore, FakeTickets, audit, lifecycles

KEY = VerificationKey(b"k" * 32, "HS256")


@dataclass
class Site:
    """The real application over a service that is a fake."""

    tickets: FakeTickets
    store: FakeStore
    clock: ManualClock
    channels: Channels
    readiness: Readiness
    meter: CountingMeter
    client: httpx.AsyncClient
    token: str

    def renew(self, **claims):
        chosen = {"actor": "ann", "department": "sales", "roles": ["sales"]} | claims
        return issue(KEY, expires_at_ms=self.clock.now_ms() + 60_000, **chosen)


@pytest.fixture
async def site():
    tickets, store, clock, channels, meter = FakeTickets(), FakeStore(), ManualClock(), Channels(), CountingMeter()
    readiness = Readiness(store, lambda: store.dead)
    parts = Parts(
        tickets=tickets,
        contents=None,
        conversations=None,
        webhooks=None,
        lifecycles=lifecycles(),
        authenticator=TokenAuthenticator(DevelopmentKey(KEY), clock),
        readiness=readiness,
        clock=clock,
        audit=audit(meter),
        rate=HandshakeRate(),
        metrics=Metrics(lambda: b"numbers", "text/plain", "local"),
        events=Events(store, Leases(clock, Standing(store))),
        origins=("https://board.example",),
        channels=channels,
        sessions=None,
    )
    transport = httpx.ASGITransport(create_app(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.example") as client:
        site = Site(tickets, store, clock, channels, readiness, meter, client, "")
        site.token = site.renew()
        client.headers["authorization"] = f"Bearer {site.token}"
        yield site


@dataclass
class Running:
    """The real service on free ports, over a real database."""

    service: Service
    http: httpx.AsyncClient
    channel: grpc.aio.Channel

    def token(self, department="sales", *, seconds=600, **claims):
        chosen = {"actor": f"{department}-1", "roles": [department]} | claims
        issued = {"issued_at_ms": int(time.time() * 1000)}
        key = development_key(self.service.settings.data).key
        return issue(key, department=department, expires_at_ms=int(time.time() + seconds) * 1000, **issued | chosen)

    def headers(self, department="sales", **claims):
        return {"authorization": f"Bearer {self.token(department, **claims)}"}

    def metadata(self, department="sales", **claims):
        return tuple(self.headers(department, **claims).items())

    def ws(self, path):
        return f"ws://127.0.0.1:{self.service.port}{path}"

    async def ticket(self):
        answer = await self.http.post("/api/tickets", json={"title": "Fibre"}, headers=self.headers())
        return answer.json()["id"]


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def pair(authority, tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued = authority.issue_cert("127.0.0.1")
    certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    return {"tls_certificate": certificate, "tls_key": key}


@pytest.fixture
def trusting(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@asynccontextmanager
async def run_service(data, **chosen):
    settings = load(**{"port": 0, "grpc_port": 0, "data": data, "open_documents": True} | chosen)
    if not settings.database_url:
        await lay_out(data / "crdt-sync.db")
    service = Service(settings)
    await service.start()
    try:
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", timeout=30, limits=FRESH) as http,
            grpc.aio.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel,
        ):
            yield Running(service, http, channel)
    finally:
        await service.stop()


@pytest.fixture
async def running(tmp_path):
    async with run_service(tmp_path / "data") as running:
        yield running
