"""How people may sign in, by the settings: puts together what the routes of the session need. Decides nothing else."""

import hashlib
import hmac
from functools import partial

import httpx

from crdt_sync.adapters.clock import SystemClock, SystemIds
from crdt_sync.adapters.passwords import Argon2Passwords
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.lifecycle.people import Person, people
from crdt_sync.ports import Clock, Store
from crdt_sync.ports.meter import Meter
from crdt_sync.ports.operator import HOUR_MS
from crdt_sync.server.dingtalk_login import DingTalkProvider
from crdt_sync.server.keys import SUBJECT_KEY_FILE, local_secret, session_key
from crdt_sync.server.oidc import OidcProvider
from crdt_sync.server.provider_settings import ProviderSettings
from crdt_sync.server.providers import Provider, admit
from crdt_sync.server.session_api import Sessions, VouchedFor
from crdt_sync.server.settings import Settings
from crdt_sync.service.audit import digest_of
from crdt_sync.service.leases import Leases
from crdt_sync.service.sign_in import SignIn


def open_sessions(
    settings: Settings,
    *,
    store: Store,
    leases: Leases,
    meter: Meter,
    lifecycle: Lifecycle,
    client: httpx.AsyncClient,
) -> Sessions | None:
    """Return what the routes need, None where there are no tokens. `client` asks the providers.

    Raises:
        Malformed: a key file will not do.

    """
    if settings.auth == "none":
        return None
    clock = SystemClock()
    sign_in = SignIn(
        store=store,
        passwords=Argon2Passwords(),
        leases=leases,
        clock=clock,
        ids=SystemIds(clock),
        meter=meter,
        session_ms=settings.session_hours * HOUR_MS,
    )
    key, ids = session_key(settings.data), SystemIds(clock)
    return Sessions(
        sign_in,
        key,
        digest=partial(digest_of, secret=local_secret(settings.data / SUBJECT_KEY_FILE)),
        pending_key=hmac.digest(key.key, b"pending sign-in", hashlib.sha256),
        secret=lambda: ids.salt() + ids.salt(),
        people=_developers(settings, lifecycle),
        labels=lifecycle.labels,
        providers={each.name: _vouched_for(each, clock, client) for each in settings.sign_in},
        origins=settings.sign_in_origins,
    )


def _vouched_for(settings: ProviderSettings, clock: Clock, client: httpx.AsyncClient) -> VouchedFor:
    if settings.client_secret is not None:
        settings.client_secret()  # whoever starts the service hears of a secret that is not there
    provider: Provider = (
        OidcProvider(settings, clock, client) if settings.kind == "oidc" else DingTalkProvider(settings, client)
    )
    return VouchedFor(provider, settings.label, partial(admit, settings.name, settings.people))


def _developers(settings: Settings, lifecycle: Lifecycle) -> tuple[Person, ...]:
    """Return whom anybody on this machine may enter as: with the development key, and no proxy or provider."""
    closed = settings.proxies or settings.sign_in
    return people(lifecycle) if settings.has_development_key and not closed else ()
