"""Who may read or write which document, and who may make which transition: pure answers, yes or no-because.

Every wire asks here and nowhere else. An answer is None for yes, or a `Denial` that says why not. Whether a ticket
exists is not known here; names that never can be are `crdt_sync.domain.ids`' business.
"""

from collections.abc import Collection
from dataclasses import dataclass

from crdt_sync.domain.ids import ActorId, Department, DocumentKind, DocumentName, LaneId, Role, TicketId
from crdt_sync.domain.lifecycle.model import Lifecycle
from crdt_sync.domain.media import CONVERSATION, Audience
from crdt_sync.domain.message import Message
from crdt_sync.domain.transition import Transition
from crdt_sync.errors import Forbidden

GATEWAY = Department("gateway")

NOT_THE_AUTHOR = "actor"
"""The one refusal that says nothing about the entry: somebody else submitted it, perhaps a copy of the author's own.

Whoever reads `refused` takes it for no refusal of what the author himself submits; otherwise a copy would block him.
"""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is at the other end, as a verified token says. `tickets` narrows to these; `accounts` are a gateway's."""

    actor: ActorId
    department: Department
    roles: tuple[Role, ...] = ()
    tickets: tuple[TicketId, ...] | None = None
    accounts: tuple[str, ...] = ()
    read_only: bool = False  # an operator has taken all writing from this person

    @property
    def is_gateway(self) -> bool:
        """Tell whether this is a chat gateway, which ingests and reads no document."""
        return self.department == GATEWAY


@dataclass(frozen=True, slots=True)
class Denial:
    """Why not: a stable code, one sentence, and what to do."""

    code: str
    message: str
    advice: str = ""

    def error(self) -> Forbidden:
        """Return the denial as the error to raise."""
        return Forbidden(self.message, code=self.code, advice=self.advice)


def see(principal: Principal, lifecycle: Lifecycle, ticket: TicketId) -> Denial | None:
    """Say whether the caller may know of this ticket, its stage and its card: the owners of its lanes may."""
    if principal.tickets is not None and ticket not in principal.tickets:
        return Denial("ticket_scope", "The token does not name this ticket.")
    if principal.department not in lifecycle.departments:
        return Denial("department", f"The department {principal.department!r} does not take part in this ticket.")
    return None


def read(principal: Principal, lifecycle: Lifecycle, name: DocumentName) -> Denial | None:
    """Say whether the caller may subscribe to this document."""
    denial = see(principal, lifecycle, name.ticket)
    if denial is not None:
        return denial
    match name.kind:
        case DocumentKind.LOG | DocumentKind.CARD:
            return None
        case DocumentKind.TALK:
            return converse(principal, lifecycle)
        case DocumentKind.SUBMIT:
            return _own(principal, name)
        case DocumentKind.FORM:
            lane = lifecycle.lanes.get(LaneId(name.part or ""))
            if lane is not None and principal.department in {lane.owner, *lane.form_readers}:
                return None
            return Denial("department", f"The department {principal.department!r} may not read this form.")


def write(principal: Principal, lifecycle: Lifecycle, name: DocumentName) -> Denial | None:
    """Say whether the caller may change this document."""
    denial = read(principal, lifecycle, name) or _writes(principal)
    if denial is not None:
        return denial
    match name.kind:
        case DocumentKind.LOG | DocumentKind.TALK:
            return Denial(
                "read_only",
                f"Only the service writes {name.kind.value!r}.",
                f"Append to ticket/{name.ticket}/submit/{principal.department} instead.",
            )
        case DocumentKind.SUBMIT | DocumentKind.CARD:
            return None
        case DocumentKind.FORM:
            if lifecycle.lanes[LaneId(name.part or "")].owner == principal.department:
                return None
            return Denial("read_only", "Only the lane's owner writes its form.")


def draft(principal: Principal, name: DocumentName, lifecycles: tuple[Lifecycle, ...]) -> Denial | None:
    """Say whether the caller may use this document of a ticket that is not opened yet: its own `submit` alone."""
    return approach(principal, name.ticket, lifecycles) or _own(principal, name)


def approach(principal: Principal, ticket: TicketId, lifecycles: tuple[Lifecycle, ...]) -> Denial | None:
    """Say whether the caller may hear of any such ticket, whether or not there is this one."""
    if principal.tickets is not None and ticket not in principal.tickets:
        return Denial("ticket_scope", "The token does not name this ticket.")
    if not any(principal.department in lifecycle.departments for lifecycle in lifecycles):
        return Denial("department", f"The department {principal.department!r} takes part in no ticket.")
    return None


def converse(principal: Principal, lifecycle: Lifecycle) -> Denial | None:
    """Say whether the caller may read and answer the conversation with the customer."""
    if principal.department in lifecycle.talk:
        return None
    return Denial("department", f"The department {principal.department!r} does not take part in the conversation.")


def audiences(principal: Principal, lifecycle: Lifecycle, ticket: TicketId) -> list[Audience]:
    """Return which contents of this ticket the caller may have: the conversation's, and those in notes of forms."""
    forms: list[Audience] = [
        lane
        for lane in lifecycle.lanes
        if read(principal, lifecycle, DocumentName(ticket, DocumentKind.FORM, lane)) is None
    ]
    return forms if converse(principal, lifecycle) is not None else [CONVERSATION, *forms]


def upload(principal: Principal, lifecycle: Lifecycle) -> Denial | None:
    """Say whether the caller may bring a picture or a file, to answer the customer with."""
    return _writes(principal) or converse(principal, lifecycle)


def watch(principal: Principal) -> Denial | None:
    """Say whether the caller may hear of events at all; which of them, `hear` says."""
    if principal.is_gateway:
        return Denial("gateway", "A gateway ingests; it hears no events.")
    return None


def subscribe(principal: Principal) -> Denial | None:
    """Say whether the caller may have another system told of events: whoever hears them, unless they may only read."""
    return watch(principal) or _writes(principal)


def tends(principal: Principal, department: Department, tickets: tuple[TicketId, ...] | None) -> bool:
    """Say whether the caller may see a subscription of a department, to these tickets alone where it names some.

    Who was given some tickets has no hand in what is told of others.
    """
    if principal.department != department:
        return False
    return principal.tickets is None or (tickets is not None and set(tickets) <= set(principal.tickets))


def send(principal: Principal, accounts: Collection[str]) -> Denial | None:
    """Say whether the caller may send what is for these accounts, and say what became of it."""
    if not principal.is_gateway:
        return Denial("not_a_gateway", "Only a gateway sends.")
    other = next((one for one in accounts if one not in principal.accounts), None)
    if other is not None:
        return Denial("account", f"The token does not name the account {other[:60]!r}.")
    return _writes(principal)


def hear(principal: Principal, ticket: TicketId, audience: Collection[Department]) -> bool:
    """Say whether an event of this ticket, for this audience, is for the caller."""
    return principal.department in audience and (principal.tickets is None or ticket in principal.tickets)


def open_ticket(principal: Principal, lifecycle: Lifecycle, opening: Transition) -> Denial | None:
    """Say whether the caller may open a ticket with this opening."""
    denial = _writes(principal) or _attested(principal, opening)
    if denial is not None:
        return denial
    if principal.tickets is not None and TicketId(opening.id) not in principal.tickets:
        return Denial("ticket_scope", "The token names its tickets, and this would be another one.")
    if not principal.is_gateway and principal.department not in lifecycle.departments:
        return Denial("department", f"The department {principal.department!r} does not take part in this lifecycle.")
    if not set(opening.roles) & set(lifecycle.open_by):
        return Denial("open_by", f"Opening takes one of the roles {', '.join(lifecycle.open_by)}.")
    if not principal.is_gateway and (opening.subject or "").startswith("chat:"):
        return Denial("chat_subject", "Subjects that begin with 'chat:' belong to the gateway.")
    return None


def make_transition(principal: Principal, lifecycle: Lifecycle, transition: Transition) -> Denial | None:
    """Say whether the caller may make this transition: who and for whom only; the fold judges whether it is enabled."""
    denial = _writes(principal) or _attested(principal, transition)
    if denial is not None:
        return denial
    lane = lifecycle.lanes.get(transition.lane)
    if lane is None or transition.name not in lane.transitions:
        return None  # the fold names this `unknown`
    if principal.is_gateway:
        if Role(GATEWAY) in lane.transitions[transition.name].by:
            return None
        return Denial("lane_owner", "A gateway makes only transitions whose 'by' names it.")
    if lane.owner != principal.department:
        return Denial("lane_owner", f"The lane {lane.id!r} belongs to {lane.owner!r}, not {principal.department!r}.")
    return None


def post_message(principal: Principal, lifecycle: Lifecycle, message: Message) -> Denial | None:
    """Say whether the caller may put this message into the conversation."""
    denial = _writes(principal)
    if denial is not None:
        return denial
    if message.author != principal.actor:
        return Denial(NOT_THE_AUTHOR, "A message is posted in its author's own name.")
    if message.kind != "agent" or message.origin is not None:
        return Denial("message_kind", "A department posts messages of the kind 'agent', without an origin.")
    return converse(principal, lifecycle)


def take(principal: Principal, lifecycle: Lifecycle, lane: LaneId) -> Denial | None:
    """Say whether the caller may take this lane for themselves."""
    denial = _writes(principal)
    if denial is not None:
        return denial
    owner = lifecycle.lanes[lane].owner if lane in lifecycle.lanes else None
    if owner != principal.department:
        return Denial("lane_owner", f"The department {principal.department!r} has no lane {lane[:60]!r} here.")
    return None


def link(principal: Principal, lifecycle: Lifecycle) -> Denial | None:
    """Say whether the caller may say whose a ticket is: whoever answers the customer may."""
    return _writes(principal) or converse(principal, lifecycle)


def _own(principal: Principal, name: DocumentName) -> Denial | None:
    if name.kind is DocumentKind.SUBMIT and name.part == principal.department:
        return None
    return Denial("department", f"The department {principal.department!r} may not use this document.")


def _writes(principal: Principal) -> Denial | None:
    if principal.read_only:
        return Denial("read_only", "This person may only read.", "Ask whoever runs the service.")
    return None


def _attested(principal: Principal, transition: Transition) -> Denial | None:
    """The actor is the caller, and holds now every role that the transition claims."""
    if transition.actor != principal.actor:
        return Denial(NOT_THE_AUTHOR, "A transition is made in its author's own name.")
    missing = [role for role in transition.roles if role not in principal.roles]
    if missing:
        return Denial("role_not_held", f"The caller does not hold {', '.join(missing)}.")
    return None
