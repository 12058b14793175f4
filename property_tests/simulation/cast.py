"""Who is in a world: the departments' people and what each holds, the hostile department, and everybody's clock."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import jwt

from crdt_sync.adapters.clock import uuid7
from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ActorId, Department, Role
from crdt_sync.errors import Unauthenticated
from crdt_sync.ports import Clock
from property_tests.model import listed
from property_tests.simulation.loop import VirtualLoop
from property_tests.small import small_lifecycles
from property_tests.strategies import shipped

EPOCH_MS = 1_700_000_000_000
DAY_MS = 86_400_000
SHARE_OF_SHIPPED = 0.6
GATEWAY = Principal(ActorId("gateway-1"), Department("gateway"), (Role("gateway"),), accounts=("shop",))


class SkewedClock:
    """A `Clock` that shows the world's time, and is wrong by days."""

    def __init__(self, loop: VirtualLoop, skew_ms: int) -> None:
        self._loop, self.skew_ms = loop, skew_ms

    def now_ms(self) -> int:
        return EPOCH_MS + int(self._loop.time() * 1000) + self.skew_ms


class DrawnIds:
    """`Ids` that a seed repeats."""

    def __init__(self, seed: str, clock: Clock) -> None:
        self._random, self._clock = Random(seed), clock

    def client_id(self) -> int:
        return self._random.randrange(1, 2**32)

    def uuid7(self) -> str:
        return uuid7(self._clock.now_ms(), self._random.getrandbits(74))

    def salt(self) -> str:
        return self._random.randbytes(16).hex()

    def jitter(self) -> float:
        return self._random.random()


@dataclass
class Person:
    """Somebody with a token. `withdrawn` roles are not held now; what was made with them before meets a refusal."""

    principal: Principal
    withdrawn: set[str] = field(default_factory=set)
    ever_withdrawn: set[str] = field(default_factory=set)

    @property
    def actor(self) -> str:
        return self.principal.actor

    @property
    def department(self) -> str:
        return self.principal.department

    @property
    def now(self) -> Principal:
        """The principal as a token of now would name it."""
        return replace(self.principal, roles=tuple(r for r in self.principal.roles if r not in self.withdrawn))

    def withdraw(self, role: str) -> None:
        """Take a role away, until `withdrawn` is cleared."""
        self.withdrawn.add(role)
        self.ever_withdrawn.add(role)

    def token(self) -> str:
        """A replica reads its own token, and nobody verifies it here."""
        claims = {"sub": self.actor, "department": self.department, "roles": list(self.now.roles)}
        return jwt.encode(claims, "k" * 32, algorithm="HS256")


@dataclass(frozen=True)
class Cast:
    """The lifecycle of a world and its people."""

    spec: Mapping[str, Any]
    replicas: tuple[Person, ...]
    careless: tuple[Person, ...]  # colleagues with a client of their own, which checks nothing
    hostile: Person
    opener: Person  # who has the first tickets opened, so that there is something to work on

    def people(self) -> dict[str, Person]:
        """Everybody by name."""
        return {person.actor: person for person in (*self.replicas, *self.careless, self.hostile, self.opener)}

    async def authenticate(self, token: str) -> Identity:
        """On the wire a token is an actor's name, and the roles are those held now."""
        person = self.people().get(token)
        if person is None:
            raise Unauthenticated("Nobody has this token.")
        return Identity(person.now, None)


def cast(dice: Random) -> Cast:
    """Choose a lifecycle, three to five replicas of honest departments, and a hostile department beside them."""
    spec = (
        shipped() if dice.random() < SHARE_OF_SHIPPED else dice.choice([shipped("support-only"), *small_lifecycles()])
    )
    spec = {key: value for key, value in spec.items() if key != "stories"}  # proofs of the file; not of a world
    departments = sorted({lane["owner"] for lane in spec["lanes"].values()})
    departments.sort(key=lambda owner: len(_rules(spec, owner)) + 20 * dice.random())  # the busiest are seldom hostile
    hostile = departments.pop(0) if len(departments) > 1 else "strangers"
    dice.shuffle(departments)
    owners = [*departments[:3], *dice.choices(departments, k=2)][: dice.randint(3, 5)]
    while len(owners) < 3:
        owners.append(dice.choice(departments))
    replicas = [Person(_principal(spec, owner, f"{owner}-{n}")) for n, owner in enumerate(owners, 1)]
    careless = [Person(_principal(spec, owner, f"{owner}-careless")) for owner in departments[:2]]
    opens = next(role for role in listed(spec["open"]["by"]) if role in {*departments, hostile})
    return Cast(
        spec,
        tuple(replicas),
        tuple(careless),
        Person(_principal(spec, hostile, f"{hostile}-hostile")),
        Person(_principal(spec, opens, f"{opens}-opener")),
    )


def _principal(spec: Mapping[str, Any], department: str, actor: str) -> Principal:
    roles = {
        department,
        *(role for rule in _rules(spec, department) for role in listed(rule.get("by", department))),
    } - {"gateway"}
    return Principal(ActorId(actor), Department(department), tuple(map(Role, sorted(roles))))


def _rules(spec: Mapping[str, Any], owner: str) -> list[Mapping[str, Any]]:
    return [rule for lane in spec["lanes"].values() if lane["owner"] == owner for rule in lane["transitions"].values()]


def readable(spec: Mapping[str, Any], department: str, kind: str, part: str | None) -> bool:
    """Say, from the file alone, whether a department may read a document: the sandbox that nothing may leave."""
    owners = {lane["owner"] for lane in spec["lanes"].values()}
    if department not in owners:
        return False
    if kind == "submit":
        return part == department
    if kind == "form":
        lane = spec["lanes"].get(part, {"owner": None})
        return department in {lane["owner"], *lane.get("form_readers", [])}
    return kind in {"log", "card"} or (kind == "talk" and department in spec.get("talk", owners))


def secret_of(department: str) -> str:
    """What a department writes into its forms; no other department's bytes may ever hold it."""
    return f"secret-of-{department}."


def source_of(spec: Mapping[str, Any]) -> str:
    """A file that reads as `spec`: JSON is YAML."""
    return json.dumps(spec)
