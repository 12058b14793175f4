"""What any store must do with webhooks."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from crdt_sync.domain.event import EventType
from crdt_sync.domain.ids import ActorId, Digest
from crdt_sync.domain.webhook import Paused
from crdt_sync.ports import NewResult, Store, StoreConflict, StoredResult
from crdt_sync.ports.webhooks import Settlement, Webhook, WebhookRow

TICKET, OTHER = "a" * 52, "b" * 51 + "a"
HOOK = Webhook("w1", "sales", ActorId("ann"), None, 5, "https://crm.example/events", (), 5, 10, "whsec_x")
ROW = WebhookRow("w1", 12, TICKET, attempts=1, due_ms=40, since_ms=20, at_ms=20, code="http_500")
OWNER = "node-1"


async def add(store, *hooks, department_max=9, total_max=9):
    return [await store.add_webhook(hook, department_max=department_max, total_max=total_max) for hook in hooks]


async def rows(store, id_="w1", *, dead=False, **more):
    return list(await store.webhook_rows(id_, dead=dead, **more))


async def settle(store, kept=(), gone=(), owner=OWNER, **changes):
    stored = await store.webhook("w1")
    (settled,) = await store.settle_webhooks([Settlement(owner, stored, replace(stored, **changes), kept, gone)])
    return settled


class WebhookContract:
    @pytest.fixture
    async def store(self) -> Store:
        raise NotImplementedError

    @pytest.fixture
    async def led(self, store: Store):
        await add(store, HOOK)
        assert await store.lead_webhooks(OWNER, 100, 200)
        return store

    async def test_a_webhook_comes_back_as_it_was(self, store: Store):
        narrow = replace(HOOK, id="w2", tickets=(TICKET,), types=(EventType.OPENED, EventType.MESSAGE))
        paused = replace(
            HOOK,
            id="w3",
            department="tech",
            former_secret="whsec_y",
            former_until_ms=7,
            paused=Paused.GONE,
            failures=3,
            failing_since_ms=4,
            taken_ms=3,
        )
        assert [True, True, True] == await add(store, HOOK, narrow, paused)

        assert [HOOK, narrow, paused] == list(await store.webhooks())
        assert [HOOK, narrow] == list(await store.webhooks("sales"))
        assert narrow == await store.webhook("w2")
        assert await store.webhook("w9") is None

    async def test_there_are_so_many_of_a_department_and_in_all(self, store: Store):
        hooks = [replace(HOOK, id=f"w{number}") for number in range(3)]
        assert [True, True, False] == await add(store, *hooks, department_max=2)
        others = [replace(HOOK, id=f"t{number}", department="tech") for number in range(2)]
        assert [True, False] == await add(store, *others, department_max=2, total_max=3)

    async def test_of_those_who_add_the_last_one_at_once_one_does(self, store: Store):
        hooks = [replace(HOOK, id=f"w{number}") for number in range(4)]
        added = await asyncio.gather(*(add(store, hook, department_max=2) for hook in hooks))
        assert 2 == sum(found for (found,) in added)

    async def test_the_first_result_of_a_key_is_kept_with_its_webhook_and_no_other_is(self, store: Store):
        limits = {"department_max": 3, "total_max": 9}
        first = NewResult(ActorId("ann"), "key", Digest("d1"), '{"webhook":"w1"}', 5)
        hooks = [replace(HOOK, id=f"w{number}") for number in range(3)]
        added = await asyncio.gather(
            *(store.add_webhook(hook, **limits, result=first) for hook in hooks), return_exceptions=True
        )
        assert [True] == [each for each in added if not isinstance(each, StoreConflict)]
        assert [("key",)] * 2 == [each.keys for each in added if isinstance(each, StoreConflict)]
        assert 1 == len(await store.webhooks())
        position = await store.position()
        assert StoredResult(Digest("d1"), first.result, position) == await store.result(ActorId("ann"), "key")

        assert await store.add_webhook(replace(HOOK, id="w7"), **limits, result=replace(first, actor=ActorId("bob")))
        assert not await store.add_webhook(
            replace(HOOK, id="w8"), department_max=2, total_max=9, result=replace(first, key="other")
        )
        assert await store.result(ActorId("ann"), "other") is None

    async def test_of_two_who_amend_a_webhook_at_once_neither_is_forgotten(self, store: Store):
        await add(store, HOOK)
        changes = [{"paused": Paused.ASKED}, {"url": "https://b.example/"}]
        await asyncio.gather(*(store.amend_webhook("w1", partial(replace, **each)) for each in changes))

        expected = replace(HOOK, paused=Paused.ASKED, url="https://b.example/", version=3)
        assert expected == await store.webhook("w1")
        assert await store.amend_webhook("w9", replace) is None

    async def test_an_amendment_writes_rows_and_forgets_those_that_are_sent_anew(self, led: Store):
        later, dead = replace(ROW, position=15), replace(ROW, position=16, dead=True)
        await settle(led, kept=[ROW, later, dead], position=20)
        again = replace(ROW, attempts=0, due_ms=0)
        await led.amend_webhook("w1", partial(replace, position=14), rows=[again], forget_after=14)

        assert ([again], []) == (await rows(led), await rows(led, dead=True))
        assert 14 == (await led.webhook("w1")).position

    async def test_a_webhook_goes_with_its_rows(self, led: Store):
        await settle(led, kept=[ROW])
        assert await led.remove_webhook("w1")
        assert not await led.remove_webhook("w1")
        assert ([], None) == (await rows(led), await led.webhook("w1"))

    async def test_what_was_settled_is_there(self, led: Store):
        other, dead = replace(ROW, position=13, ticket=OTHER), replace(ROW, position=14, dead=True)
        assert await settle(led, kept=[ROW, other, dead], position=14, failures=2, failing_since_ms=20)
        assert ([ROW, other], [dead]) == (await rows(led), await rows(led, dead=True))
        assert ([other], [ROW]) == (await rows(led, after=12), await rows(led, limit=1))
        expected = replace(HOOK, position=14, failures=2, failing_since_ms=20)
        assert expected == await led.webhook("w1")

        again = replace(ROW, attempts=2, due_ms=80)
        assert await settle(led, kept=[again], gone=[13, 99], failing_since_ms=None, taken_ms=50, paused=Paused.FAILING)
        assert [again] == await rows(led)
        expected = replace(expected, failing_since_ms=None, taken_ms=50, paused=Paused.FAILING)
        assert expected == await led.webhook("w1")

    async def test_several_are_settled_at_once_and_those_that_do_not_fit_leave_the_others(self, led: Store):
        other = replace(HOOK, id="w2")
        await add(led, other)
        given = [
            Settlement(OWNER, HOOK, replace(HOOK, position=20), [ROW]),
            Settlement("node-2", other, replace(other, position=21)),
            Settlement(OWNER, replace(other, position=9), replace(other, position=22)),
            Settlement(OWNER, replace(other, id="w9"), replace(other, id="w9", position=23)),
            Settlement(OWNER, other, replace(other, position=24), [replace(ROW, webhook="w2")]),
        ]
        assert [True, False, False, False, True] == await led.settle_webhooks(given)
        assert [20, 24] == [hook.position for hook in await led.webhooks()]
        assert [1, 1] == [len(await rows(led, id_)) for id_ in ("w1", "w2")]

    async def test_who_does_not_lead_settles_nothing(self, led: Store):
        assert not await settle(led, kept=[ROW], owner="node-2")
        assert [] == await rows(led)

    async def test_what_was_sent_before_somebody_moved_the_position_settles_nothing(self, led: Store):
        before = await led.webhook("w1")
        await led.amend_webhook("w1", partial(replace, position=3))
        assert [False] == await led.settle_webhooks([Settlement(OWNER, before, replace(before, position=20), [ROW])])
        assert ([], 3) == (await rows(led), (await led.webhook("w1")).position)

    async def test_what_is_settled_while_somebody_pauses_leaves_it_paused(self, led: Store):
        before = await led.webhook("w1")
        await led.amend_webhook("w1", partial(replace, paused=Paused.ASKED))
        assert [True] == await led.settle_webhooks([Settlement(OWNER, before, replace(before, position=20))])
        after = await led.webhook("w1")
        assert (20, Paused.ASKED) == (after.position, after.paused)

    async def test_one_leads_until_the_lease_has_lapsed(self, store: Store):
        assert await store.lead_webhooks("one", 100, 200)
        assert not await store.lead_webhooks("two", 199, 300)
        assert await store.lead_webhooks("one", 150, 250)
        assert not await store.lead_webhooks("two", 200, 300)
        assert await store.lead_webhooks("two", 250, 350)
        assert not await store.lead_webhooks("one", 260, 400)

    async def test_what_was_given_up_long_ago_is_forgotten(self, led: Store):
        kept = [replace(ROW, position=place, dead=True, at_ms=place) for place in (20, 21, 22)]
        await settle(led, kept=[replace(ROW, at_ms=1), *kept])
        assert 1 == await led.prune_webhook_rows(22, limit=1)
        assert 1 == await led.prune_webhook_rows(22)
        assert 0 == await led.prune_webhook_rows(22)
        assert ([12], [22]) == (
            [row.position for row in await rows(led)],
            [r.position for r in await rows(led, dead=True)],
        )
