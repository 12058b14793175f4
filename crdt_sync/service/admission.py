"""The service's gate: which submitted entries go into the log and the conversation, which wait, which are refused.

Admission asks who, with which role held now, of which size, with its payload there, and not inert in its own past. A
refusal is told to its author by code; it changes no replica's fold, because the log never holds the entry.
"""

from collections.abc import Mapping, Sequence

from crdt_sync.domain import access, payload
from crdt_sync.domain.access import NOT_THE_AUTHOR, Principal
from crdt_sync.domain.ids import Department
from crdt_sync.domain.message import Message
from crdt_sync.domain.transition import Transition, Undecodable
from crdt_sync.errors import CallerError, Forbidden, Refused
from crdt_sync.service.draft import Draft
from crdt_sync.service.live_ticket import LiveTicket
from crdt_sync.service.waiting import Waiting, WaitingList

TRANSITIONS_PER_TICKET_MAX = 5_000  # bitsets are some 3 MB then; a ticket that needs more is a loop somewhere
MESSAGES_PER_TICKET_MAX = 20_000  # a year-long chat has a few thousand
WAITING_MAX = 1_000  # of a department on one ticket, some 2 kB each; an offline chain waits for none

WAIT = "wait"  # no code: the entry cannot be judged yet
DUPLICATE = "duplicate"  # no code either: its id is there
PARENT_REFUSED = "parent_refused"
UNSETTLED = frozenset({None, NOT_THE_AUTHOR, PARENT_REFUSED})  # what an entry that is refused so may still become


def admit_entries(draft: Draft, live: LiveTicket, department: Department, entries: Sequence[Waiting]) -> None:
    """Judge new entries of a department's submit document, then what waits of everybody, until nothing moves.

    What waits is judged again only if something that it names was decided since, or came.
    """
    draft.judged.add(live.id)
    waiting = live.waiting.setdefault(department, WaitingList())
    retried = {entry.key: entry for entry in entries if not _copies(entry, waiting)}
    for entry in retried.values():
        waiting.put(entry)
    if len(live.order) >= TRANSITIONS_PER_TICKET_MAX:
        for others in live.waiting.values():
            others.concern_all()  # nobody waits any more for what cannot be admitted
    moved = _pass(draft, live, department, waiting, retried)
    while moved:
        moved = False
        for owner, others in live.waiting.items():
            moved |= _pass(draft, live, owner, others, {})
    for entry in list(waiting)[WAITING_MAX:] if len(waiting) > WAITING_MAX else ():
        _settle(live, waiting, entry)
        draft.refuse(live, entry.key, "too_many", department, entry.principal)


def _copies(entry: Waiting, waiting: WaitingList) -> bool:
    """Tell whether an entry is somebody else's copy of what waits already, in its author's name."""
    known = waiting.get(entry.key)
    return known is not None and known.principal.actor != entry.principal.actor


def judge_transition(
    draft: Draft, live: LiveTicket, made: Transition, principal: Principal, *, sealed: str | None = None
) -> str:
    """Return the verdict on one transition: "" to admit, a code to refuse, `WAIT` or `DUPLICATE`.

    `sealed` is the payload's text where the form does not hold it yet.
    """
    if made.id in live.fold:
        return DUPLICATE
    denial = access.make_transition(principal, live.lifecycle, made)
    if denial is not None:
        return denial.code
    if len(live.order) >= TRANSITIONS_PER_TICKET_MAX:
        return "too_many"
    if any(parent not in live.fold and _refusal(draft, live, parent) for parent in made.after):
        return PARENT_REFUSED
    verdict = live.fold.judge(made)
    if verdict is None:
        return WAIT
    if verdict.code is not None:
        return str(verdict.code)
    return _judge_payload(live, made, sealed)


def _pass(
    draft: Draft, live: LiveTicket, department: Department, waiting: WaitingList, retried: Mapping[str, Waiting]
) -> bool:
    """Judge once what is to be judged; True if anything was decided."""
    moved = False
    for entry in waiting.concerned():
        before = _refusal(draft, live, entry.key)
        if entry.key not in retried and before not in UNSETTLED:
            _settle(live, waiting, entry)
            continue
        code = _judge(draft, live, entry)
        if code == WAIT:
            continue
        if code == PARENT_REFUSED and _may_be_lifted(draft, live, entry):
            moved |= before != code
        else:
            _settle(live, waiting, entry)
            moved = True
        if code not in {"", DUPLICATE, before} and not (code == NOT_THE_AUTHOR and before is not None):
            draft.refuse(live, entry.key, code, department, entry.principal)
    return moved


def _settle(live: LiveTicket, waiting: WaitingList, entry: Waiting) -> None:
    waiting.remove(entry.key)
    live.concern(entry.key)


def _may_be_lifted(draft: Draft, live: LiveTicket, entry: Waiting) -> bool:
    """Tell whether an entry's parents were refused only as copies in another's name, whose author may yet submit them.

    The entry is refused as long as he has not, so that nobody waits for a forgery; it is judged anew if he does.
    """
    assert isinstance(entry.record, Transition), "only a transition has parents"
    return not any(
        _refusal(draft, live, parent) not in {None, NOT_THE_AUTHOR}
        and all(waiting.get(parent) is None for waiting in live.waiting.values())
        for parent in entry.record.after
    )


def _judge(draft: Draft, live: LiveTicket, entry: Waiting) -> str:
    record = entry.record
    if isinstance(record, Undecodable):
        return record.value
    if isinstance(record, Message):
        return _judge_message(draft, live, record, entry.principal)
    if record.is_opening:
        return DUPLICATE if str(record.id) == live.id else "ticket"
    code = judge_transition(draft, live, record, entry.principal)
    if not code:
        draft.admit(live, record)
    return code


def _judge_message(draft: Draft, live: LiveTicket, posted: Message, principal: Principal) -> str:
    assert live.messages is not None, "the conversation is loaded before its messages are judged"
    if posted.id in live.messages:
        return DUPLICATE
    if posted.ticket != live.id:
        return "ticket"
    denial = access.post_message(principal, live.lifecycle, posted)
    if denial is not None:
        return denial.code
    if len(live.messages) >= MESSAGES_PER_TICKET_MAX:
        return "too_many"
    draft.post(live, posted, by=principal.department)
    return ""


def _judge_payload(live: LiveTicket, made: Transition, sealed: str | None) -> str:
    if made.payload is None:
        return ""
    text = sealed if sealed is not None else live.form(made.lane).payload(made.payload)
    if text is None:
        return WAIT
    data = payload.unseal(text)
    if data is None:
        return "payload"
    try:
        payload.check(live.lifecycle.lanes[made.lane].transitions[made.name].payload, data)
    except CallerError as error:
        return error.code
    return ""


def _refusal(draft: Draft, live: LiveTicket, key: str) -> str | None:
    """Return the code with which an entry was refused, None if it was not."""
    touched = draft.tickets.get(live.id)
    code = live.log.refusal(key)
    if touched is not None:
        if key in touched.refused:
            code = touched.refused[key]
        elif key in touched.cleared:
            code = None
    return code


def check_opening(principal: Principal, live: LiveTicket, opening: Transition) -> None:
    """Check an opening that was submitted for a ticket that is not there yet.

    Raises:
        Forbidden: the caller may not open a ticket so.
        Refused: the opening does not open this ticket.

    """
    if str(opening.id) != live.id:
        raise Refused("The opening's id is not the ticket's.", code="ticket")
    if opening.lane != live.lifecycle.control.id:
        raise Refused("An opening stands in the control lane.", code="malformed")
    denial = access.open_ticket(principal, live.lifecycle, opening)
    if denial is not None:
        raise Forbidden(denial.message, code=denial.code, advice=denial.advice)
