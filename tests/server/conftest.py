from dataclasses import dataclass

import httpx
import pytest

from crdt_sync.server.app import Channels, Parts, create_app
from crdt_sync.server.auth import TokenAuthenticator, VerificationKey, issue
from crdt_sync.server.health import Readiness
from crdt_sync.server.keys import DevelopmentKey
from tests.server.fakes import FakeStore, FakeTickets, ManualClock, lifecycles

KEY = VerificationKey(b"k" * 32, "HS256")


@dataclass
class Site:
    """The real application over a service that is a fake."""

    tickets: FakeTickets
    store: FakeStore
    clock: ManualClock
    channels: Channels
    readiness: Readiness
    client: httpx.AsyncClient
    token: str

    def renew(self, **claims):
        chosen = {"actor": "ann", "department": "sales", "roles": ["sales"]} | claims
        return issue(KEY, expires_at_ms=self.clock.at_ms + 60_000, **chosen)


@pytest.fixture
async def site():
    tickets, store, clock, channels = FakeTickets(), FakeStore(), ManualClock(), Channels()
    readiness = Readiness(store)
    parts = Parts(
        tickets=tickets,
        lifecycles=lifecycles(),
        authenticator=TokenAuthenticator(DevelopmentKey(KEY), clock),
        readiness=readiness,
        clock=clock,
        origins=("https://board.example",),
        channels=channels,
    )
    transport = httpx.ASGITransport(create_app(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.example") as client:
        site = Site(tickets, store, clock, channels, readiness, client, "")
        site.token = site.renew()
        client.headers["authorization"] = f"Bearer {site.token}"
        yield site
