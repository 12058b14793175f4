"""What any store must do with what the service desk keeps."""

from dataclasses import replace

import pytest

from crdt_sync.domain.ids import ActorId, Digest
from crdt_sync.ports import Batch, Store, StoreConflict
from crdt_sync.ports.desk import Assignment, NewParty, Turn
from tests.contracts.batches import AT_MS, message, name, ticket

LIFECYCLE, OTHER = Digest("d" * 64), Digest("e" * 64)


async def opened(store, word, party=None, *, at_ms=AT_MS, lifecycle=LIFECYCLE):
    new = replace(ticket(word), opened_at_ms=at_ms, lifecycle=lifecycle)
    parties = [NewParty(name(word), party)] if party is not None else []
    await store.commit(Batch(messages=[message(word, word)], tickets=[new], parties=parties))


async def words_of(store, customer, **more):
    found = await store.tickets_of(customer, [LIFECYCLE], **more)
    return [row.subject.removeprefix("subject of ") for row in found]


class DeskContract:
    @pytest.fixture
    async def store(self) -> Store:
        raise NotImplementedError

    async def test_open_tickets_are_counted_by_who_has_them_each_once(self, store: Store):
        one, two = (
            Assignment(name("one"), {"sales": "support-1", "tech": "support-1"}),
            Assignment(name("two"), {"sales": "support-2"}),
        )
        await store.commit(Batch(assignments=[one, two]))

        assert {"support-1": 1, "support-2": 1} == await store.open_tickets(["support-1", "support-2", "support-3"])
        await store.commit(Batch(assignments=[Assignment(name("two"), {"tech": "support-1"})]))
        assert {"support-1": 2} == await store.open_tickets({ActorId("support-1"), ActorId("support-2")})
        await store.commit(Batch(assignments=[Assignment(name("one"), {})]))
        assert {"support-1": 1} == await store.open_tickets(["support-1"])
        assert {} == await store.open_tickets([])

    async def test_a_turn_is_the_last_one_of_its_rule(self, store: Store):
        assert "" == await store.turn("first")
        await store.commit(Batch(turns=[Turn("first", ActorId("support-1")), Turn("other", ActorId("support-3"))]))
        await store.commit(Batch(turns=[Turn("first", ActorId("support-2"), "support-1")]))

        assert ("support-2", "support-3") == (await store.turn("first"), await store.turn("other"))

    @pytest.mark.parametrize("after", ["", "support-1"])
    async def test_a_turn_that_another_has_taken_is_a_conflict_that_keeps_nothing(self, store: Store, after):
        await store.commit(Batch(turns=[Turn("first", ActorId("support-2"))]))

        with pytest.raises(StoreConflict) as caught:
            await store.commit(Batch(messages=[message("m")], turns=[Turn("first", ActorId("support-3"), after)]))
        assert ("first",) == caught.value.keys
        assert ("support-2", None) == (await store.turn("first"), await store.message("m"))

    async def test_tickets_of_one_party_are_one_customers_the_last_opened_first(self, store: Store):
        for number, word in enumerate(["one", "two", "six"]):
            await opened(store, word, "party", at_ms=AT_MS + number // 2)
        await opened(store, "else", "another")
        await opened(store, "law", "party", lifecycle=OTHER)

        customer = await store.customer(name("two"))
        assert customer == await store.customer_of("party") != await store.customer(name("else"))
        assert ["six", "two", "one"] == await words_of(store, customer)
        assert ["six"] == await words_of(store, customer, limit=1)
        assert ["two", "one"] == await words_of(store, customer, after=name("six"))
        assert [] == await words_of(store, customer, after=name("nothing"))
        assert [] == await store.tickets_of(customer, [])
        assert ("", "") == (await store.customer(name("nothing")), await store.customer_of("nobody"))

    async def test_linked_customers_are_one_and_so_are_their_later_tickets(self, store: Store):
        await opened(store, "one", "wechat")
        await opened(store, "two", "web")
        await opened(store, "six")
        await store.link(name("one"), name("two"))
        await store.link(name("six"), name("one"))
        await store.link(name("six"), name("two"))
        await opened(store, "ten", "web")

        customer = await store.customer(name("one"))
        assert {"one", "two", "six", "ten"} == set(await words_of(store, customer))

    async def test_a_party_that_is_taken_out_takes_its_tickets_along_and_nobody_elses(self, store: Store):
        for word, party in (("one", "wechat"), ("two", "web"), ("six", "web")):
            await opened(store, word, party)
        await store.link(name("one"), name("two"))
        await store.unlink(name("two"), "fresh")
        await store.unlink(name("nothing"), "fresh")

        assert {"two", "six"} == set(await words_of(store, "fresh"))
        assert ["one"] == await words_of(store, await store.customer(name("one")))
        await store.link(name("one"), name("six"))
        assert 3 == len(await words_of(store, await store.customer(name("two"))))
