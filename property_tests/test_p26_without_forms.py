"""P26: a replica without the forms agrees on everything but the payloads, which it cannot read and need not read.

Each department's replica holds the documents that the department may read, one more holds no form at all: it lags, or
the payloads were erased. All of them are the real `Ticket` over the real documents.
"""

from collections import Counter

import pytest
from hypothesis import given

from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.kinds import new_document
from crdt_sync.documents.log import LogDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain import access, payload
from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import DocumentKind, DocumentName
from crdt_sync.errors import Forbidden
from crdt_sync.replica.ticket import Desk, Ticket
from property_tests import model
from property_tests.retelling import retell
from property_tests.strategies import histories
from property_tests.subject import lifecycle
from tests.fakes import ManualClock, SeededIds

EVERYTHING = b"\x00"  # what a document has that somebody with nothing lacks
DATA = {"text": "1", "money": "1.00", "integer": 1, "date": "2026-01-01", "file": "1"}


class Papers:
    """Documents in memory, where a replica has a shelf that a database stands behind."""

    def __init__(self):
        self.held, self.revisions = {}, Counter()

    def get(self, name):
        return self.held.get(str(name))

    def kept(self, name):
        """No document here had a former life."""
        return ()


@given(histories())
def test_replicas_with_other_forms_and_with_none_show_the_same(drawn):
    history, sealed = with_payloads(drawn)
    stored = written_by_the_service(history, sealed)
    expected = model.fold(history.spec, history.lines.values())
    tickets = [replica(history, stored, has["owner"]) for has in history.spec["lanes"].values()]
    tickets.append(replica(history, stored, history.spec["lanes"]["case"]["owner"], with_forms=False))
    for ticket in tickets:
        assert expected == ticket.state.to_json()
        assert tickets[0].explain() == ticket.explain()
        assert tickets[0].frontier == ticket.frontier


@given(histories())
def test_only_a_replica_with_the_form_reads_a_payload(drawn):
    history, sealed = with_payloads(drawn)
    stored = written_by_the_service(history, sealed)
    for lane, has in history.spec["lanes"].items():
        form = named(history, DocumentKind.FORM, lane)
        for owner in {other["owner"] for other in history.spec["lanes"].values()}:
            ticket = replica(history, stored, owner)
            if owner == has["owner"]:
                texts = ticket.desk.shelf.get(form).payloads()
                assert {digest: text for digest, (where, text) in sealed.items() if where == lane} == texts
            else:
                assert form not in ticket.names
                with pytest.raises(Forbidden):
                    ticket.form(lane)


def with_payloads(drawn):
    """The history with real payloads, which are equal where they were, and each one's lane and text by its digest."""
    sealed = {}

    def change(_, e):
        declared = drawn.spec["lanes"].get(e["lane"], {}).get("transitions", {}).get(e["name"], {}).get("payload")
        if not declared or e["payload"] is None:
            return {}
        made = payload.seal({name: DATA[kind] for name, kind in declared.items()}, e["payload"][:32])
        sealed[made.digest] = e["lane"], made.text
        return {"payload": made.digest}

    return retell(drawn, change)[0], sealed


def named(history, kind, part=None):
    return DocumentName(history.opening, kind, part)


def written_by_the_service(history, sealed):
    """The log, the card and the forms of the ticket."""
    log = LogDocument(1)
    log.append(line.decode() for line in history.lines.values())
    forms = {named(history, DocumentKind.FORM, lane): FormDocument(1) for lane in history.spec["lanes"]}
    for digest, (lane, text) in sealed.items():
        forms[named(history, DocumentKind.FORM, lane)].put_payload(digest, text)
    return {named(history, DocumentKind.LOG): log, named(history, DocumentKind.CARD): CardDocument(1), **forms}


def replica(history, stored, department, *, with_forms=True):
    """The ticket in a replica of the department, with what it may read of what is stored."""
    rules, principal = lifecycle(history.spec), Principal(department, department, (department,))
    papers = Papers()
    papers.held[str(named(history, DocumentKind.SUBMIT, department))] = SubmitDocument(2)
    for name, document in stored.items():
        if access.read(principal, rules, name) is None and (with_forms or name.kind is not DocumentKind.FORM):
            copy = papers.held[str(name)] = new_document(name.kind, 2)
            copy.apply_committed(document.diff(EVERYTHING))
    desk = Desk(principal, papers, ManualClock(), SeededIds(), lambda _: None, lambda _ready, _s: None)
    return Ticket(history.opening, rules.digest, rules, desk)
