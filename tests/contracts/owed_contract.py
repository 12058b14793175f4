"""What any store must do with notices to groups, and with since when something is owed."""

import pytest

from crdt_sync.domain.delivery import DeliveryState
from crdt_sync.domain.ids import Position
from crdt_sync.ports import Batch, Store, StoreConflict
from crdt_sync.ports.owed import StoredOwed
from tests.contracts.batches import claim, delivery, event, message, name, notice, owed, update
from tests.contracts.outbox_contract import changed


class OwedContract:
    @pytest.fixture
    async def store(self) -> Store:
        raise NotImplementedError

    async def test_a_notice_takes_a_position_behind_everything_else_of_its_batch(self, store: Store):
        batch = Batch(
            updates=[update("d", 1)],
            messages=[message("m")],
            events=[event("opened")],
            deliveries=[notice("n-1"), delivery("m"), notice("n-2", to="other")],
        )
        committed = await store.commit(batch)

        assert (Position(1), Position(5)) == (committed.first, committed.last)
        assert Position(5) == await store.position()
        ids = (delivery("m").id, "n-1", "n-2")
        assert [2 * 32, 4 * 32, 5 * 32] == [(await store.delivery(id_)).place for id_ in ids]
        assert (True, False) == ((await store.delivery("n-1")).is_notice, (await store.delivery(ids[0])).is_notice)

    async def test_a_notice_that_is_there_is_a_conflict_and_those_of_a_group_keep_their_order(self, store: Store):
        await store.commit(Batch(deliveries=[notice("n-1"), notice("n-2")]))
        with pytest.raises(StoreConflict) as conflict:
            await store.commit(Batch(deliveries=[notice("n-2", to="other")]))

        assert ("n-2",) == conflict.value.keys
        assert ["n-1"] == [row.id for row in (await store.claim(claim("sales-agent", accounts=["robot"]))).rows]

    async def test_the_newest_notice_of_a_group_that_was_about_a_ticket_names_it(self, store: Store):
        rows = [notice("n-1", "one"), notice("n-2", "two"), notice("n-3", ""), notice("n-4", "three", to="other")]
        await store.commit(Batch(messages=[message("m")], deliveries=[*rows, delivery("m", account="robot", to="")]))

        assert await store.newest_notice("robot", "") is None, "nothing was shown there"
        for id_ in ("n-1", "n-2", "n-4"):
            await changed(store, await store.delivery(id_), DeliveryState.SENT)
        await store.commit(Batch(deliveries=[notice("n-5", "five")]))
        assert name("two") == await store.newest_notice("robot", "")
        assert name("three") == await store.newest_notice("robot", "other")
        assert await store.newest_notice("shop", "") is None

    async def test_what_is_owed_is_overdue_by_its_time_and_the_first_comes_first(self, store: Store):
        await store.commit(Batch(owed=[owed("b", "raised", 200), owed("a", "raised", 100), owed("c", "raised", 300)]))

        assert [] == await store.overdue(99)
        assert [StoredOwed(name("one"), "a", 100), StoredOwed(name("one"), "b", 200)] == await store.overdue(200)
        assert [StoredOwed(name("one"), "a", 100)] == await store.overdue(300, limit=1)

    async def test_what_is_raised_already_keeps_its_time(self, store: Store):
        await store.commit(Batch(owed=[owed("a", "raised", 100)]))
        await store.commit(Batch(owed=[owed("a", "raised", 200)]))

        assert [StoredOwed(name("one"), "a", 100)] == await store.overdue(200)

    async def test_what_is_red_or_discharged_is_not_found(self, store: Store):
        await store.commit(Batch(owed=[owed("a", "raised", 100), owed("b", "raised", 100)]))
        await store.commit(Batch(owed=[owed("a", "red", 200), owed("b", "discharged", 200)]))
        assert [] == await store.overdue(900)

        await store.commit(Batch(owed=[owed("a", "discharged", 300), owed("a", "raised", 400)]))
        assert [StoredOwed(name("one"), "a", 400)] == await store.overdue(900)

    async def test_tickets_are_told_apart(self, store: Store):
        await store.commit(Batch(owed=[owed("a", "raised", 100), owed("a", "raised", 100, "two")]))
        await store.commit(Batch(owed=[owed("a", "red", 200)]))

        assert [StoredOwed(name("two"), "a", 100)] == await store.overdue(900)
        assert [] == await store.overdue(900, ticket=name("one"))
