"""What must be so when everything is mended and everybody has heard of everything: the promises of the whole."""

import json
from collections.abc import Callable
from typing import Any

from property_tests import model
from property_tests.simulation.committed import array, mapping
from property_tests.simulation.machine import Machine
from property_tests.simulation.witness import differing, held
from property_tests.simulation.world import World

PARENT_REFUSED, NOT_HELD, NOT_THE_AUTHOR = "parent_refused", "role_not_held", "actor"


async def judge(world: World) -> None:
    """Check every promise; findings go to the witness."""
    folds = {ticket: _fold(world, ticket) for ticket in world.committed.tickets()}
    for ticket, expected in folds.items():
        _rows(world, ticket, expected)
        await _service(world, ticket, expected)
        _documents(world, ticket)
        _entries(world, ticket)
        for machine in world.machines:
            await _replica(world, machine, ticket, expected)
    _authors(world)
    for machine in world.machines:
        await _nothing_lost(world, machine, set(folds))


def _fold(world: World, ticket: str) -> dict[str, Any]:
    lines = [record.encode() for record in world.committed.journal(ticket)]
    result: dict[str, Any] = model.fold(world.cast.spec, lines, ticket=ticket)
    if result["pending"] or result["quarantined"]:
        world.witness.find("the journal is whole", f"{world.name(ticket)}: {result['pending']} {result['quarantined']}")
    return result


def _rows(world: World, ticket: str, expected: dict[str, Any]) -> None:
    """The ticket's row is what the oracle folds from the journal, at times of the service's own clock."""
    row, find = world.committed.row(ticket), world.witness.find
    for key in ("stage", "kind", "lanes", "flags", "obligations"):
        if model.canonical(row[key]) != model.canonical(expected[key]):
            find("the row is the fold", f"{world.name(ticket)}: {key} is {row[key]} and should be {expected[key]}")
    times = [at for _, of, _, at in world.committed.transitions() if of == ticket]
    now_ms = world.service.clock.now_ms()
    if not all(world.began_ms <= at <= now_ms for at in [*times, row["opened_at_ms"], row["updated_at_ms"]]):
        find("the service's own clock", f"{world.name(ticket)} has a time of another clock")


async def _service(world: World, ticket: str, expected: dict[str, Any]) -> None:
    async def read() -> Any:
        return (await world.service.desk.get(ticket)).fold.state().to_json()

    shown = await world.service.process.spawn(read())
    if difference := differing(shown, expected, world.committed.journal(ticket)):
        world.witness.find("the service's memory is the fold", f"{world.name(ticket)}: {difference}")


async def _replica(world: World, machine: Machine, ticket: str, expected: dict[str, Any]) -> None:
    """A replica shows what the oracle folds from the journal, and holds the documents as they are stored."""
    actor, find = machine.person.actor, world.witness.find

    async def read(replica: Any) -> Any:
        found = await replica.ticket(ticket)
        world.witness.view(replica, found)
        names = [str(name) for name in found.names]
        clocks = {name: replica._shelf._documents[name].state() for name in names}
        return held(replica, found), found.state.to_json(), dict(found.card), clocks

    lines, shown, card, clocks = await machine.do(read)
    journal = world.committed.journal(ticket)
    waiting = {model.identify(line.encode()) for line in {*lines} - {*journal}}
    if not {*journal} <= {*lines} or not waiting <= waiting_for_ever(world, ticket):
        find("all agree", f"{actor}, {world.name(ticket)}: {len(lines)} moves where {len(journal)} are stored")
    elif not waiting and (difference := differing(shown, expected, journal)):
        find("all agree", f"{actor}, {world.name(ticket)}: {difference}")
    if card != world.committed.row(ticket)["card"]:
        find("all agree", f"{actor}, {world.name(ticket)}: the card is {card}")
    for name, state in clocks.items():
        if state != world.committed.clocks(name):
            find("all agree", f"{actor} holds another {name} than is stored")


def _documents(world: World, ticket: str) -> None:
    """Journal and log, messages and conversation are the same; each entry is there once; positions have no hole."""
    log = array(world.committed.document(f"ticket/{ticket}/log"), "log")
    talk = array(world.committed.document(f"ticket/{ticket}/talk"), "messages")
    said = [record for _, of, record in world.committed.messages() if of == ticket]
    for name, document, rows in (("log", log, world.committed.journal(ticket)), ("talk", talk, said)):
        if sorted(document) != sorted(rows):
            world.witness.find("stored once", f"{name} of {world.name(ticket)} has {len(document)}, not {len(rows)}")
    for name in world.committed.documents():
        if not world.committed.is_whole(name):
            positions = [position for position, _, _ in world.committed.updates(name)]
            world.witness.find("stored once", f"{name} has positions {positions}")


def _entries(world: World, ticket: str) -> None:
    """Every submitted entry was admitted, refused with a code, or waits for what is named; honest ones with cause."""
    journal = {model.identify(record.encode()) for record in world.committed.journal(ticket)}
    said = {record for _, _, record in world.committed.messages()}
    refused = mapping(world.committed.document(f"ticket/{ticket}/log"), "refused")
    for department in sorted({lane["owner"] for lane in world.cast.spec["lanes"].values()}):
        document = world.committed.document(f"ticket/{ticket}/submit/{department}")
        for text in array(document, "transitions"):
            id_ = model.identify(text.encode())
            record = model.decode(text.encode())
            key = id_ if isinstance(record, dict) else model.sha(text.encode())
            if id_ not in journal and key not in refused:
                _waits(world, ticket, record, journal, refused)
            if id_ in journal and refused.get(key, NOT_THE_AUTHOR) != NOT_THE_AUTHOR:
                world.witness.find("admitted or refused", f"{world.name(id_)} is both, {refused[key]}")
            if isinstance(record, dict) and id_ not in journal and _is_honest(world, record, id_):
                _with_cause(world, ticket, record, id_, refused)
        for text in array(document, "messages"):
            if text in world.witness.made and text not in said:
                world.witness.find("nothing is lost", f"a message on {world.name(ticket)}")


def _waits(world: World, ticket: str, record: Any, journal: set[str], refused: dict[str, str]) -> None:
    """Only what lacks a parent or its payload may be undecided."""
    if not isinstance(record, dict):
        world.witness.find("nothing is lost", f"bytes without a code on {world.name(ticket)}")
        return
    lacks_parent = any(parent not in journal for parent in record["after"])
    form = mapping(world.committed.document(f"ticket/{ticket}/form/{record['lane']}"), "payloads")
    lacks_payload = record["payload"] is not None and record["payload"] not in form
    if not (lacks_parent or lacks_payload):
        move = f"{record['lane']}.{record['name']} of {record['actor']}"
        world.witness.find("nothing is lost", f"{move} on {world.name(ticket)} has no answer")


def _is_honest(world: World, record: dict[str, Any], id_: str) -> bool:
    maker = world.witness.made.get(id_, ("", ""))[0]
    return (
        id_ not in world.witness.adopted
        and maker == record["actor"]
        and maker in {person.actor for person in world.cast.replicas}
    )


def _with_cause(world: World, ticket: str, record: dict[str, Any], id_: str, refused: dict[str, str]) -> None:
    """What an honest replica made was enabled, so only a withdrawn role or a refused parent may refuse it."""
    code = refused.get(id_)
    causes: dict[str, Callable[[], bool]] = {
        PARENT_REFUSED: lambda: any(parent in refused for parent in record["after"]),
        NOT_HELD: lambda: bool({*record["roles"]} & world.cast.people()[record["actor"]].ever_withdrawn),
    }
    if code in {None, NOT_THE_AUTHOR} and id_ in waiting_for_ever(world, ticket):
        return  # the other refusal is that of a copy
    if code is None or not causes.get(code, lambda: False)():
        world.witness.find("the hostile change nothing", f"{record['actor']}'s {world.name(id_)} ended as {code}")


def _authors(world: World) -> None:
    """Whatever is in the journal was made by its actor, in a lane of its department, with roles that it has."""
    people, lanes = world.cast.people(), world.cast.spec["lanes"]
    for id_, ticket, text, _ in world.committed.transitions():
        record = json.loads(text)
        actor = record["actor"]
        if actor == "gateway":
            continue
        maker = world.witness.made.get(id_, ("", ""))[0]
        asked = (actor, ticket, record["lane"], record["name"]) in world.witness.asked
        if actor not in people or not (maker == actor or asked):
            world.witness.find("only authors", f"{world.name(id_)} is in the name of {actor}")
            continue
        principal = people[actor].principal
        owned = not record["after"] or lanes[record["lane"]]["owner"] == principal.department
        if not owned or not set(record["roles"]) <= set(principal.roles):
            world.witness.find("only authors", f"{actor} made {record['lane']}.{record['name']}")


async def _nothing_lost(world: World, machine: Machine, stored: set[str]) -> None:
    """What a replica holds of its own is admitted, or refused with a code, or waits for what nobody has."""
    actor, find = machine.person.actor, world.witness.find
    status = await machine.do(lambda replica: replica.status())
    known = [ticket.id for ticket in await machine.do(lambda replica: replica.tickets())]
    waits = False
    for ticket, entry in status.undelivered:
        if entry.code is None and entry.id in waiting_for_ever(world, ticket):
            waits = True
        elif entry.code is None and ticket in stored:
            find("nothing is lost", f"{actor}: {entry.label} is still pending")
    for ticket in {*known} - stored:
        if f"ticket/{ticket}/submit/{machine.person.department}" not in status.closed:
            find("nothing is lost", f"{actor}: {world.name(ticket)} was neither opened nor refused")
    for name, problem in status.closed.items():
        if name.split("/")[1] in stored:
            find("nothing is lost", f"{actor}: {name} was closed: {problem.code}")
    if actor in world.unsynced and not waits:
        find("everybody syncs", f"{actor}: {world.unsynced[actor]}")


def waiting_for_ever(world: World, ticket: str) -> set[str]:
    """What waits, and rightly so, for something that will not come, with all that builds on it.

    The payload of a move may have been on a disk alone of which an older backup was restored.
    """
    refused = mapping(world.committed.document(f"ticket/{ticket}/log"), "refused")
    journal = {model.identify(record.encode()) for record in world.committed.journal(ticket)}
    entries, sealed = {}, set[str]()
    for name in world.committed.documents():
        if name.startswith(f"ticket/{ticket}/submit/"):
            texts = array(world.committed.document(name), "transitions")
            records = {model.identify(text.encode()): model.decode(text.encode()) for text in texts}
            entries |= {id_: record for id_, record in records.items() if isinstance(record, dict)}
        if name.startswith(f"ticket/{ticket}/form/"):
            sealed |= mapping(world.committed.document(name), "payloads").keys()
    waiting = set[str]()
    if world.counts["fault: backup restored"]:
        waiting = {id_ for id_, e in entries.items() if e["payload"] is not None and e["payload"] not in sealed}
    waiting -= journal
    answered = {id_ for id_, code in refused.items() if code != NOT_THE_AUTHOR}
    grown = True
    while grown:
        more = {id_ for id_, e in entries.items() if waiting & {*e["after"]}} - waiting - journal - answered
        waiting, grown = waiting | more, bool(more)
    return waiting
