"""Internal notes never leave: whatever people do, no word of a form stands anywhere but in the form's own document.

Everything that the service writes or says is looked at: what each commit holds, what a gateway is given, what groups
are told, and what people of every department are answered.
"""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, time

from hypothesis import given, settings
from hypothesis import strategies as st

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.domain.delivery import Conversation
from crdt_sync.domain.group import Group, Groups, Notice
from crdt_sync.domain.hours import Hours
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.service_desk import Person, Reply, Rule, ServiceDesk
from crdt_sync.errors import Forbidden
from crdt_sync.ports.outbox import OutboxFilter
from crdt_sync.service.sending import Report, lease_of
from tests.gated_store import GatedStore
from tests.world import BACKOFFICE, GATEWAY, SALES, SUPPORT, TECH, World, arrival

PEOPLE = (SALES, SUPPORT, TECH, BACKOFFICE)
ROBOTS = replace(GATEWAY, actor="gateway-2", accounts=("robot", "sellers"))
GROUPS = Groups(
    (
        Group(Conversation("dingtalk", "robot", "cid"), "backoffice", frozenset(Notice), "zh"),
        Group(Conversation("feishu-group", "sellers", ""), "sales", frozenset(Notice), "en"),
    )
)
DESK = ServiceDesk(
    rules=(Rule("all", lane="support", assign="sticky"),),
    hours=Hours(UTC, (((time(9), time(10)),),) * 7),
    away={"en": "Closed until {opens}."},
    people=(Person("support-1", "support", "Anna"),),
    replies=(Reply("hello", frozenset({"sales", "support"}), {"en": "Hello"}, {"en": "{customer}, {agent}"}),),
)
SECRETS = ("note", "field", "payload", "group")
DEEDS = st.sampled_from([*SECRETS, "answer", "card", "take", "customer", "close", "link"])
OWNERS = {"sales": SALES, "support": SUPPORT, "tech": TECH, "case": BACKOFFICE}


async def do(world, deed, word, ticket, lane):
    """Do something with a word, and return it if it belongs into a form."""
    match deed:
        case "note":
            await world.tickets.update_form(OWNERS[lane], ticket, lane, fields={}, note=word)
        case "field":
            await world.tickets.update_form(OWNERS[lane], ticket, lane, fields={"why": word})
        case "payload":
            view = await world.tickets.get(SALES, ticket)
            if view.lanes["sales"] not in {"lead", "quoted"}:
                return None
            word = f"{81_000 + int(word.rpartition(' ')[2])}.37"
            await world.do(SALES, view, "sales", "quote", payload={"price": word})
        case "group":
            said = {"account": "robot", "conversation": "cid", "sender": "wang", "display_name": "王芳"}
            await world.tickets.ingest(ROBOTS, [arrival(word, f"#{ticket[:10]} {word}", **said)])
        case "answer":
            await world.tickets.post_message(SUPPORT, ticket, text=word)
        case "card":
            await world.tickets.update_card(SALES, ticket, fields={"title": word})
        case "take":
            await world.tickets.take(OWNERS[lane], ticket, lane)
        case "customer":
            await world.tickets.ingest(GATEWAY, [arrival(word, word)])
        case "link":
            await world.conversations.link(SALES, ticket, (await world.opened()).id)
        case "close":
            view = await world.tickets.get(SALES, ticket)
            if view.lanes["sales"] in {"lead", "quoted"}:
                view = await world.do(SALES, view, "sales", "lose")
                await world.do(BACKOFFICE, view, "case", "close")
    return word if deed in SECRETS else None


async def answers(world, ticket):
    """Everything that people of every department are answered, but the forms."""
    for principal in PEOPLE:
        yield await world.tickets.get(principal, ticket)
        yield await world.tickets.explain(principal, ticket, "en")
        yield await world.tickets.history(principal, ticket)
        for asked in (
            world.tickets.messages(principal, ticket),
            world.conversations.past(principal, ticket),
            world.conversations.writing(principal, ticket),
            world.conversations.replies(principal, ticket),
        ):
            try:
                yield await asked
            except Forbidden as denied:
                yield denied.message


async def leaving(world):
    """Everything that gateways are given, for customers and for groups."""
    for gateway in (GATEWAY, ROBOTS):
        asked = {"accounts": (), "idempotent": (), "in_flight_max": 0}
        claiming = world.outbox.claim(Identity(gateway, None), **asked)
        waiting = len(await world.store.deliveries(OutboxFilter(), limit=1_000))
        for _ in range(waiting):
            fetching = asyncio.ensure_future(anext(claiming))
            await world.settle()
            if not fetching.done():
                fetching.cancel()
                break
            row = fetching.result()
            yield row
            await world.outbox.report(gateway, Report(row.id, lease_of(row), "sent"))
        await claiming.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(DEEDS, st.sampled_from(sorted(OWNERS))), max_size=10))
def test_no_word_of_a_form_is_anywhere_but_in_the_form(history):
    async def play():
        store = GatedStore(MemoryStore())
        world = await World.start(store, groups=GROUPS, service_desk=DESK)
        (made,) = await world.tickets.ingest(GATEWAY, [arrival("first", display_name="Ms Chen")])
        secrets = []
        for number, (deed, lane) in enumerate(history):
            word = await do(world, deed, f"word of {deed} {number}", made.ticket, lane)
            secrets += [word] if word is not None else []
        said = [repr(answer) async for answer in answers(world, made.ticket)]
        said += [repr(row) async for row in leaving(world)]
        said += [json.dumps(event.data) for event in await store.events(0, limit=10_000)]
        forms = []
        for batch in store.batches:
            forms += [update.data for update in batch.updates if "/form/" in update.document]
            others = [update for update in batch.updates if "/form/" not in update.document]
            said.append(repr(replace(batch, updates=others)))
        await world.stop()
        written = b"\n".join(forms)
        assert all(word.encode() in written for word in secrets), "they are where they belong"
        assert [] == [(word, text) for word in secrets for text in said if word in text]
        assert len(said) > 20

    asyncio.run(play())
