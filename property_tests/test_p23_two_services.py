"""P23: what one service refuses and another admits folds the same everywhere: a gate decides who, never what it means.

Two services are asked for the same decisions of the same people, whose roles they know differently. Both judge with the
real admission and write real logs; replicas then hold what both wrote.
"""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.adapters.storage.memory import MemoryStore
from crdt_sync.documents.log import LogDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain.transition import decode
from crdt_sync.replica.view import View
from crdt_sync.wire import ysync
from property_tests import model
from property_tests.gate import FIRST_CLIENT, Gate, principals, retold, submitted
from property_tests.strategies import histories, shipped, told
from property_tests.subject import lifecycle
from tests.world import SALES, World

ROLES = st.lists(st.booleans(), min_size=8, max_size=8)  # whether each department's people hold any, in one service
EVERYTHING = b"\x00"  # what a document has that somebody with nothing lacks


@given(st.data(), histories(), ROLES, ROLES)
def test_what_two_services_admit_between_them_folds_the_same_everywhere(data, drawn, here, there):
    history = retold(drawn)
    decisions = [i for i in history.lines if i != history.opening]
    worlds = [
        served(history, kept, data.draw(st.permutations(decisions)), 1 + n) for n, kept in enumerate([here, there])
    ]
    expected = model.fold(history.spec, admitted(*worlds), ticket=history.opening)
    for first, second in [worlds, worlds[::-1]]:
        for line in admitted(second):
            first.live.fold.add(decode(line))
        assert expected == first.live.fold.state().to_json()
        for submit in [*first.submits.values(), *second.submits.values()]:
            assert expected == shown(history, [first.live.log, second.live.log], submit)


def test_a_move_that_only_one_service_refuses_counts_for_the_replica_whose_move_it_is():
    history = retold(told(shipped(), ["q: sales.quote", "s: sales.sign < q"])[0])
    _, quote, sign = history.lines
    strict, other = (served(history, [keeps] * 8, [quote, sign], 1 + keeps) for keeps in [False, True])
    assert {quote: "role_not_held", sign: "role_not_held"} == strict.live.log.refused()
    state = shown(history, [strict.live.log, other.live.log], strict.submits["sales"])
    assert ("ready_to_start", {}) == (state["stage"], other.live.log.refused())


async def test_two_whole_services_agree_once_both_hold_what_one_of_them_refused():
    strict, other = worlds = [await World.start(MemoryStore()) for _ in range(2)]
    one, same = [await world.opened() for world in worlds]
    assert one.id == same.id
    quote = strict.made(SALES, one, "sales", "quote", [one.id])
    moves = [quote, strict.made(SALES, one, "sales", "sign", [quote.id])]
    await submit(strict, dataclasses.replace(SALES, roles=()), moves)
    await submit(other, SALES, moves)
    assert ["lead", "signed"] == [(await world.tickets.get(SALES, one.id)).lanes["sales"] for world in worlds]
    await submit(strict, SALES, moves)
    views = [await world.tickets.get(SALES, one.id) for world in worlds]
    assert (views[0].lanes, views[0].stage) == (views[1].lanes, views[1].stage)
    for world in worlds:
        await world.stop()


async def submit(world, principal, moves):
    connection, _ = await world.yjs(f"ticket/{moves[0].ticket}/submit/{principal.department}", principal)
    document = SubmitDocument(world.ids.client_id())
    for made in moves:
        connection.receive(ysync.encode_update(document.append_transition(made.record)))
    await world.settle()


def served(history, kept, order, client):
    """A service that was asked for everything in this order, where some people's roles were withdrawn."""
    people = principals(history.spec)
    for owner, keeps in zip(sorted(people), kept, strict=False):
        people[owner] = people[owner] if keeps else dataclasses.replace(people[owner], roles=())
    world = Gate(history, client)
    for n, i in enumerate(order):
        world.send(people[history.naive.events[i]["actor"]], submitted(FIRST_CLIENT + n, history.lines[i].decode()))
    return world


def admitted(*worlds):
    return sorted({record.encode() for world in worlds for record in world.live.log.transitions()})


def shown(history, logs, submit):
    """What a replica shows that follows both services, in this order, and still has what it submitted."""
    log = LogDocument(FIRST_CLIENT - 1)
    for one in logs:
        log.apply_committed(one.diff(EVERYTHING))
    return View(lifecycle(history.spec), history.opening).fold(log, submit.entries()).state().to_json()
