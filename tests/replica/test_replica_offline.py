"""A replica without a network: everything works, nothing is lost, and what is not delivered says so."""

import sqlite3

import pytest

from crdt_sync.errors import (
    Conflict,
    Forbidden,
    Malformed,
    NotFound,
    PreconditionUnknown,
    Refused,
    Unauthenticated,
    Unavailable,
)
from crdt_sync.replica import Replica
from tests.replica.loopback import opened, token_of
from tests.world import BACKOFFICE, GATEWAY, SALES, SALES_2, TECH


@pytest.fixture
def path(tmp_path):
    return tmp_path / "replica.db"


async def test_a_ticket_opened_offline_has_its_id_its_title_and_its_stage_at_once(path):
    async with opened(path, SALES) as replica:
        ticket = await replica.open_ticket(title="Fibre for the bakery")

        assert ("presale", "normal", "Fibre for the bakery") == (ticket.stage, ticket.kind, ticket.title)
        assert (ticket.id,) == ticket.pending
        assert [ticket.id] == [each.id for each in await replica.tickets()]


async def test_work_done_offline_survives_a_restart(path):
    async with opened(path, SALES) as replica:
        ticket = await replica.open_ticket(title="Fibre")
        await ticket.do("sales", "quote", {"price": "100.00"})
        await ticket.do("sales", "sign", {"contract": "A-17"})
        await ticket.say("Signed, thank you.")
        await ticket.set(priority="high")
        await ticket.set_form("sales", {"contact": "Ms Li"})
        await ticket.note("sales", "calls back at noon")
        before = ticket.state.to_json(), ticket.pending, ticket.explain(), dict(ticket.card)

    async with Replica.open(path) as replica:
        again = await replica.ticket(ticket.id[:8])
        assert before == (again.state.to_json(), again.pending, again.explain(), dict(again.card))
        assert ("ready_to_start", "signed", 4) == (again.stage, again.lanes["sales"], len(again.pending))
        assert ({"contact": "Ms Li"}, "calls back at noon\n") == (again.form("sales"), again.notes("sales"))
        assert ["Signed, thank you."] == [one.parts[0]["text"] for one in again.messages]
        assert "Ready to start" in " ".join(again.explain())
        assert "可以开工" in " ".join(again.explain("zh"))


async def test_a_move_builds_on_what_was_shown_and_not_on_what_came_since(path):
    async with opened(path, SALES) as replica:
        ticket = await replica.open_ticket(title="Fibre")
        await ticket.do("sales", "quote", {"price": "1"})
        shown = ticket.frontier
        await ticket.do("sales", "lose")
        await ticket.do("sales", "sign", {"contract": "A"}, seen=shown)

        assert ("disputed", "deal_disputed") == (ticket.lanes["sales"], ticket.stage)
        for unknown in ((), ("a" * 52,)):
            with pytest.raises(PreconditionUnknown):
                await ticket.do("sales", "lose", seen=unknown)


@pytest.mark.parametrize(
    ("lane", "name", "payload", "error", "code"),
    [
        ("sales", "sign", {"contract": "A"}, Conflict, "from"),
        ("sales", "rule_lost", None, Conflict, "role"),
        ("tech", "start", None, Forbidden, "lane_owner"),
        ("sales", "fly", None, Malformed, "unknown_transition"),
        ("moon", "fly", None, Malformed, "unknown_transition"),
        ("sales", "quote", {"price": "cheap"}, Malformed, "payload"),
    ],
)
async def test_what_the_service_would_refuse_is_refused_at_once_and_leaves_nothing(
    path, lane, name, payload, error, code
):
    async with opened(path, SALES) as replica:
        ticket = await replica.open_ticket(title="Fibre")
        with pytest.raises(error) as caught:
            await ticket.do(lane, name, payload)

        assert (code, (ticket.id,)) == (caught.value.code, ticket.pending)
        assert caught.value.message.endswith(".")


async def test_a_move_whose_condition_does_not_hold_says_what_is_in_the_way(path):
    async with opened(path, BACKOFFICE) as replica:
        ticket = await replica.open_ticket(title="Fibre")
        with pytest.raises(Conflict, match=r"case\.close is not possible while stage is 'presale'") as caught:
            await ticket.do("case", "close")

        assert "if" == caught.value.code


async def test_forms_are_read_by_their_readers_and_written_by_their_owner(path):
    async with opened(path, SALES) as replica:
        ticket = await replica.open_ticket(title="Fibre")
        with pytest.raises(Forbidden):
            await ticket.note("tech", "not mine")
        with pytest.raises(Refused):
            await ticket.set_form("sales", {"Not A Key": 1})
        with pytest.raises(Refused):
            await ticket.set(colour="red")

        assert {"title": "Fibre"} == ticket.card


async def test_a_title_that_no_card_holds_opens_nothing(path):
    async with opened(path, SALES) as replica:
        with pytest.raises(Refused):
            await replica.open_ticket(title="x" * 2_000)

        assert [] == await replica.tickets()
    async with Replica.open(path) as replica:
        assert [] == await replica.tickets()


async def test_who_may_not_open_tickets_is_told_at_once(path):
    async with opened(path, TECH) as replica:
        with pytest.raises(Forbidden) as caught:
            await replica.open_ticket(title="Fibre")

        assert "open_by" == caught.value.code


async def test_a_ticket_is_found_by_a_beginning_that_only_it_has(path):
    async with opened(path, SALES) as replica:
        opened_here = [await replica.open_ticket(title=str(n)) for n in range(40)]
        ids = [ticket.id for ticket in opened_here]
        shared = next(id_[0] for id_ in ids if sum(other[0] == id_[0] for other in ids) > 1)

        assert ids[3] == (await replica.ticket(ids[3])).id
        with pytest.raises(Malformed):
            await replica.ticket(shared)
        for nothing in ("", "!"):
            with pytest.raises(NotFound):
                await replica.ticket(nothing)


async def test_a_replica_has_one_owner_and_one_process(path):
    async with opened(path, SALES):
        with pytest.raises(Conflict) as caught:
            async with opened(path, SALES):
                raise AssertionError
        assert "replica_in_use" == caught.value.code
    with pytest.raises(Conflict) as caught:
        async with opened(path, SALES_2):
            raise AssertionError
    assert "replica_owner" == caught.value.code


@pytest.mark.parametrize(
    ("more", "error", "code"),
    [
        ({}, Unauthenticated, "token_missing"),
        ({"url": "ws://x"}, Unauthenticated, "token_missing"),
        ({"token": "nonsense"}, Unauthenticated, "token_invalid"),
        ({"token": token_of(SALES), "url": "http://x"}, Malformed, "url"),
        ({"token": token_of(GATEWAY)}, Forbidden, "gateway"),
    ],
)
async def test_a_replica_that_cannot_be_says_why(path, more, error, code):
    with pytest.raises(error) as caught:
        async with Replica.open(path, **more):
            raise AssertionError

    assert code == caught.value.code


async def test_a_file_that_is_no_replica_is_told(tmp_path, path):
    path.write_bytes(b"something else" * 100)
    for wrong in (path, tmp_path / "nowhere" / "replica.db"):
        with pytest.raises(Unavailable) as caught:
            async with Replica.open(wrong, token=token_of(SALES)):
                raise AssertionError
        assert "replica_store" == caught.value.code


async def test_a_replica_of_another_version_is_left_alone(path):
    async with opened(path, SALES):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    connection.close()
    with pytest.raises(Conflict) as caught:
        async with opened(path, SALES):
            raise AssertionError

    assert "replica_version" == caught.value.code


async def test_offline_nothing_syncs_and_the_status_says_so(path):
    async with opened(path, SALES) as replica:
        ticket = await replica.open_ticket(title="Fibre")
        with pytest.raises(Unavailable) as caught:
            await replica.synced(0.01)
        assert "not_synced" == caught.value.code
        with pytest.raises(Unavailable, match="offline"):
            await replica.refresh()
        status = await replica.status()

    assert ("offline", 1, [(ticket.id, None)]) == (
        status.connection,
        status.tickets,
        [(id_, entry.code) for id_, entry in status.undelivered],
    )


async def test_nothing_that_was_not_refused_is_retried(path):
    async with opened(path, SALES) as replica:
        ticket = await replica.open_ticket(title="Fibre")
        with pytest.raises(NotFound):
            await ticket.retry(ticket.id)
