"""How people may sign in, by the settings: puts together what the routes of the session need. Decides nothing else."""

from functools import partial
from pathlib import Path

from crdt_sync.adapters.clock import SystemClock, SystemIds
from crdt_sync.adapters.passwords import Argon2Passwords
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.lifecycle.people import Person, people
from crdt_sync.ports import Store
from crdt_sync.ports.meter import Meter
from crdt_sync.ports.operator import HOUR_MS
from crdt_sync.server.keys import SUBJECT_KEY_FILE, local_secret, session_key
from crdt_sync.server.session_api import Sessions
from crdt_sync.server.settings import Settings
from crdt_sync.service.audit import digest_of
from crdt_sync.service.leases import Leases
from crdt_sync.service.sign_in import SignIn


def open_sessions(
    settings: Settings, *, store: Store, leases: Leases, meter: Meter, lifecycle: Lifecycle
) -> Sessions | None:
    """Return what the routes need, None where there are no tokens.

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
    return Sessions(sign_in, session_key(settings.data), _digests(settings.data), _developers(settings, lifecycle))


def _digests(data: Path) -> "partial[str]":
    return partial(digest_of, secret=local_secret(data / SUBJECT_KEY_FILE))


def _developers(settings: Settings, lifecycle: Lifecycle) -> tuple[Person, ...]:
    """Return whom anybody on this machine may enter as: with the development key, and where no proxy is named."""
    return people(lifecycle) if settings.has_development_key and not settings.proxies else ()
