import asyncio

from crdt_sync.replica.changes import Change, Changes


async def test_a_ticket_that_changed_twice_meanwhile_is_told_once():
    changes = Changes()
    watching = changes.watch()
    first = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(0)
    for ticket in ("a", "b", "a", None):
        changes.tell(ticket)

    assert [Change("a"), Change("b")] == [await first, await anext(watching)]
    changes.tell("c")
    assert Change("c") == await anext(watching)
    await watching.aclose()
    changes.tell("d")  # nobody listens


async def test_waiting_ends_when_it_is_so_or_time_is_up():
    changes, seen = Changes(), []
    waiting = asyncio.ensure_future(changes.until(lambda: bool(seen), 5))
    await asyncio.sleep(0)
    changes.tell(None)
    await asyncio.sleep(0)
    assert not waiting.done()
    seen.append(1)
    changes.tell(None)

    assert await waiting
    assert await changes.until(lambda: True, 0)
    assert not await changes.until(lambda: False, 0.01)
