"""What any `Store` must do. An adapter proves itself by a subclass that overrides the fixture."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from crdt_sync.adapters.storage.keys import ALARMS_PER_DEPARTMENT_MAX
from crdt_sync.domain.ids import ActorId, Department, Digest, MessageId, Position, Role
from crdt_sync.domain.restriction import Restriction
from crdt_sync.domain.tripwire import ALARMS_PER_TICKET_MAX
from crdt_sync.ports import (
    Batch,
    Committed,
    JournalRow,
    NewSubject,
    Store,
    StoreConflict,
    StoreDamaged,
    StoredEvent,
    StoredMessage,
    StoredResult,
    StoreUnavailable,
    TicketFilter,
    TicketRow,
)
from crdt_sync.ports.operator import HOUR_MS, RefusalFilter, StoredRestriction
from crdt_sync.ports.stored import StoredDocument, StoredUpdate
from tests.contracts.batches import (
    AT_MS,
    TRACE,
    alarm,
    compaction,
    event,
    message,
    name,
    owes,
    quarantined,
    refusal,
    result,
    snapshot,
    subject,
    ticket,
    transition,
    update,
)
from tests.contracts.user_contract import ANN, SESSION

SALES, TECH, LEGAL = Department("sales"), Department("tech"), Department("legal")


class StoreContract:
    @pytest.fixture
    async def store(self) -> Store:
        raise NotImplementedError

    # Positions

    async def test_a_new_store_is_at_position_zero(self, store: Store):
        assert await store.position() == 0

    async def test_positions_follow_the_order_of_the_fields_without_holes(self, store: Store):
        await store.commit(Batch(updates=[update("d", 1)]))
        committed = await store.commit(
            Batch(
                events=[event("opened"), event("changed")],
                messages=[message("m")],
                transitions=[transition("t"), transition("s")],
                updates=[update("d", 2), update("e", 1)],
            )
        )

        assert committed == Committed(Position(2), Position(8), {"t": 4, "s": 5})
        assert [2] == [row.position for row in (await store.document("d")).updates[1:]]
        assert [3] == [row.position for row in (await store.document("e")).updates]
        assert [6] == [row.position for row in await store.messages(name("one"))]
        assert [7, 8] == [row.position for row in await store.events(Position(0))]
        assert await store.position() == 8

    async def test_a_batch_without_positioned_rows_advances_nothing(self, store: Store):
        await store.commit(Batch(updates=[update("d", 1)]))

        assert await store.commit(Batch(results=[result("k")])) == Committed(Position(2), Position(1))
        assert await store.commit(Batch()) == Committed(Position(2), Position(1))
        assert await store.position() == 1

    # Documents

    async def test_a_document_that_was_never_written_is_empty(self, store: Store):
        document = await store.document("d")

        assert document == StoredDocument(None, ())
        assert document.document_position == 0

    async def test_updates_come_back_in_order_with_who_sent_them(self, store: Store):
        await store.commit(Batch(updates=[update("d", 2, b"two"), update("e", 1), update("d", 1, b"\x00one\xff")]))

        sent_by = (ActorId("sales-agent"), SALES, ("rep", "lead"), AT_MS, TRACE)
        assert (await store.document("d")).updates == (
            StoredUpdate(1, Position(3), b"\x00one\xff", *sent_by),
            StoredUpdate(2, Position(1), b"two", *sent_by),
        )

    async def test_a_document_with_a_hole_is_an_error_and_never_a_part_of_it(self, store: Store):
        await store.commit(Batch(updates=[update("d", 1), update("d", 3)]))

        with pytest.raises(StoreDamaged, match="update 2 of d"):
            await store.document("d")

    # Compaction

    async def test_a_compaction_takes_the_place_of_the_rows_that_it_covers(self, store: Store):
        await store.commit(Batch(updates=[update("d", n) for n in (1, 2, 3)] + [update("e", 1)]))
        before = await store.document("d")

        await store.compact(compaction("d", 0, 2))

        assert StoredDocument(snapshot(2), before.updates[2:]) == await store.document("d")
        assert [b"who wrote what up to 2"] == await store.authorship("d")
        assert (await store.document("e")).snapshot is None
        assert [] == await store.authorship("e")

    async def test_a_later_compaction_takes_the_place_of_the_first(self, store: Store):
        await store.commit(Batch(updates=[update("d", n) for n in (1, 2, 3)]))
        await store.compact(compaction("d", 0, 2))

        await store.compact(compaction("d", 2, 3, b"newer"))

        assert StoredDocument(snapshot(3, b"newer"), ()) == await store.document("d")
        assert [b"who wrote what up to 2", b"who wrote what up to 3"] == await store.authorship("d")

    async def test_documents_are_named_in_order_and_page_by_page(self, store: Store):
        await store.commit(Batch(updates=[update("d", 1), update("d", 2), update("b", 1)]))
        await store.commit(Batch(updates=[update("c", 1)]))
        await store.compact(compaction("c", 0, 1))
        await store.renew("a", [], frozenset({7}))

        assert ["a", "b", "c", "d"] == list(await store.documents())
        assert ["b", "c"] == list(await store.documents(after="a", limit=2))

    # Epochs

    async def test_a_new_epoch_moves_the_position_and_every_ticket_ahead(self, store: Store):
        await store.commit(Batch(transitions=[transition("t")], tickets=[ticket("one", newest="t")]))

        await store.begin_epoch(Position(1_000), AT_MS)

        row = await store.ticket(name("one"))
        assert (1_000, 1_000, 1) == (await store.position(), row.position, row.version)
        assert [row] == list(await store.tickets(TicketFilter(SALES, changed_after=Position(999))))
        assert Committed(Position(1_001), Position(1_001)) == await store.commit(Batch(updates=[update("d", 1)]))
        assert 1 == (await store.document("d")).epoch

    async def test_positions_never_move_back(self, store: Store):
        await store.commit(Batch(updates=[update("d", 1), update("d", 2)]))
        await store.begin_epoch(Position(1), AT_MS)

        assert 2 == await store.position()
        await store.begin_epoch(Position(1), AT_MS)
        assert 2 == (await store.document("d")).epoch

    async def test_a_renewed_document_holds_its_new_life_alone(self, store: Store):
        await store.commit(Batch(updates=[update("d", 1, b"old"), update("d", 2, b"older"), update("e", 1, b"other")]))
        await store.compact(compaction("d", 0, 1))

        await store.renew("d", [update("d", 1, b"new")], frozenset({5, 2**32 - 1}))

        await store.compact(compaction("d", 0, 1, b"again", position=4))
        assert [b"who wrote what up to 1"] * 2 == await store.authorship("d"), (
            "who wrote in a former life is known, too"
        )
        await store.renew("d", [update("d", 1, b"new")], frozenset())
        renewed, other = await store.document("d"), await store.document("e")
        assert (None, 0, [b"new"]) == (
            renewed.snapshot,
            renewed.snapshot_position,
            [row.data for row in renewed.updates],
        )
        assert Position(5) == renewed.updates[0].position
        assert frozenset({5, 2**32 - 1}) == renewed.ended
        assert ([b"other"], frozenset()) == ([row.data for row in other.updates], other.ended)

    async def test_client_ids_that_have_ended_stay_so(self, store: Store):
        await store.renew("d", [update("d", 1)], frozenset({5}))
        await store.renew("d", [update("d", 1)], frozenset({6}))

        assert frozenset({5, 6}) == (await store.document("d")).ended

    @pytest.mark.parametrize(
        ("before", "position"), [(0, 3), (1, 3), (3, 3), (2, 4)], ids=["none", "older", "newer", "a row too many"]
    )
    async def test_a_compaction_of_something_else_than_is_stored_changes_nothing(self, store: Store, before, position):
        await store.commit(Batch(updates=[update("d", n) for n in (1, 2, 3)]))
        await store.compact(compaction("d", 0, 2))
        stored = await store.document("d")

        with pytest.raises(StoreConflict) as conflict:
            await store.compact(compaction("d", before, position, b"other"))

        assert ("d",) == conflict.value.keys
        assert stored == await store.document("d")
        assert 1 == len(await store.authorship("d"))

    async def test_an_update_where_a_snapshot_stands_is_a_conflict(self, store: Store):
        """A writer elsewhere, who has not heard of what the snapshot holds, would write what nobody reads."""
        await store.commit(Batch(updates=[update("d", n) for n in (1, 2, 3)]))
        await store.compact(compaction("d", 0, 2))

        for position in (1, 2, 3):
            with pytest.raises(StoreConflict) as conflict:
                await store.commit(Batch(updates=[update("e", 1), update("d", position)]))
            assert ("d",) == conflict.value.keys

        await store.commit(Batch(updates=[update("e", 1), update("d", 4)]))
        assert [3, 4] == [row.document_position for row in (await store.document("d")).updates]

    # Journals

    async def test_a_journal_holds_its_ticket_only_oldest_first(self, store: Store):
        await store.commit(Batch(transitions=[transition("z", record='"Ü"'), transition("b", "two")]))
        await store.commit(Batch(transitions=[transition("a", record="2")], messages=[message("a", record="3")]))

        assert await store.journal(name("one")) == [
            JournalRow(Position(1), "z", '"Ü"'),
            JournalRow(Position(3), "a", "2"),
        ]
        assert await store.messages(name("one")) == [JournalRow(Position(4), "a", "3")]
        await store.commit(Batch(messages=[message("b"), message("c"), message("d", "two")]))
        newest = await store.newest_messages([name("one"), name("two"), name("none")], 2)
        assert [["c", "b"], ["d"], []] == [[row.id for row in newest[name(word)]] for word in ("one", "two", "none")]
        assert await store.journal(name("three")) == []

    # Conflicts

    @pytest.mark.parametrize(
        ("batch", "key"),
        [
            (Batch(updates=[update("d", 1, b"other")]), "d"),
            (Batch(transitions=[transition("t", "two")]), "t"),
            (Batch(messages=[message("m", "two")]), "m"),
            (Batch(subjects=[subject("s", "two")]), "s"),
            (Batch(results=[result("k", text="2")]), "k"),
            (Batch(tickets=[ticket("one")]), name("one")),
            (Batch(tickets=[ticket("one", 2)]), name("one")),
            (Batch(tickets=[ticket("two", 3)]), name("two")),
        ],
        ids=["update", "transition", "message", "subject", "result", "created", "stale", "absent"],
    )
    async def test_what_exists_is_a_conflict_that_names_its_key_and_keeps_nothing(self, store: Store, batch, key):
        first = Batch(
            updates=[update("d", 1)],
            transitions=[transition("t")],
            messages=[message("m")],
            subjects=[subject("s")],
            results=[result("k")],
            tickets=[ticket("one", newest="t")],
        )
        await store.commit(first)
        innocent = Batch(
            updates=[update("innocent", 1), *batch.updates],
            transitions=batch.transitions,
            messages=batch.messages,
            events=[event("innocent")],
            tickets=[ticket("innocent"), *batch.tickets],
            subjects=[NewSubject("innocent", name("innocent")), *batch.subjects],
            results=[result("innocent"), *batch.results],
        )

        with pytest.raises(StoreConflict) as raised:
            await store.commit(innocent)

        assert raised.value.keys == (key,)
        assert await store.position() == 3
        assert (await store.document("innocent")).updates == ()
        assert await store.events(Position(0)) == []
        assert await store.ticket(name("innocent")) is None
        assert await store.subject("innocent") is None
        assert await store.result(ActorId("sales-agent"), "innocent") is None
        assert (await store.document("d")).updates[0].data == b"\x00\x00"
        assert await store.subject("s") == name("one")
        assert (await store.commit(Batch(updates=[update("d", 2)]))).first == 4

    async def test_a_conflict_names_every_key_once_in_order(self, store: Store):
        await store.commit(Batch(updates=[update("d", 1), update("d", 2)], subjects=[subject("s")]))

        with pytest.raises(StoreConflict) as raised:
            await store.commit(
                Batch(
                    updates=[update("d", 1), update("d", 2), update("e", 1)],
                    tickets=[ticket("one", 9)],
                    subjects=[subject("s"), subject("new")],
                )
            )

        assert raised.value.keys == ("d", name("one"), "s")

    @pytest.mark.parametrize(
        ("batch", "key"),
        [
            (Batch(updates=[update("d", 1), update("d", 1)]), "d"),
            (Batch(transitions=[transition("t"), transition("t")]), "t"),
            (Batch(messages=[message("m"), message("m")]), "m"),
            (Batch(subjects=[subject("s"), subject("s", "two")]), "s"),
            (Batch(results=[result("k"), result("k")]), "k"),
            (Batch(tickets=[ticket("new"), ticket("new")]), name("new")),
            (Batch(tickets=[ticket("one", 1), ticket("one", 1)]), name("one")),
        ],
        ids=["update", "transition", "message", "subject", "result", "created", "changed"],
    )
    async def test_a_batch_may_not_claim_a_key_twice(self, store: Store, batch, key):
        await store.commit(Batch(transitions=[transition("o")], tickets=[ticket("one", newest="o")]))

        with pytest.raises(StoreConflict) as raised:
            await store.commit(batch)

        assert raised.value.keys == (key,)
        assert await store.position() == 1

    async def test_the_same_idempotency_key_of_two_actors_is_two_keys(self, store: Store):
        await store.commit(Batch(updates=[update("d", 1), update("d", 2)], results=[result("k", "sales-agent", "1")]))
        await store.commit(Batch(results=[result("k", "tech-agent", "2")], events=[event("opened")]))

        assert StoredResult(Digest("e" * 64), "1", Position(2)) == await store.result(ActorId("sales-agent"), "k")
        assert StoredResult(Digest("e" * 64), "2", Position(3)) == await store.result(ActorId("tech-agent"), "k")
        assert await store.result(ActorId("support-agent"), "k") is None

    async def test_a_message_is_found_by_its_id(self, store: Store):
        await store.commit(Batch(messages=[message("m", "two", '"Ü"'), message("n")]))

        assert StoredMessage(name("two"), '"Ü"') == await store.message(MessageId("m"))
        assert await store.message(MessageId("o")) is None

    async def test_transitions_and_messages_have_ids_of_their_own(self, store: Store):
        await store.commit(Batch(transitions=[transition("x")], messages=[message("x")]))

        assert await store.position() == 2

    async def test_hundreds_of_conflicts_are_all_named(self, store: Store):
        batch = Batch(updates=[update(f"d{n:04}", 1) for n in range(1100)])
        await store.commit(batch)

        with pytest.raises(StoreConflict) as raised:
            await store.commit(batch)

        assert raised.value.keys == tuple(f"d{n:04}" for n in range(1100))

    # Tickets

    async def test_a_ticket_comes_back_as_written(self, store: Store):
        await store.commit(
            Batch(
                transitions=[transition("t")],
                events=[event("opened")],
                tickets=[ticket("one", newest="t", obligations=[owes("tech")])],
            )
        )

        assert await store.ticket(name("one")) == TicketRow(
            id=name("one"),
            lifecycle=Digest("d" * 64),
            subject="subject of one",
            stage="negotiation",
            kind="progress",
            lanes={"sales": "open", "tech": "idle"},
            flags={"tech": ["review"]},
            obligations=[{"row": "unwind", "owes": {"tech": ["dismantle"]}, "trigger": []}],
            card={"title": "Glasfaser für 王"},
            participants=(SALES, TECH),
            version=Position(1),
            position=Position(2),
            opened_at_ms=AT_MS,
            updated_at_ms=AT_MS + 1,
        )
        assert await store.ticket(name("two")) is None

    async def test_the_version_follows_transitions_and_the_position_every_write(self, store: Store):
        await store.commit(Batch(transitions=[transition("t")], tickets=[ticket("one", newest="t")]))
        await store.commit(Batch(updates=[update("card", 1)], tickets=[ticket("one", 1)]))
        row = await store.ticket(name("one"))
        assert row
        assert (1, 2) == (row.version, row.position)

        more = [transition("u"), transition("v")]
        await store.commit(
            Batch(transitions=more, events=[event("moved")], tickets=[ticket("one", 2, "u", stage="won")])
        )
        row = await store.ticket(name("one"))
        assert row
        assert (3, 5, "won") == (row.version, row.position, row.stage)

    async def test_created_and_changed_tickets_share_a_batch(self, store: Store):
        await store.commit(Batch(transitions=[transition("t")], tickets=[ticket("one", newest="t")]))
        await store.commit(
            Batch(transitions=[transition("u", "two")], tickets=[ticket("two", newest="u"), ticket("one", 1)])
        )

        rows = await store.tickets(TicketFilter(SALES))

        assert [(name("one"), 1, 2), (name("two"), 2, 2)] == [(row.id, row.version, row.position) for row in rows]

    # Listing

    @pytest.fixture
    async def listed(self, store: Store) -> Store:
        await store.commit(
            Batch(
                events=[event("first")],
                tickets=[
                    ticket(
                        "a",
                        lanes={"sales": "won", "tech": "built"},
                        obligations=[owes("legal"), owes("tech"), owes("tech")],
                    ),
                    ticket("b", lanes={"sales": "won", "tech": "idle"}, stage="build", obligations=[owes("sales")]),
                    ticket("c", lanes={"sales": "won"}, participants=["sales"], stage="build"),
                    ticket("d", lanes={"sales": "won"}, participants=["legal"], stage="build"),
                ],
            )
        )
        await store.commit(Batch(events=[event("second")], tickets=[ticket("e", lanes={"tech": "won"})]))
        return store

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (TicketFilter(SALES), "abce"),
            (TicketFilter(TECH), "abe"),
            (TicketFilter(LEGAL), "d"),
            (TicketFilter(Department("fin")), ""),
            (TicketFilter(SALES, tickets=(name("d"), name("c"), name("a"))), "ac"),
            (TicketFilter(SALES, tickets=()), ""),
            (TicketFilter(SALES, together_with=SALES), "abce"),
            (TicketFilter(SALES, together_with=TECH), "abe"),
            (TicketFilter(SALES, together_with=LEGAL), ""),
            (TicketFilter(SALES, stage="build"), "bc"),
            (TicketFilter(SALES, lane_states={"sales": "won"}), "abc"),
            (TicketFilter(SALES, lane_states={"sales": "won", "tech": "idle"}), "b"),
            (TicketFilter(SALES, lane_states={"legal": "won"}), ""),
            (TicketFilter(SALES, owed_by="tech"), "a"),
            (TicketFilter(SALES, owed_by="sales", stage="build", lane_states={"tech": "idle"}), "b"),
            (TicketFilter(SALES, changed_after=Position(1)), "e"),
            (TicketFilter(SALES, changed_after=Position(0), stage="build"), "bc"),
        ],
    )
    async def test_a_listing_holds_what_passes_the_filter_and_nothing_of_other_departments(
        self, listed: Store, where, expected
    ):
        assert [name(word) for word in expected] == [row.id for row in await listed.tickets(where)]

    async def test_a_listing_is_paged_by_id(self, listed: Store):
        where = TicketFilter(SALES)
        first = await listed.tickets(where, limit=3)
        rest = await listed.tickets(where, after=first[-1].id, limit=3)

        assert [name("a"), name("b"), name("c")] == [row.id for row in first]
        assert [name("e")] == [row.id for row in rest]

    async def test_a_listing_follows_what_the_ticket_became(self, listed: Store):
        changed = ticket(
            "b", 1, "moved", stage="done", lanes={"sales": "done", "tech": "idle"}, participants=["tech", "legal"]
        )
        await listed.commit(Batch(transitions=[transition("moved", "b")], tickets=[changed]))

        assert name("b") not in [row.id for row in await listed.tickets(TicketFilter(SALES))]
        assert await listed.tickets(TicketFilter(TECH, stage="build")) == []
        assert await listed.tickets(TicketFilter(TECH, owed_by="sales")) == []
        assert await listed.tickets(TicketFilter(TECH, lane_states={"sales": "won", "tech": "idle"})) == []
        found = TicketFilter(LEGAL, stage="done", lane_states={"sales": "done", "tech": "idle"})
        assert [name("b")] == [row.id for row in await listed.tickets(found)]

    async def test_what_follows_from_transitions_changes_with_one_alone(self, listed: Store):
        before = await listed.ticket(name("b"))
        changed = ticket(
            "b", 1, stage="done", lanes={"sales": "done"}, participants=["legal"], obligations=[owes("tech")]
        )
        new = replace(changed, card={"title": "Anew"}, updated_at_ms=9)
        committed = await listed.commit(Batch(events=[event("moved")], tickets=[new]))

        row = replace(before, card={"title": "Anew"}, updated_at_ms=9, position=committed.last)
        assert row == await listed.ticket(name("b"))
        assert name("b") in [found.id for found in await listed.tickets(TicketFilter(TECH, stage="build"))]
        assert name("b") not in [found.id for found in await listed.tickets(TicketFilter(LEGAL))]

    async def test_a_row_is_restated_as_a_duplicate_and_keeps_its_version_and_its_mark(self, listed: Store):
        before = await listed.ticket(name("b"))
        marked = replace(ticket("b", 1), restated=True, duplicate_of=name("a"), answers_in=name("c"), updated_at_ms=9)
        committed = await listed.commit(Batch(events=[event("duplicate_marked")], tickets=[marked]))
        row = await listed.ticket(name("b"))
        found = await listed.tickets(TicketFilter(TECH, owed_by="sales"))

        assert before
        assert row
        expected = (name("a"), name("c"), before.version, committed.last, [])
        assert expected == (row.duplicate_of, row.answers_in, row.version, row.position, row.obligations)
        assert name("b") not in [each.id for each in found], "nothing is owed any more"

        again = await listed.commit(Batch(events=[event("moved")], tickets=[ticket("b", committed.last)]))
        assert replace(row, position=again.last, updated_at_ms=AT_MS + 1) == await listed.ticket(name("b"))

    # Subjects, events, lifecycles

    async def test_a_subject_is_bound_to_its_ticket(self, store: Store):
        await store.commit(Batch(subjects=[subject("s", "one"), subject("t", "two")]))

        assert name("two") == await store.subject("t")
        assert await store.subject("u") is None

    async def test_events_come_oldest_first_from_behind_a_position(self, store: Store):
        await store.commit(Batch(updates=[update("d", 1)], events=[event("opened", nested={"list": (1, None)})]))
        await store.commit(Batch(events=[event("moved"), event("closed")]))

        assert await store.events(Position(0), limit=1) == [
            StoredEvent(
                Position(2), "opened", name("one"), {"nested": {"list": [1, None]}}, (SALES, TECH), AT_MS, TRACE
            )
        ]
        assert ["moved", "closed"] == [row.type for row in await store.events(Position(2))]
        assert await store.events(Position(4)) == []

    async def test_a_lifecycle_is_kept_as_it_was_saved_first(self, store: Store):
        await store.save_lifecycle(Digest("a" * 64), "first: Ü")
        await store.save_lifecycle(Digest("b" * 64), "second")
        await store.save_lifecycle(Digest("a" * 64), "changed")

        assert await store.lifecycles() == {"a" * 64: "first: Ü", "b" * 64: "second"}

    async def test_quarantine_takes_the_same_bytes_again_and_no_position(self, store: Store):
        for _ in range(2):
            await store.commit(Batch(quarantined=[quarantined(b"\xff"), quarantined(b"\xff")]))

        assert await store.position() == 0

    # Alarms

    async def test_an_alarm_is_kept_once_a_ticket_department_and_heads_and_the_first_one_counts(self, store: Store):
        first, odd = alarm(heads="b"), alarm("two", text="\x00\"'\u2028")
        kept = [await store.save_alarm(one) for one in (first, alarm(heads="b", text="Again."), odd)]
        kept += [await store.save_alarm(one) for one in (alarm(heads="a"), alarm(department="legal", heads="b"))]

        assert [True, False, True, True, True] == kept
        assert [alarm(department="legal", heads="b"), alarm(heads="a"), first] == await store.alarms(name("one"))
        assert [odd] == await store.alarms(name("two"))
        assert [] == await store.alarms(name("three"))
        assert 0 == await store.position()

    async def test_a_department_keeps_so_many_alarms_a_ticket_and_in_all_and_takes_no_room_of_another(
        self, store: Store
    ):
        tickets = [f"t{'abcdefghij'[n // 10]}{'abcdefghij'[n % 10]}" for n in range(30)]
        kept = [await store.save_alarm(alarm(ticket, heads=heads)) for ticket in tickets for heads in "12345"]

        assert [True] * ALARMS_PER_TICKET_MAX == kept[:4]
        assert not kept[4]
        assert ALARMS_PER_DEPARTMENT_MAX == kept.count(True)
        assert not kept[-1]
        assert await store.save_alarm(alarm(tickets[0], "legal"))

    # What is kept for the operator

    async def test_the_newest_restriction_of_a_person_counts_and_changes_are_followed_in_order(self, store: Store):
        agent, wang = ActorId("sales-agent"), ActorId("王")
        first = await store.restrict(agent, partial(replace, read_only=True), 1)
        other = await store.restrict(wang, partial(replace, roles=(Role("sales"),), tickets=()), 2)
        newest = await store.restrict(agent, partial(replace, valid_from_ms=3), 3)

        assert 0 < first.change < other.change < newest.change
        assert Restriction(agent, read_only=True) == first.restriction
        assert StoredRestriction(other.change, Restriction(wang, roles=(Role("sales"),), tickets=()), 2) == other
        assert StoredRestriction(newest.change, Restriction(agent, read_only=True, valid_from_ms=3), 3) == newest
        assert [other, newest] == list(await store.restrictions())
        assert [newest] == list(await store.restrictions(other.change))
        assert [] == list(await store.restrictions(newest.change))
        assert 0 == await store.position()

    async def test_of_two_who_restrict_a_person_at_once_neither_is_forgotten(self, store: Store):
        agent = ActorId("sales-agent")
        amendments = (partial(replace, read_only=True), partial(replace, revoked=True), partial(replace, tickets=()))
        await asyncio.gather(*(store.restrict(agent, amend, 1) for amend in amendments))

        (stored,) = await store.restrictions()
        assert Restriction(agent, revoked=True, read_only=True, tickets=()) == stored.restriction

    async def test_an_amendment_that_fails_leaves_a_restriction_as_it_was(self, store: Store):
        before = await store.restrict(ActorId("sales-agent"), partial(replace, revoked=True), 1)
        with pytest.raises(ZeroDivisionError):
            await store.restrict(ActorId("sales-agent"), lambda _: 1 / 0, 2)

        assert [before] == list(await store.restrictions())

    async def test_refusals_of_one_kind_and_hour_are_one_row(self, store: Store):
        await store.commit(Batch(refusals=[refusal(), refusal(last_ms=2), refusal(subject="other")]))
        await store.commit(Batch(refusals=[refusal(count=3, last_ms=5), refusal(hour_ms=HOUR_MS)]))

        assert [
            refusal(hour_ms=HOUR_MS),
            refusal(subject="other"),
            refusal(count=5, last_ms=5),
        ] == list(await store.refusals(RefusalFilter()))
        assert 0 == await store.position()

    async def test_refusals_are_found_by_person_code_and_source_the_newest_first(self, store: Store):
        kept = [refusal(code="read_only"), refusal(actor="tech-agent"), refusal(source="f00")]
        await store.commit(Batch(refusals=kept))

        assert kept[::-1] == list(await store.refusals(RefusalFilter()))
        assert kept[:1] == list(await store.refusals(RefusalFilter(code="read_only")))
        assert kept[1:2] == list(await store.refusals(RefusalFilter(actor=ActorId("tech-agent"))))
        assert kept[2:] == list(await store.refusals(RefusalFilter(source="f00")))
        assert kept[:1:-1] == list(await store.refusals(RefusalFilter(), limit=1))

    # Failure

    async def test_a_batch_that_cannot_be_encoded_leaves_nothing(self, store: Store):
        """A value that is no JSON is a mistake of ours; the store must survive it."""
        with pytest.raises(TypeError):
            await store.commit(Batch(updates=[update("d", 1)], events=[event("odd", value=object())]))
        with pytest.raises(KeyError):
            await store.commit(Batch(updates=[update("d", 1)], tickets=[ticket("one", newest="not in the batch")]))

        assert (await store.commit(Batch(updates=[update("d", 1)]))).first == 1

    async def test_check_passes_and_changes_nothing_that_is_read(self, store: Store):
        await store.check()

        assert await store.position() == 0

    async def test_a_closed_store_refuses_everything(self, store: Store):
        await store.close()
        await store.close()

        for call in (
            store.commit(Batch()),
            store.document("d"),
            store.compact(compaction("d", 0, 1)),
            store.authorship("d"),
            store.documents(),
            store.journal(name("one")),
            store.messages(name("one")),
            store.message(MessageId("m")),
            store.ticket(name("one")),
            store.tickets(TicketFilter(SALES)),
            store.subject("s"),
            store.result(ActorId("sales-agent"), "k"),
            store.events(Position(0)),
            store.position(),
            store.save_lifecycle(Digest("a" * 64), ""),
            store.lifecycles(),
            store.save_alarm(alarm()),
            store.alarms(name("one")),
            store.restrict(ActorId("sales-agent"), replace, 0),
            store.restrictions(),
            store.refusals(RefusalFilter()),
            store.add_user(ANN),
            store.user(ANN.name),
            store.users(),
            store.amend_user(ANN.name, replace),
            store.begin_session(SESSION, forget_before_ms=0),
            store.session("d"),
            store.end_session("d", 0),
            store.sessions(),
            store.check(),
        ):
            with pytest.raises(StoreUnavailable):
                await call
