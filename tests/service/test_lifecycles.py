"""A service proves what it is given, and keeps what tickets were opened with."""

from pathlib import Path

import pytest

from crdt_sync.adapters import lifecycle_files
from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.errors import Malformed
from crdt_sync.service.lifecycles import Lifecycles

FILES = Path(__file__).parent.parent / "fixtures" / "lifecycles"
SOUND = (FILES / "sound.yaml").read_text(encoding="utf-8")
REFUSED = (FILES / "l10-ping-pong.yaml").read_text(encoding="utf-8")  # by a rule that came later, say


async def loaded(store, source):
    return await Lifecycles.load(store, lifecycle_files.load, lifecycle_files.load_accepted, {"given": source})


async def test_a_lifecycle_that_a_checker_of_today_refuses_is_kept_once_it_was_accepted():
    store, accepted = MemoryStore(), lifecycle_files.load_accepted(REFUSED)
    await store.save_lifecycle(accepted.digest, REFUSED)

    lifecycles = await loaded(store, SOUND)

    assert (accepted, REFUSED) == (lifecycles.by_digest(accepted.digest), lifecycles.source(accepted.digest))
    assert lifecycle_files.load(SOUND) == lifecycles.default


async def test_a_lifecycle_that_does_not_pass_is_not_saved():
    store = MemoryStore()
    with pytest.raises(Malformed, match="L10"):
        await loaded(store, REFUSED)

    assert {} == await store.lifecycles()
