"""What honest people do: with their replicas, and by command; careless ones too, whose client checks nothing."""

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any

from crdt_sync.domain import transition
from crdt_sync.domain.ids import Digest, LaneId, TicketId, TransitionId
from crdt_sync.replica import Replica
from crdt_sync.service.arrival import Arrival
from crdt_sync.service.tickets import Tickets
from property_tests.simulation.cast import GATEWAY, Person, secret_of
from property_tests.simulation.client import appended
from property_tests.simulation.committed import Situation, array
from property_tests.simulation.deeds import Deed, deed
from property_tests.simulation.machine import outcome
from property_tests.simulation.world import World

LOOKS, LOOK_S = 8, 0.01
TRIES = 6  # of a command, until one is enabled
VALUES = {"text": "a contract, {}", "money": "12.50", "integer": 7, "date": "2026-01-01", "file": "contract.pdf {}"}


@deed(60)
async def move(world: World, told: Deed) -> str:
    """Make a transition that is enabled, in a lane of one's own department."""
    machine = world.machine(told.who)
    ticket = await world.ticket(machine, told.b)
    if ticket is None or ticket.lifecycle is None:
        return f"{machine.person.actor} sees no ticket to work on"
    moves = _moves(world, machine.person, told.a)
    seen = world.stale(machine, ticket) if told.b % 5 == 0 else None
    code = "nothing"
    for lane, name in moves:
        payload = _payload(world, machine.person, lane, name, told.a)
        made, code = await outcome(machine.do(lambda _: ticket.do(lane, name, payload, seen=seen)))  # noqa: B023
        if made is not None:
            world.remember(machine, ticket, made)
            return f"{machine.person.actor} makes {lane}.{name} on {world.name(ticket.id)}: {world.name(made)}"
        if code not in {"from", "if", "role"}:
            break
    return f"{machine.person.actor} can make no move on {world.name(ticket.id)}: {code}"


@deed(4)
async def open_ticket(world: World, told: Deed) -> str:
    """Open a ticket on a replica, with or without a network."""
    machine = world.machine(told.who)
    subject = f"subject-{told.a % 4}" if told.b % 3 == 0 else None
    ticket, code = await outcome(machine.do(lambda replica: replica.open_ticket(title=f"T{told.a}", subject=subject)))
    if ticket is None:
        return f"{machine.person.actor} opens no ticket: {code}"
    world.remember(machine, ticket, ticket.id)
    return f"{machine.person.actor} opens {world.name(ticket.id)}"


@deed(10)
async def look(world: World, told: Deed) -> str:
    """Read everything on a replica; the witness reads along."""
    machine = world.machine(told.who)

    async def read(replica: Replica) -> int:
        tickets = await replica.tickets()
        for ticket in tickets:
            if ticket.lifecycle is not None:
                world.witness.view(replica, ticket)
                machine.seen[ticket.id] = tuple(ticket.frontier)
        return len(tickets)

    found, _ = await outcome(machine.do(read))
    return f"{machine.person.actor} looks at {found} tickets"


@deed(4)
async def note(world: World, told: Deed) -> str:
    """Write into the own form what is nobody else's business."""
    machine = world.machine(told.who)
    ticket = await world.ticket(machine, told.b)
    lanes = _lanes(world, machine.person)
    if ticket is None or not lanes:
        return f"{machine.person.actor} has nothing to note"
    text = f"{secret_of(machine.person.department)} {told.a}"
    _, code = await outcome(machine.do(lambda _: ticket.note(lanes[told.a % len(lanes)], text)))
    return f"{machine.person.actor} notes on {world.name(ticket.id)} {code}"


@deed(4)
async def set_card(world: World, told: Deed) -> str:
    """Change the card that all share."""
    machine = world.machine(told.who)
    ticket = await world.ticket(machine, told.b)
    if ticket is None:
        return f"{machine.person.actor} has no card"
    value = None if told.a % 7 == 0 else str(told.a % 3)
    _, code = await outcome(machine.do(lambda _: ticket.set(priority=value)))
    return f"{machine.person.actor} sets the card of {world.name(ticket.id)} {code}"


@deed(4)
async def say(world: World, told: Deed) -> str:
    """Answer the customer."""
    machine = world.machine(told.who)
    ticket = await world.ticket(machine, told.b)
    if ticket is None:
        return f"{machine.person.actor} has nobody to answer"
    said, code = await outcome(machine.do(lambda _: ticket.say(f"answer {told.a}")))
    if said is not None:
        world.remember(machine, ticket, said)
    return f"{machine.person.actor} answers on {world.name(ticket.id)} {code}"


@deed(2)
async def retry(world: World, told: Deed) -> str:
    """Submit again what was refused."""
    machine = world.machine(told.who)
    ticket = await world.ticket(machine, told.b)
    if ticket is None or not (refused := sorted(ticket.refused)):
        return f"{machine.person.actor} has nothing to retry"
    id_ = refused[told.a % len(refused)]
    _, code = await outcome(machine.do(lambda _: ticket.retry(id_)))
    if not code:  # whoever had submitted it in this name, now it is the author who does
        world.witness.adopted.add(id_)
        world.remember(machine, ticket, id_)
    return f"{machine.person.actor} retries {world.name(id_)} {code}"


@deed(8)
async def command(world: World, told: Deed) -> str:
    """Work on a ticket without a replica: judged in the version that was shown, which may be stale."""
    person, ticket = world.machine(told.who).person, world.pick_stored(told.b)
    if ticket is None:
        return f"{person.actor} has no ticket to command"
    versions = [row[0] for row in world.database.rows("SELECT position FROM transitions WHERE ticket = ?", ticket)]
    key = f"k{told.a % 9}" if told.a % 2 else None
    seen = str(versions[-1 - told.b % min(3, len(versions))])
    for lane, name in _moves(world, person, told.a)[:TRIES]:
        payload = _payload(world, person, lane, name, told.a)
        world.witness.asked.add((person.actor, ticket, lane, name))
        asked = {"lane": lane, "name": name, "seen": seen, "payload": payload, "request_id": key}
        answer, code = await outcome(world.service.call(partial(_transition, person, ticket, asked)))
        if answer is not None:
            world.witness.answered(person.actor, transitions=[answer.transition])
            return f"{person.actor} commands {lane}.{name} on {world.name(ticket)}: {world.name(answer.transition)}"
        if code not in {"from", "if", "role"}:
            break
    return f"{person.actor} commands in vain on {world.name(ticket)}: {code}"


@deed(4)
async def read(world: World, told: Deed) -> str:
    """Ask the service for a ticket's history."""
    person, ticket = world.machine(told.who).person, world.pick_stored(told.b)
    if ticket is None:
        return f"{person.actor} has nothing to read"
    history, code = await outcome(world.service.call(lambda tickets: tickets.history(person.now, ticket)))
    if history is not None:
        world.witness.answered(person.actor, transitions=[entry["id"] for entry in history])
    return f"{person.actor} reads the history of {world.name(ticket)} {code}"


@deed(3)
async def customer(world: World, told: Deed) -> str:
    """Let a customer write, perhaps the same twice, through the gateway."""
    text = f"message {told.a % 12}"
    arrival = Arrival(
        key=f"key-{told.a % 12}", channel="wechat", account="shop", conversation=f"customer-{told.b % 2}",
        sender=f"customer-{told.b % 2}", kind="customer", parts=({"type": "text", "text": text},), sent_at_ms=told.a,
    )  # fmt: skip
    answers, code = await outcome(world.service.call(lambda tickets: tickets.ingest(GATEWAY, [arrival])))
    for answer in answers or ():
        if answer.status in {"accepted", "duplicate"}:
            world.witness.answered("gateway", messages=[answer.message])
    return f"a customer writes {text!r}: {code or answers[0].status}"


@deed(10)
async def careless(world: World, told: Deed) -> str:
    """Append to the department's submissions what a client of ours would not: disabled, a colleague's, or a copy."""
    ticket = world.pick_stored(told.b)
    if ticket is None:
        return "nobody is careless"
    person = world.cast.careless[told.who % len(world.cast.careless)]
    document = f"ticket/{ticket}/submit/{person.department}"
    situation = Situation(world.cast.spec, world.committed.journal(ticket))
    moves = situation.enabled(_lanes(world, person)) if told.a % 4 else []
    lane, name = (moves or _moves(world, person, told.a))[told.a // 4 % len(moves or [0])]
    colleagues = [other.principal.actor for other in world.cast.replicas if other.department == person.department]
    submitted = array(world.committed.document(document), "transitions")
    if told.a % 4 == 1 and submitted:
        text, what = submitted[told.b % len(submitted)], "a copy of what was submitted"
    elif told.a % 4 == 2:
        text = made_by(world, person, ticket, lane, name, situation.frontier, actor=colleagues[0]).record
        what = f"{lane}.{name} in the name of {colleagues[0]}"
    else:
        made = made_by(world, person, ticket, lane, name, situation.frontier)
        world.witness.made[made.id] = person.actor, made.record
        text, what = made.record, f"{lane}.{name}, {'enabled' if moves else 'enabled or not'}: {world.name(made.id)}"
    world.client(person).send(document, appended(world.ids, text))
    if not moves:
        await _watch(world, person.department)
    return f"{person.actor} submits on {world.name(ticket)} {what}"


async def _watch(world: World, department: str) -> None:
    """Have colleagues look at what arrives, as it arrives: what is refused shows until the refusal comes."""
    for _ in range(LOOKS):
        await asyncio.sleep(LOOK_S)
        for machine in world.machines:
            if machine.person.department == department:
                await outcome(machine.do(partial(_view, world)))


async def _view(world: World, replica: Replica) -> None:
    for ticket in await replica.tickets():
        if ticket.lifecycle is not None:
            world.witness.view(replica, ticket)


def _transition(person: Person, ticket: str, asked: dict[str, Any], tickets: Tickets) -> Awaitable[Any]:
    return tickets.transition(person.now, ticket, **asked)


def made_by(
    world: World, person: Person, ticket: str, lane: str, name: str, after: list[str], **more: object
) -> transition.Transition:
    """A transition as a client writes it that checks nothing."""
    fields: dict[str, object] = {
        "at": world.loop_ms(),
        "roles": person.principal.roles,
        "actor": person.principal.actor,
        **more,
    }
    return transition.make(
        ticket=TicketId(ticket),
        lane=LaneId(lane),
        name=name,
        after=tuple(TransitionId(id_) for id_ in sorted(after)),
        lifecycle=Digest(world.lifecycle.digest),
        **fields,  # type: ignore[arg-type]
    )


def _lanes(world: World, person: Person) -> list[str]:
    return [lane for lane, rules in world.cast.spec["lanes"].items() if rules["owner"] == person.department]


def _moves(world: World, person: Person, number: int) -> list[tuple[str, str]]:
    """Every move of one's own lanes, in an order that the number chooses; settlements come to be tried often."""
    rules = world.cast.spec["lanes"]
    moves = [(lane, name) for lane in _lanes(world, person) for name in rules[lane]["transitions"]]
    start = number % len(moves)
    found = [*moves[start:], *moves[:start]]
    if number % 3 == 0:
        found.sort(key=lambda move: "settles" not in rules[move[0]]["transitions"][move[1]])
    return found


def _payload(world: World, person: Person, lane: str, name: str, number: int) -> dict[str, object] | None:
    fields = world.cast.spec["lanes"][lane]["transitions"][name].get("payload")
    if not fields or number % 4 == 0:
        return None
    secret = f"{secret_of(person.department)} {number % 2}"
    return {
        field: VALUES[kind].format(secret) if kind in {"text", "file"} else VALUES[kind]
        for field, kind in fields.items()
    }
