"""Who takes part in a lifecycle, as its file says: one person for each role that a department's lanes ask for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from crdt_sync.domain.access import GATEWAY, Principal
from crdt_sync.domain.ids import ActorId, Department, Role
from crdt_sync.domain.lifecycle.model import Lifecycle


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of a department who may do what `role` may; no two of a lifecycle have one name."""

    department: Department
    role: Role
    name: str

    @property
    def roles(self) -> tuple[Role, ...]:
        """What a token for this person says: the department's own role, which every member holds, and this one."""
        return tuple(dict.fromkeys((Role(self.department), self.role)))

    @property
    def principal(self) -> Principal:
        """Who a token for this person says that it is."""
        return Principal(ActorId(self.name), self.department, self.roles)


def people(lifecycle: Lifecycle) -> tuple[Person, ...]:
    """Return everybody: a plain member of each department first, then those whom `by` names, in the file's order."""
    found: dict[tuple[Department, Role], None] = {}
    for department in lifecycle.departments:
        found[department, Role(department)] = None
        for lane in lifecycle.lanes.values():
            roles = (role for transition in lane.transitions.values() for role in transition.by)
            found |= {(department, role): None for role in roles if lane.owner == department and role != Role(GATEWAY)}
    holders = Counter(role for _, role in found)
    return tuple(
        Person(department, role, role if holders[role] == 1 else f"{department}-{role}") for department, role in found
    )


def openers(lifecycle: Lifecycle) -> Sequence[Person]:
    """Return those who may open a ticket; empty if only a chat can."""
    return [person for person in people(lifecycle) if set(person.roles) & set(lifecycle.open_by)]
