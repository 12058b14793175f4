"""Lifecycle files, each read and checked once: a pure function that costs more than the rest of a short history."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from crdt_sync.adapters import lifecycle_files
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.service import compaction, live_ticket, rooms

_read = functools.lru_cache(maxsize=None)(lifecycle_files.load)


def load(source: str, name: str = "") -> Lifecycle:
    """Read a file; `name` is for people."""
    del name
    return _read(source)


@contextmanager
def prepared(*, tight: bool) -> Iterator[None]:
    """Have replicas read through the memo; `tight` also leaves the service next to no caches."""
    changed = [(lifecycle_files, "load", load), (lifecycle_files, "load_accepted", load)]
    if tight:
        changed += [
            (rooms, "IDLE_ROOMS_MAX", 1),
            (live_ticket, "LIVE_TICKETS_MAX", 1),
            (compaction, "TAIL_ROWS_MAX", 5),
        ]
    before = [(module, name, getattr(module, name)) for module, name, _ in changed]
    try:
        for module, name, value in changed:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
