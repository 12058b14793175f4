"""What it means that a ticket is a duplicate: where its conversation and its work go on, and what undoes it."""

import itertools
import random
from dataclasses import replace

import pytest

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.group import Groups
from crdt_sync.domain.message import decode
from crdt_sync.errors import Conflict, Forbidden, NotThereYet, Unavailable
from crdt_sync.ports import TicketFilter
from crdt_sync.ports.outbox import OutboxFilter
from crdt_sync.service.live_ticket import DUPLICATES_FOLLOWED_MAX
from tests.gated_store import GatedStore
from tests.world import BACKOFFICE, GATEWAY, SALES, STRANGER, SUPPORT, TECH, World, arrival

HOUR_MS = 3_600_000
READ_ONLY = replace(SALES, read_only=True)


@pytest.fixture
async def store():
    return GatedStore(MemoryStore())


@pytest.fixture
async def world(store):
    world = await World.start(store, others=["support-only"], groups=Groups((), HOUR_MS))
    yield world
    await world.stop()


async def hear(world, who, text="hello", **more):
    key = f"{who}-{text}-{len(await world.store.events(0, limit=10_000))}"
    (made,) = await world.tickets.ingest(GATEWAY, [arrival(key, text, conversation=who, sender=who, **more)])
    return made.ticket


async def mark(world, ticket, of):
    """Say that both are of one customer, and mark one as a duplicate of the other."""
    await world.conversations.link(SALES, ticket, of)
    return await world.conversations.mark_duplicate(SALES, ticket, of)


async def withdrawn(world):
    """A ticket in which tech owes a halt."""
    view = await world.opened()
    for name, payload in (("quote", {"price": "480.00"}), ("sign", {"contract": "secret-7"})):
        view = await world.do(SALES, view, "sales", name, payload=payload)
    view = await world.do(TECH, view, "tech", "start")
    return await world.do(SALES, view, "sales", "withdraw")


async def said(world, ticket):
    return [decode(row.record.encode()).parts[0]["text"] for row in await world.store.messages(ticket)]


async def sent_to(world):
    """Whom answers were sent to, in order."""
    rows = await world.store.deliveries(OutboxFilter(account="shop"))
    return [row.conversation for row in rows if row.message]


async def told(world, ticket, *types):
    events = await world.store.events(0, limit=10_000)
    return [(event.type, dict(event.data), event.audience) for event in events
            if event.ticket == ticket and event.type in types]  # fmt: skip


async def test_what_a_customer_writes_goes_where_the_work_goes_on_and_answers_follow(world):
    wechat, web = await hear(world, "chen"), await hear(world, "visitor", channel="web")
    marked = await mark(world, wechat, web)
    assert (web, None) == (marked.duplicate_of, (await world.tickets.get(SALES, web)).duplicate_of)

    await world.tickets.post_message(SALES, web, text="first answer")
    assert web == await hear(world, "chen", "from wechat")
    await world.tickets.post_message(SALES, web, text="second answer")
    assert web == await hear(world, "visitor", "from the page", channel="web")
    await world.tickets.post_message(SALES, web, text="third answer")

    assert ["hello"] == await said(world, wechat), "nothing is copied, and nothing goes there any more"
    expected = ["hello", "first answer", "from wechat", "second answer", "from the page", "third answer"]
    assert expected == await said(world, web)
    assert ["visitor", "chen", "visitor"] == await sent_to(world)
    departments = world.lifecycles.default.departments
    data = {"of": web, "by": SALES.actor}
    assert [("duplicate_marked", data, departments)] == await told(world, wechat, "duplicate_marked")


async def test_after_it_is_cleared_everything_is_as_it_was(world):
    wechat, web = await hear(world, "chen"), await hear(world, "visitor", channel="web")
    await mark(world, wechat, web)
    await hear(world, "chen", "there")
    cleared = await world.conversations.clear_duplicate(SUPPORT, wechat)

    assert cleared.duplicate_of is None
    assert wechat == await hear(world, "chen", "here again")
    await world.tickets.post_message(SALES, web, text="to the page")
    await world.tickets.post_message(SALES, wechat, text="to wechat")
    assert ["visitor", "chen"] == await sent_to(world)
    data = {"of": web, "by": SUPPORT.actor}
    assert data == (await told(world, wechat, "duplicate_cleared"))[0][1]
    assert cleared.version == (await world.conversations.clear_duplicate(SUPPORT, wechat)).version
    assert 1 == len(await told(world, wechat, "duplicate_cleared")), "nothing is told twice"


async def test_nothing_is_owed_of_a_duplicate_and_nothing_turns_red_until_it_is_cleared(world):
    owing, other = await withdrawn(world), await world.opened()
    kinds = ("obligation_raised", "obligation_discharged", "obligation_overdue")
    before = await told(world, owing.id, *kinds)
    marked = await mark(world, owing.id, other.id)
    assert ([], owing.version) == (marked.obligations, marked.version)
    explained = await world.tickets.explain(TECH, owing.id, "en")
    said_first = f"It is a duplicate: its work goes on in ticket {other.id}, and nothing is owed here."
    assert said_first == explained.lines[0]
    assert [] == (await world.tickets.list(TECH, TicketFilter("tech", owed_by="tech"))).tickets
    world.clock.advance(2 * HOUR_MS)
    await world.overdue.look()
    moved = await world.do(TECH, marked, "tech", "halt")
    await world.overdue.look()
    assert ("unwind", []) == (moved.stage, moved.obligations), "it moves on, and nothing is owed all the same"
    owed = before[-1][1]
    assert [("obligation_discharged", owed)] == [each[:2] for each in await told(world, owing.id, *kinds)][
        len(before) :
    ]

    cleared = await world.conversations.clear_duplicate(SALES, owing.id)
    assert [{"tech": ["dismantle"]}] == [each["owes"] for each in cleared.obligations]
    world.clock.advance(2 * HOUR_MS)
    await world.overdue.look()
    assert ["obligation_raised", "obligation_overdue"] == [each[0] for each in await told(world, owing.id, *kinds)][-2:]


async def test_a_mark_goes_to_where_the_others_work_goes_on_and_never_in_a_circle(world):
    one, two, three = [await hear(world, who) for who in ("chen", "li", "wang")]
    await mark(world, two, three)
    assert three == (await mark(world, one, two)).duplicate_of
    assert three == (await mark(world, one, three)).duplicate_of, "again changes nothing"
    assert 1 == len(await told(world, one, "duplicate_marked"))
    four = await hear(world, "zhao")
    for ticket, of, code in ((three, one, "circular"), (three, three, "circular"), (one, four, "duplicate")):
        with pytest.raises(Conflict) as refused:
            await mark(world, ticket, of)
        assert code == refused.value.code

    await mark(world, three, four)
    assert four == await hear(world, "chen", "through two")
    assert ["hello", "through two"] == await said(world, four)
    await world.conversations.clear_duplicate(SALES, three)
    await world.tickets.post_message(SALES, four, text="answer")
    assert ["zhao"] == await sent_to(world)


async def test_a_word_follows_so_many_marks_and_no_more(world):
    chain = [await hear(world, f"customer-{number}") for number in range(DUPLICATES_FOLLOWED_MAX + 1)]
    for one, other in itertools.pairwise(chain):
        await mark(world, one, other)

    assert chain[-1] == await hear(world, "customer-1", "as far as that")
    assert chain[-2] == await hear(world, "customer-0", "too far")


async def test_a_mark_shuts_nobody_out_and_leaves_no_customer_unanswered(world):
    support_only = next(one for one in world.lifecycles.all() if one.name == "support-only")
    shared, narrow = await hear(world, "chen"), await world.opened(SUPPORT, lifecycle=support_only.digest)
    with pytest.raises(Conflict) as refused:
        await world.conversations.mark_duplicate(SUPPORT, shared, narrow.id)
    assert "other_departments" == refused.value.code
    with pytest.raises(Conflict) as refused:
        await world.conversations.mark_duplicate(SALES, shared, (await world.opened()).id)
    assert "no_chat" == refused.value.code

    assert shared == (await world.conversations.mark_duplicate(SUPPORT, narrow.id, shared)).duplicate_of
    for call in (
        world.conversations.mark_duplicate(STRANGER, shared, shared),
        world.conversations.mark_duplicate(replace(SALES, tickets=(shared,)), shared, narrow.id),
        world.conversations.clear_duplicate(SALES, narrow.id),
    ):
        with pytest.raises(NotThereYet):
            await call
    for denied in (
        world.conversations.mark_duplicate(BACKOFFICE, shared, shared),
        world.conversations.mark_duplicate(READ_ONLY, shared, shared),
        world.conversations.clear_duplicate(READ_ONLY, shared),
        world.conversations.mark_duplicate(GATEWAY, shared, shared),
    ):
        with pytest.raises(Forbidden):
            await denied


async def test_a_mark_gives_a_customers_words_no_other_readers_and_answers_to_no_other_customer(world):
    support_only = next(one for one in world.lifecycles.all() if one.name == "support-only")
    wechat, web = await hear(world, "chen"), await hear(world, "visitor", channel="web")
    with pytest.raises(Conflict) as refused:
        await world.conversations.mark_duplicate(SALES, wechat, web)
    assert "other_customer" == refused.value.code
    await world.conversations.link(SALES, wechat, web)
    assert web == (await world.conversations.mark_duplicate(SALES, wechat, web)).duplicate_of

    world.lifecycles.default = support_only
    private = await hear(world, "li")
    await world.conversations.link(SUPPORT, private, web)
    with pytest.raises(Conflict) as refused:
        await world.conversations.mark_duplicate(SUPPORT, private, web)
    assert "more_readers" == refused.value.code


async def test_what_a_platform_tells_of_a_conversation_stays_with_it_unless_that_is_answered(world):
    wechat, web = await hear(world, "chen"), await hear(world, "visitor", channel="web")
    await mark(world, wechat, web)
    assert wechat == await hear(world, "chen", "session over", kind="system")
    await hear(world, "chen", "again")
    assert web == await hear(world, "chen", "over again", kind="system")


async def test_a_customer_whose_work_went_on_in_a_ticket_that_is_over_gets_a_new_one(world):
    wechat, web = await hear(world, "chen"), await hear(world, "visitor", channel="web")
    await mark(world, wechat, web)
    view = await world.tickets.get(SALES, web)
    for principal, lane, name in ((SALES, "sales", "lose"), (BACKOFFICE, "case", "close")):
        view = await world.do(principal, view, lane, name)
    assert web == await hear(world, "chen", "reopens it")
    view = await world.do(BACKOFFICE, await world.tickets.get(SALES, web), "case", "close")
    await world.do(BACKOFFICE, view, "case", "archive")

    new = await hear(world, "chen", "after")
    assert new not in {wechat, web}
    await world.tickets.post_message(SALES, new, text="answer")
    assert ["chen"] == await sent_to(world)


async def test_another_node_that_knows_no_better_is_told_by_the_commit(store, world):
    """It holds the tickets as they were, its commit fails, and who comes again finds them as they are."""
    other = await World.start(store, others=["support-only"])
    wechat, web = await hear(world, "chen"), await hear(world, "visitor", channel="web")
    for ticket in (wechat, web):
        await other.conversations.clear_duplicate(SALES, ticket)  # so that it holds both in memory

    async def tried(text):
        """Bring a message again for as long as the gateway is told to; each time one of the two is loaded anew."""
        while (
            made := (await other.tickets.ingest(GATEWAY, [arrival(text, text, conversation="chen")]))[0]
        ).ticket == "":
            assert "retry_later" == made.status
        return made.ticket

    await mark(world, wechat, web)
    assert web == await tried("second")
    with pytest.raises(Unavailable):
        await world.conversations.clear_duplicate(SALES, wechat)  # the other node has written both since
    await world.conversations.clear_duplicate(SALES, wechat)
    assert wechat == await tried("third")
    assert (["hello", "third"], ["hello", "second"]) == (await said(world, wechat), await said(world, web))

    await other.stop()


async def test_of_two_nodes_that_mark_in_a_circle_the_second_is_told_by_the_commit(store, world):
    other = await World.start(store, others=["support-only"])
    one, two = await hear(world, "chen"), await hear(world, "li")
    for ticket in (one, two):
        await other.conversations.clear_duplicate(SALES, ticket)  # so that it holds both in memory

    await mark(world, one, two)
    for refusal, code in ((Unavailable, "unavailable"), (Conflict, "circular")):
        with pytest.raises(refusal) as refused:
            await other.conversations.mark_duplicate(SALES, two, one)
        assert code == refused.value.code
    await other.stop()


@pytest.mark.parametrize("seed", range(12))
async def test_every_word_goes_where_the_marks_lead_and_every_answer_to_whoever_wrote_last(world, seed):
    """Marks, clearings, words and answers by chance, against a model of them that knows none of the service's code."""
    dice, people = random.Random(seed), [f"customer-{number}" for number in range(5)]
    tickets = {who: await hear(world, who) for who in people}
    of = {ticket: who for who, ticket in tickets.items()}
    marks, heard, sent = dict[str, str](), {ticket: who for who, ticket in tickets.items()}, list[str]()

    def end(ticket):
        return end(marks[ticket]) if ticket in marks else ticket

    for step in range(60):
        who, other = dice.sample(people, 2)
        ticket, into = tickets[who], tickets[other]
        match dice.choice(["mark", "clear", "say", "say", "answer"]):
            case "mark" if ticket in marks or end(into) == ticket:
                if end(ticket) != end(into):
                    with pytest.raises(Conflict):
                        await mark(world, ticket, into)
            case "mark":
                await mark(world, ticket, into)
                marks[ticket] = end(into)
            case "clear":
                former = end(ticket)
                await world.conversations.clear_duplicate(SALES, ticket)
                if marks.pop(ticket, None) is not None and end(tickets[heard[former]]) != former:
                    heard[former] = of[former]
            case "say":
                assert end(ticket) == await hear(world, who, f"word {step}")
                heard[end(ticket)] = who
            case "answer":
                await world.tickets.post_message(SALES, end(ticket), text=f"answer {step}")
                sent.append(heard[end(ticket)])
    assert marks == {id_: (await world.tickets.get(SALES, id_)).duplicate_of for id_ in marks}
    assert sent == await sent_to(world)
