"""The hostile department: a good token, and bytes that no client of ours would send.

Nothing that it does may change another department's result, show it another's sandbox, or stop the service.
"""

import json
from collections.abc import Callable
from random import Random

import pycrdt

from property_tests.model import canonical, identify, lifecycle_digest, listed
from property_tests.simulation.cast import EPOCH_MS
from property_tests.simulation.client import appended
from property_tests.simulation.committed import Situation, structs
from property_tests.simulation.deeds import Deed, deed
from property_tests.simulation.world import World

ABSENT = identify(b"a transition that nobody has")
Sent = tuple[str, bytes] | tuple[str, bytes, str]  # what it is, the bytes, and to which document if not its own


@deed(16)
async def attack(world: World, told: Deed) -> str:
    """Send one piece of damage."""
    ticket = world.pick_stored(told.b)
    if ticket is None:
        return "the hostile department finds nothing to damage"
    dice = Random(f"{told}")
    what, data, *elsewhere = dice.choice(ATTACKS)(world, ticket, dice)
    [document] = elsewhere or [_own(world, ticket)]
    world.counts[f"attack: {what}"] += 1
    world.client(world.cast.hostile).send(document, data)
    return f"{world.cast.hostile.actor} sends to {world.name(ticket)}: {what}"


def _own(world: World, ticket: str) -> str:
    return f"ticket/{ticket}/submit/{world.cast.hostile.department}"


def _record(world: World, of: str, dice: Random, **changes: object) -> str:
    """A well-formed transition of some lane, in the hostile person's name unless it says otherwise."""
    lanes, journal = world.cast.spec["lanes"], world.committed.journal(of)
    lane = changes.get("lane") or dice.choice(sorted(lanes))
    name = changes.get("name") or dice.choice(sorted(lanes[lane]["transitions"]))
    rule, principal = lanes[lane]["transitions"][name], world.cast.hostile.principal
    record = {
        "v": 1, "ticket": of, "lane": lane, "name": name, "actor": principal.actor,
        "roles": sorted({*listed(rule.get("by", lanes[lane]["owner"]))}), "payload": None,
        "after": [identify(journal[-1 - dice.randrange(min(3, len(journal)))].encode())],
        "lifecycle": lifecycle_digest(world.cast.spec), "at": dice.choice((0, EPOCH_MS, 2**53 - 1)),
    }  # fmt: skip
    text = canonical(record | changes).decode()
    if json.loads(text).get("actor") == principal.actor:
        world.witness.made[identify(text.encode())] = principal.actor, text
    return text


def _enabled(world: World, ticket: str, dice: Random, lanes: list[str], **changes: object) -> str:
    """A move that is enabled now, if there is one in these lanes: nothing but its author speaks against it."""
    situation = Situation(world.cast.spec, world.committed.journal(ticket))
    moves = situation.enabled(lanes)
    if not moves:
        return _record(world, ticket, dice, lane=lanes[0], **changes)
    lane, name = dice.choice(moves)
    return _record(world, ticket, dice, lane=lane, name=name, after=situation.frontier, **changes)


def _theirs(world: World, ticket: str, dice: Random) -> str:
    return dice.choice(world.committed.journal(ticket))


def another_s_name(world: World, ticket: str, dice: Random) -> Sent:
    victim = dice.choice(world.cast.replicas).principal
    lanes = [lane for lane, rules in world.cast.spec["lanes"].items() if rules["owner"] == victim.department]
    text = _enabled(world, ticket, dice, lanes, actor=victim.actor)
    return "a move in another's name", appended(world.ids, text)


def another_s_lane(world: World, ticket: str, dice: Random) -> Sent:
    text = _enabled(world, ticket, dice, [*world.cast.spec["lanes"]])
    return "a move of any lane", appended(world.ids, text)


def another_s_opening(world: World, ticket: str, dice: Random) -> Sent:
    """A new ticket in an honest person's name, with the roles that the hostile one holds."""
    opening = json.loads(world.committed.journal(ticket)[0])
    victim, roles = dice.choice(world.cast.replicas), sorted(world.cast.hostile.principal.roles)
    opening |= {"actor": victim.actor, "roles": roles, "subject": f"forged-{dice.randrange(100)}"}
    text = canonical(opening).decode()
    return "an opening in another's name", appended(world.ids, text), _own(world, identify(text.encode()))


def claimed_roles(world: World, ticket: str, dice: Random) -> Sent:
    text = _record(world, ticket, dice, roles=["everything", *sorted(world.cast.hostile.principal.roles)])
    return "a move with roles that are not held", appended(world.ids, text)


def copied(world: World, ticket: str, dice: Random) -> Sent:
    root = dice.choice(("transitions", "messages"))
    return "a copy of another's move", appended(world.ids, _theirs(world, ticket, dice), root)


def renamed(world: World, ticket: str, dice: Random) -> Sent:
    record = json.loads(_theirs(world, ticket, dice)) | {"actor": world.cast.hostile.actor}
    text = canonical(record).decode()
    world.witness.made[identify(text.encode())] = world.cast.hostile.actor, text
    return "another's move in its own name", appended(world.ids, text)


def foreign(world: World, ticket: str, dice: Random) -> Sent:
    other = dice.choice([*world.committed.tickets(), ABSENT])
    return "a move of another ticket", appended(world.ids, _record(world, ticket, dice, ticket=other))


def crowded(world: World, ticket: str, dice: Random) -> Sent:
    parents = sorted(identify(f"{n}".encode()) for n in range(33))
    return "33 parents", appended(world.ids, _record(world, ticket, dice, after=parents))


def orphan(world: World, ticket: str, dice: Random) -> Sent:
    parents = sorted({ABSENT, *json.loads(_record(world, ticket, dice))["after"]})
    return "a parent that nobody has", appended(world.ids, _record(world, ticket, dice, after=parents))


def not_canonical(world: World, ticket: str, dice: Random) -> Sent:
    text = _record(world, ticket, dice)
    broken = dice.choice((text[:-1] + " }", text.replace('"v":1', '"v":1.0'), "[" * 3000, text + "x" * 5000, "", "{}"))
    return "an entry that is no transition", appended(world.ids, broken, dice.choice(("transitions", "messages")))


def second_opening(world: World, ticket: str, dice: Random) -> Sent:
    opening = json.loads(world.committed.journal(ticket)[0]) | {"subject": f"subject-{dice.randrange(4)}"}
    return "a second opening", appended(world.ids, canonical(opening).decode())


def mutated(world: World, ticket: str, dice: Random) -> Sent:
    data = appended(world.ids, _record(world, ticket, dice))
    at = dice.randrange(len(data))
    return "an update with changed bytes", data[:at] + dice.randbytes(dice.randrange(3)) + data[at + 1 :]


def noise(world: World, ticket: str, dice: Random) -> Sent:
    return "bytes that are no update", dice.randbytes(dice.randrange(60))


def deletion(world: World, ticket: str, dice: Random) -> Sent:
    document = pycrdt.Doc(client_id=world.ids.client_id())
    entries = document.get("transitions", type=pycrdt.Array)
    entries.append(_record(world, ticket, dice))
    del entries[0]
    return "a deletion in its submissions", document.get_update()


def other_root(world: World, ticket: str, dice: Random) -> Sent:
    return "another root", appended(world.ids, _record(world, ticket, dice), "log")


def taken_client(world: World, ticket: str, dice: Random) -> Sent:
    names = [name for name in world.committed.documents() if f"/{ticket}/" in f"{name}/"]
    taken = [client for name in names for client in world.committed.clocks(name)]
    client = dice.choice(sorted({*taken, 1}))
    return "another's client id", appended(world.ids, _record(world, ticket, dice), client_id=client)


def replayed(world: World, ticket: str, dice: Random) -> Sent:
    """Old bytes of a document into the same or another, whoever wrote them."""
    names = [name for name in world.committed.documents() if f"/{ticket}/" in f"{name}/"]
    _, data, _ = dice.choice(world.committed.updates(dice.choice(names)))
    return "an old update again", data, dice.choice([*names, _own(world, ticket)])


def trespass(world: World, ticket: str, dice: Random) -> Sent:
    parts = ["log", "talk", "card", *(f"form/{lane}" for lane in world.cast.spec["lanes"])]
    parts += [f"submit/{person.department}" for person in world.cast.replicas]
    document = f"ticket/{ticket}/{dice.choice(parts)}"
    known = [item.client for _, data, _ in world.committed.updates(document) for item in structs(data)]
    client = dice.choice([*known, world.ids.client_id()])
    root = dice.choice(("log", "transitions", "messages", "notes"))
    return "a write into what is not its own", appended(world.ids, _theirs(world, ticket, dice), root, client), document


ATTACKS: tuple[Callable[[World, str, Random], Sent], ...] = (
    another_s_name, another_s_name, another_s_lane, another_s_lane, another_s_opening, claimed_roles, copied, renamed,
    foreign, crowded, orphan, not_canonical, second_opening, mutated, mutated, noise, deletion, other_root,
    taken_client, replayed, trespass,
)  # fmt: skip
