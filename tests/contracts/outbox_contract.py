"""What any store must do with what is to be sent."""

import asyncio
from dataclasses import replace

import pytest

from crdt_sync.domain.delivery import OPEN, DeliveryState, Window
from crdt_sync.domain.ids import Position
from crdt_sync.ports import Batch, Store, StoreConflict
from crdt_sync.ports.outbox import Claimed, DeliveryChange, OutboxFilter
from tests.contracts.batches import AT_MS, TRACE, claim, delivery, message, name, notice, subject, update

SENT, UNKNOWN, RETRY = DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.RETRY


async def answered(store, *parts):
    """Commit one message with its parts, and return the rows."""
    await store.commit(Batch(messages=[message(parts[0].message)], deliveries=parts))
    return [await store.delivery(part.id) for part in parts]


async def changed(store, row, state, **more):
    """Report on a row as it stands, and return what became of it."""
    await store.commit(Batch(delivery_changes=[DeliveryChange(row, replace(row, state=state, **more))]))
    return await store.delivery(row.id)


async def claimed(store, *args, **more):
    return [row.id for row in (await store.claim(claim(*args, **more))).rows]


class OutboxContract:
    @pytest.fixture
    async def store(self) -> Store:
        raise NotImplementedError

    async def test_a_part_comes_back_as_written_behind_its_message(self, store: Store):
        await store.commit(Batch(updates=[update("d", 1)]))
        new = delivery("m", 1)
        (row,) = await answered(store, new)

        assert (new.id, name("one"), "m", 1) == (row.id, row.ticket, row.message, row.index)
        assert ("wechat", "shop", "chen", '{"text":"王"}') == (row.channel, row.account, row.conversation, row.content)
        assert (2 * 32 + 1, AT_MS, TRACE) == (row.place, row.at_ms, row.traceparent)
        assert (DeliveryState.PENDING, "", 0, 0, "", "") == (
            row.state,
            row.owner,
            row.attempts,
            row.due_ms,
            row.platform_id,
            row.code,
        )
        assert await store.delivery("another") is None

    async def test_parts_take_no_position(self, store: Store):
        await answered(store, delivery("m"), delivery("m", 1))
        assert Position(1) == await store.position()

    async def test_a_part_that_is_there_is_a_conflict_that_keeps_nothing(self, store: Store):
        await answered(store, delivery("m"))

        with pytest.raises(StoreConflict) as caught:
            await store.commit(Batch(messages=[message("n")], deliveries=[replace(delivery("m"), message="n")]))
        assert (delivery("m").id,) == caught.value.keys
        assert await store.message("n") is None

    async def test_the_first_open_part_of_each_conversation_is_claimed(self, store: Store):
        one, two, three = delivery("m"), delivery("m", 1), delivery("n", to="li")
        await answered(store, one, two)
        await answered(store, three)
        await answered(store, delivery("o", account="other"))

        first = await store.claim(claim("g1", 50))

        assert [one.id, three.id] == [row.id for row in first.rows]
        assert {("leased", "g1", 1, 150)} == {(row.state, row.owner, row.attempts, row.due_ms) for row in first.rows}
        assert Claimed([], 150) == await store.claim(claim("g2", 51))

    async def test_no_more_is_claimed_than_asked_for(self, store: Store):
        for key in "mno":
            await answered(store, delivery(key, to=key))

        assert [delivery("m").id, delivery("n").id] == await claimed(store, limit=2)

    async def test_the_next_part_follows_once_the_first_is_settled(self, store: Store):
        await answered(store, delivery("m"), delivery("m", 1))
        (row,) = (await store.claim(claim())).rows
        sent = await changed(store, row, SENT, platform_id="p1")

        assert (SENT, "p1") == (sent.state, sent.platform_id)
        assert [delivery("m", 1).id] == await claimed(store)

    @pytest.mark.parametrize("state", OPEN)
    async def test_nothing_overtakes_what_is_open(self, store: Store, state):
        await answered(store, delivery("m"), delivery("m", 1))
        (row,) = (await store.claim(claim())).rows
        await changed(store, row, state, due_ms=1_000)

        assert delivery("m", 1).id not in await claimed(store, now_ms=10)

    async def test_a_lease_that_lapses_before_anything_was_sent_goes_back(self, store: Store):
        await answered(store, delivery("m"))
        await store.claim(claim("g1", 0))

        assert [] == await claimed(store, "g2", 99)
        (row,) = (await store.claim(claim("g2", 100))).rows
        assert ("g2", 2, 200) == (row.owner, row.attempts, row.due_ms)

    async def test_what_was_being_sent_when_its_lease_lapsed_is_unknown(self, store: Store):
        await answered(store, delivery("m"))
        (row,) = (await store.claim(claim("g1", 0))).rows
        await changed(store, row, DeliveryState.SENDING, due_ms=100)

        assert Claimed([], 100) == await store.claim(claim("g2", 99))
        assert [] == await claimed(store, "g2", 100)
        assert (UNKNOWN, "lapsed") == ((found := await store.delivery(row.id)).state, found.code)
        assert [row.id] == await claimed(store, "g2", 100, idempotent=["shop"])

    async def test_a_retry_is_claimed_when_it_is_due(self, store: Store):
        await answered(store, delivery("m"))
        (row,) = (await store.claim(claim("g1", 0))).rows
        await changed(store, row, RETRY, due_ms=500, code="busy")

        assert Claimed([], 500) == await store.claim(claim("g1", 499))
        (again,) = (await store.claim(claim("g1", 500))).rows
        assert (2, "") == (again.attempts, again.code)

    async def test_of_two_who_claim_at_once_one_gets_each_part(self, store: Store):
        for key in "mno":
            await answered(store, delivery(key, to=key))

        both = await asyncio.gather(claimed(store, "g1"), claimed(store, "g2"))
        assert sorted(delivery(key).id for key in "mno") == sorted(both[0] + both[1])

    async def test_a_change_of_a_row_that_moved_on_is_a_conflict_that_keeps_nothing(self, store: Store):
        (fresh,) = await answered(store, delivery("m"))
        await store.claim(claim("g1", 0))
        (row,) = (await store.claim(claim("g2", 100))).rows

        for seen in (fresh, replace(row, owner="g1"), replace(row, attempts=1)):
            change = DeliveryChange(seen, replace(seen, state=SENT))
            with pytest.raises(StoreConflict) as caught:
                await store.commit(Batch(updates=[update("d", 1)], delivery_changes=[change]))
            assert (row.id,) == caught.value.keys
        assert row == await store.delivery(row.id)
        assert () == (await store.document("d")).updates

    async def test_a_change_may_say_something_else_of_another_ticket_unless_it_was_changed_before(self, store: Store):
        (row,) = await answered(store, delivery("m"))
        says = await changed(store, row, row.state, content='{"text":"李"}', ticket=name("two"))

        assert ('{"text":"李"}', name("two")) == (says.content, says.ticket)
        with pytest.raises(StoreConflict):
            await changed(store, row, SENT)
        assert says == await store.delivery(row.id)

    async def test_who_has_gone_gives_back_what_was_not_begun(self, store: Store):
        await answered(store, delivery("m"))
        await answered(store, delivery("n", to="li"))
        begun, _ = (await store.claim(claim("g1", 0))).rows
        await changed(store, begun, DeliveryState.SENDING, due_ms=100)

        await store.release("g2")
        assert [] == await claimed(store, "g3")
        await store.release("g1")
        assert [delivery("n").id] == await claimed(store, "g3")

    async def test_a_part_is_found_by_what_its_platform_calls_it_in_its_account(self, store: Store):
        await answered(store, delivery("m"))
        await answered(store, delivery("n", account="other"))
        for row in (await store.claim(claim(accounts=["shop", "other"]))).rows:
            await changed(store, row, SENT, platform_id="p1")

        assert delivery("m").id == (await store.sent_as("shop", "p1")).id
        assert delivery("n").id == (await store.sent_as("other", "p1")).id
        assert await store.sent_as("shop", "p2") is None
        assert await store.sent_as("shop", "") is None

    async def test_rows_are_listed_in_order_by_state_and_account(self, store: Store):
        rows = await answered(store, delivery("m"), delivery("m", 1))
        rows += await answered(store, delivery("n", account="other"))
        leased = (await store.claim(claim())).rows

        assert [*leased, *rows[1:]] == await store.deliveries(OutboxFilter())
        assert rows[1:2] == await store.deliveries(OutboxFilter(DeliveryState.PENDING, "shop"))
        assert rows[:0] == await store.deliveries(OutboxFilter(account="shop", conversation="li"))
        assert rows[1:2] == await store.deliveries(OutboxFilter(DeliveryState.PENDING, "shop", conversation="chen"))
        assert rows[1:2] == await store.deliveries(OutboxFilter(after=leased[0].place), limit=1)

    async def test_notices_are_listed_alone(self, store: Store):
        await answered(store, delivery("m"))
        await store.commit(Batch(deliveries=[notice("told")]))

        assert ["told"] == [row.id for row in await store.deliveries(OutboxFilter(notices=True))]

    async def test_an_operator_moves_a_row_from_a_state_in_which_it_is(self, store: Store):
        await answered(store, delivery("m"))
        (row,) = (await store.claim(claim())).rows
        await changed(store, row, UNKNOWN, code="timeout")

        assert not await store.amend_delivery(row.id, [DeliveryState.DEAD], DeliveryState.PENDING)
        assert not await store.amend_delivery("another", [UNKNOWN], DeliveryState.PENDING)
        assert await store.amend_delivery(row.id, [DeliveryState.DEAD, UNKNOWN], DeliveryState.PENDING)
        assert [row.id] == await claimed(store, "g2")

    async def test_what_an_operator_opens_again_goes_before_what_waits(self, store: Store):
        one, two = await answered(store, delivery("m"), delivery("m", 1))
        dead = await changed(store, one, DeliveryState.DEAD)
        assert await store.amend_delivery(dead.id, [DeliveryState.DEAD], DeliveryState.PENDING)

        assert [one.id] == await claimed(store, "g1")
        assert await store.amend_delivery(one.id, [DeliveryState.LEASED], DeliveryState.DEAD)
        assert [two.id] == await claimed(store, "g2")

    async def test_of_many_that_are_due_the_one_that_is_so_for_longest_is_claimed(self, store: Store):
        for key, due_ms in (("m", 30), ("n", 10), ("o", 20)):
            (row,) = await answered(store, delivery(key, to=key))
            await changed(store, row, RETRY, due_ms=due_ms)

        assert [delivery("n").id] == await claimed(store, now_ms=50, limit=1)

    async def test_after_a_restore_nobody_knows_what_of_the_open_was_sent(self, store: Store):
        await answered(store, delivery("m"), delivery("m", 1))
        (row,) = (await store.claim(claim())).rows
        await store.amend_delivery(delivery("m", 1).id, [DeliveryState.PENDING], DeliveryState.DROPPED)

        await store.begin_epoch(Position(100), AT_MS)

        first, second = await store.deliveries(OutboxFilter())
        assert (UNKNOWN, "", "restored") == (first.state, first.owner, first.code)
        assert DeliveryState.DROPPED == second.state
        assert [] == await claimed(store, now_ms=1_000)
        with pytest.raises(StoreConflict):
            await changed(store, row, SENT)

    async def test_what_an_accounts_platform_allows_is_what_was_said_last(self, store: Store):
        assert await store.window("shop") is None
        for window in (Window(48, 5), Window(72), None, Window(9, 1)):
            await store.keep_window("shop", window)
            assert (window, None) == (await store.window("shop"), await store.window("other"))

    async def test_whom_a_subject_stands_for_is_read_apart(self, store: Store):
        await store.commit(Batch(subjects=[subject("chat:1")]))
        assert '["web","x"]' == await store.readable("chat:1")
        assert "" == await store.readable("chat:2")

    async def test_states_are_read_of_those_that_are_there(self, store: Store):
        one, two = await answered(store, delivery("m", 0), delivery("m", 1))
        await changed(store, one, SENT)

        assert {one.id: SENT, two.id: DeliveryState.PENDING} == await store.delivery_states([two.id, "none", one.id])
        assert {} == await store.delivery_states([])

    async def test_what_is_open_is_counted_by_state_with_the_time_of_the_oldest(self, store: Store):
        assert [] == await store.open_deliveries()
        one, two, three = await answered(store, *(replace(delivery("m", n), at_ms=AT_MS - n) for n in range(3)))
        await changed(store, three, SENT)
        await changed(store, one, UNKNOWN)

        found = await store.open_deliveries()
        assert [(DeliveryState.PENDING, 1, two.at_ms), (UNKNOWN, 1, one.at_ms)] == [
            (each.state, each.count, each.oldest_ms) for each in found
        ]

    async def test_what_is_settled_is_removed_by_its_time_and_nothing_that_is_open(self, store: Store):
        rows = await answered(store, *(replace(delivery("m", n), at_ms=AT_MS + n) for n in range(5)))
        for row, state in zip(
            rows, [SENT, UNKNOWN, DeliveryState.DEAD, DeliveryState.WINDOW_CLOSED, SENT], strict=True
        ):
            await changed(store, row, state)

        assert 1 == await store.prune_deliveries(AT_MS + 4, limit=1)
        assert await store.delivery(rows[0].id) is None
        assert [2, 0] == [await store.prune_deliveries(AT_MS + 4) for _ in range(2)]
        assert [1, 4] == [row.index for row in await store.deliveries(OutboxFilter())]
