"""Who may do what, as a table over the shipped lifecycle."""

import pytest

from crdt_sync.adapters import lifecycle_files
from crdt_sync.domain import access, message, transition
from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import DocumentName
from crdt_sync.errors import Forbidden

LIFECYCLE = lifecycle_files.load(lifecycle_files.shipped()["connect-order"])
TICKET = "a" * 52
SALES = Principal("ann", "sales", ("sales",))
TECH = Principal("ben", "tech", ("tech",))
OFFICE = Principal("cleo", "backoffice", ("backoffice",))
STRANGER = Principal("dan", "marketing", ("sales",))
GATEWAY = Principal("gw", "gateway", ("gateway",))
NARROW = Principal("ann", "sales", ("sales",), tickets=("b" * 52,))
INVITED = Principal("ann", "sales", ("sales",), tickets=("b" * 52, TICKET))


def code(denial: access.Denial | None) -> str | None:
    return denial.code if denial is not None else None


@pytest.mark.parametrize(
    ("principal", "part", "reads", "writes"),
    [
        (SALES, "log", None, "read_only"),
        (SALES, "talk", None, "read_only"),
        (SALES, "card", None, None),
        (SALES, "submit/sales", None, None),
        (SALES, "submit/tech", "department", "department"),
        (SALES, "form/sales", None, None),
        (SALES, "form/tech", "department", "department"),
        (SALES, "form/nothing", "department", "department"),
        (OFFICE, "talk", "department", "department"),
        (OFFICE, "log", None, "read_only"),
        (STRANGER, "log", "department", "department"),
        (STRANGER, "submit/marketing", "department", "department"),
        (NARROW, "card", "ticket_scope", "ticket_scope"),
        (INVITED, "card", None, None),
        (GATEWAY, "talk", "department", "department"),
    ],
)
def test_a_document_is_for_those_whom_the_table_names(principal, part, reads, writes):
    name = DocumentName.parse(f"ticket/{TICKET}/{part}")

    assert reads == code(access.read(principal, LIFECYCLE, name))
    assert writes == code(access.write(principal, LIFECYCLE, name))


def test_a_reader_of_a_form_does_not_write_it():
    source = lifecycle_files.shipped()["connect-order"].replace(
        "  sales:\n    owner: sales\n", "  sales:\n    owner: sales\n    form_readers: [tech]\n"
    )
    shared = lifecycle_files.load(source)
    name = DocumentName.parse(f"ticket/{TICKET}/form/sales")

    assert access.read(TECH, shared, name) is None
    assert access.Denial("read_only", "Only the lane's owner writes its form.") == access.write(TECH, shared, name)


@pytest.mark.parametrize(
    ("principal", "part", "expected"),
    [
        (SALES, "submit/sales", None),
        (SALES, "submit/tech", "department"),
        (SALES, "log", "department"),
        (STRANGER, "submit/marketing", "department"),
        (NARROW, "submit/sales", "ticket_scope"),
        (INVITED, "submit/sales", None),
    ],
)
def test_of_an_unopened_ticket_a_department_has_its_own_submissions_only(principal, part, expected):
    name = DocumentName.parse(f"ticket/{TICKET}/{part}")

    assert expected == code(access.draft(principal, name, (LIFECYCLE,)))


def opening(principal: Principal, **more) -> transition.Transition:
    fields = {"actor": principal.actor, "roles": principal.roles, "subject": "s", **more}
    return transition.make(
        ticket=None, lane="case", name="open", after=(), lifecycle=LIFECYCLE.digest, at=1, **fields
    )  # fmt: skip


@pytest.mark.parametrize(
    ("principal", "more", "expected"),
    [
        (SALES, {}, None),
        (GATEWAY, {"subject": "chat:x"}, None),
        (SALES, {"subject": "chat:x"}, "chat_subject"),
        (SALES, {"actor": "ben"}, "actor"),
        (SALES, {"roles": ("sales_lead",)}, "role_not_held"),
        (TECH, {}, "open_by"),
        (STRANGER, {}, "department"),
        (NARROW, {}, "ticket_scope"),
    ],
)
def test_an_opening_is_made_in_ones_own_name_with_a_role_that_opens(principal, more, expected):
    assert expected == code(access.open_ticket(principal, LIFECYCLE, opening(principal, **more)))


def test_a_token_that_names_its_tickets_opens_those_alone():
    made = opening(SALES)
    named = Principal("ann", "sales", ("sales",), tickets=(made.id,))

    assert access.open_ticket(named, LIFECYCLE, made) is None
    assert "ticket_scope" == code(access.open_ticket(NARROW, LIFECYCLE, made))


def move(principal: Principal, lane: str, name: str, **more) -> transition.Transition:
    fields = {"actor": principal.actor, "roles": principal.roles, **more}
    return transition.make(
        ticket=TICKET, lane=lane, name=name, after=(TICKET,), lifecycle=LIFECYCLE.digest, at=1, **fields
    )


@pytest.mark.parametrize(
    ("principal", "lane", "name", "more", "expected"),
    [
        (SALES, "sales", "quote", {}, None),
        (SALES, "tech", "start", {}, "lane_owner"),
        (SALES, "sales", "quote", {"actor": "ben"}, "actor"),
        (SALES, "sales", "quote", {"roles": ("sales", "sales_lead")}, "role_not_held"),
        (SALES, "sales", "unheard_of", {}, None),
        (SALES, "unheard_of", "quote", {}, None),
        (GATEWAY, "case", "reopen", {}, None),
        (GATEWAY, "case", "close", {}, "lane_owner"),
        (GATEWAY, "sales", "quote", {}, "lane_owner"),
    ],
)
def test_a_transition_is_made_by_the_lanes_owner_in_his_own_name(principal, lane, name, more, expected):
    assert expected == code(access.make_transition(principal, LIFECYCLE, move(principal, lane, name, **more)))


def posted(author: str, **more) -> message.Message:
    fields = {"kind": "agent", "author": author, **more}
    return message.make(ticket=TICKET, at=1, parts=({"type": "text", "text": "x"},), salt="0" * 32, **fields)


@pytest.mark.parametrize(
    ("principal", "more", "expected"),
    [
        (SALES, {}, None),
        (SALES, {"author": "ben"}, "actor"),
        (SALES, {"kind": "customer"}, "message_kind"),
        (SALES, {"origin": message.origin_id("shop", "key")}, "message_kind"),
        (OFFICE, {}, "department"),
    ],
)
def test_a_message_is_posted_by_an_agent_of_the_conversation_in_his_own_name(principal, more, expected):
    entry = posted(**{"author": principal.actor, **more})

    assert expected == code(access.post_message(principal, LIFECYCLE, entry))


LOG, CARD, SUBMIT, FORM = (DocumentName.parse(f"ticket/{TICKET}/{part}") for part in (
    "log", "card", "submit/tech", "form/tech"
))  # fmt: skip
OTHERS_MOVE = {"actor": "ben", "roles": ("sales",)}
UNHELD = {"roles": ("sales_lead", "tech")}


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        (("ticket_scope", "The token does not name this ticket."), (NARROW, access.read, CARD)),
        (
            ("department", "The department 'marketing' does not take part in this ticket."),
            (STRANGER, access.see, TICKET),
        ),
        (("department", "The department 'sales' may not use this document."), (SALES, access.read, SUBMIT)),
        (("department", "The department 'sales' may not read this form."), (SALES, access.read, FORM)),
        (
            ("read_only", "Only the service writes 'log'.", f"Append to ticket/{TICKET}/submit/sales instead."),
            (SALES, access.write, LOG),
        ),
        (
            ("department", "The department 'backoffice' does not take part in the conversation."),
            (OFFICE, access.converse),
        ),
        (
            ("ticket_scope", "The token names its tickets, and this would be another one."),
            (NARROW, access.open_ticket, opening(SALES)),
        ),
        (
            ("department", "The department 'marketing' does not take part in this lifecycle."),
            (STRANGER, access.open_ticket, opening(STRANGER)),
        ),
        (
            ("open_by", "Opening takes one of the roles backoffice, sales, support, gateway."),
            (TECH, access.open_ticket, opening(TECH)),
        ),
        (
            ("chat_subject", "Subjects that begin with 'chat:' belong to the gateway."),
            (SALES, access.open_ticket, opening(SALES, subject="chat:x")),
        ),
        (
            ("actor", "A transition is made in its author's own name."),
            (SALES, access.make_transition, move(SALES, "sales", "quote", **OTHERS_MOVE)),
        ),
        (
            ("role_not_held", "The caller does not hold sales_lead, tech."),
            (SALES, access.make_transition, move(SALES, "sales", "quote", **UNHELD)),
        ),
        (
            ("lane_owner", "The lane 'tech' belongs to 'tech', not 'sales'."),
            (SALES, access.make_transition, move(SALES, "tech", "start")),
        ),
        (
            ("lane_owner", "A gateway makes only transitions whose 'by' names it."),
            (GATEWAY, access.make_transition, move(GATEWAY, "case", "close")),
        ),
        (("actor", "A message is posted in its author's own name."), (SALES, access.post_message, posted("ben"))),
        (
            ("message_kind", "A department posts messages of the kind 'agent', without an origin."),
            (SALES, access.post_message, posted("ann", kind="customer")),
        ),
    ],
)
def test_a_denial_says_what_is_missing_and_what_to_do(said, asked):
    principal, question, *rest = asked

    assert access.Denial(*said) == question(principal, LIFECYCLE, *rest)


def test_a_denied_draft_says_why():
    name = DocumentName.parse(f"ticket/{TICKET}/submit/sales")
    stranger = "The department 'marketing' takes part in no ticket."

    assert access.Denial("department", stranger) == access.draft(STRANGER, name, (LIFECYCLE,))
    assert access.Denial("ticket_scope", "The token does not name this ticket.") == (
        access.draft(NARROW, name, (LIFECYCLE,))
    )


def test_a_denial_becomes_an_error_that_keeps_its_code():
    error = access.Denial("read_only", "No.", "Do this.").error()

    assert isinstance(error, Forbidden)
    assert ("read_only", "No.", "Do this.") == (error.code, error.message, error.advice)
