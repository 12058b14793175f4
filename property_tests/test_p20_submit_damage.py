"""P20: whatever a department does to its own submit document, no other department's result changes.

Two worlds get the same honest decisions in the same order; in one of them a department also sends damage: bytes that
are no update, updates with changed bytes, deletions, other roots, garbage, and transitions that are not its to make,
copies of what others are about to submit among them.
"""

import json
from dataclasses import dataclass, field

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.document import Outcome
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.log import LogDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import DocumentKind, DocumentName
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.transition import decode
from crdt_sync.errors import CallerError
from crdt_sync.protocol.room import Room
from crdt_sync.service.admission import admit_entries
from crdt_sync.service.draft import Draft
from crdt_sync.service.live_ticket import LiveTicket, Waiting
from property_tests.model import canonical, identify, listed
from property_tests.strategies import History, histories, shipped, told
from property_tests.subject import lifecycle

FIRST_CLIENT = 2**30  # far from what a changed byte makes of another


def retold(history):
    """The valid decisions of a history, each in the name of its lane's department, as lines in causal order."""
    again, names = History(history.spec), {}
    again.open()
    names[history.opening] = again.opening
    for i, e in history.naive.events.items():
        if history.naive.code[i] is None and all(a in names for a in e["after"]):
            changes = {"actor": history.spec["lanes"][e["lane"]]["owner"], "at": len(names), "payload": None}
            names[i] = again.add(again.record(e["lane"], e["name"], [names[a] for a in e["after"]], **changes))
    return again


def principals(spec):
    held = {}
    for lane in spec["lanes"].values():
        roles = {role for rule in lane["transitions"].values() for role in listed(rule.get("by", lane["owner"]))}
        held.setdefault(lane["owner"], {lane["owner"]}).update(roles)
    return {owner: Principal(owner, owner, tuple(sorted(roles))) for owner, roles in held.items()}


@dataclass
class World:
    """One ticket at the service's gate, without a store."""

    history: History
    live: LiveTicket = field(init=False)
    submits: dict[str, SubmitDocument] = field(default_factory=dict)

    def __post_init__(self):
        rules, ticket = lifecycle(self.history.spec), self.history.opening
        self.live = LiveTicket(ticket, rules, Fold(rules, ticket), messages={})
        wanted = [(DocumentKind.LOG, None, LogDocument), (DocumentKind.CARD, None, CardDocument)]
        for kind, part, document in [*wanted, *((DocumentKind.FORM, lane, FormDocument) for lane in rules.lanes)]:
            name = DocumentName(ticket, kind, part)
            self.live.rooms[str(name)] = Room(str(name), name, document(1), document_position=0)
        draft = Draft(0)
        draft.admit(self.live, decode(self.history.lines[ticket]))
        draft.batch()

    def send(self, principal, data):
        document = self.submits.setdefault(principal.department, SubmitDocument(2))
        try:
            received = document.receive(data, actor=principal.actor)
        except CallerError:
            return
        if received.kind is Outcome.APPLIED:
            draft = Draft(0)
            entries = [Waiting(entry.root, entry.text, principal) for entry in received.entries]
            admit_entries(draft, self.live, principal.department, entries)
            draft.batch()

    def results(self, keys):
        """What everybody but the hostile department lives by: the log, and the codes of its own entries."""
        refused = self.live.log.refused()
        return sorted(self.live.log.transitions()), {key: refused[key] for key in keys if key in refused}


def submitted(client, text, root="transitions"):
    document = pycrdt.Doc(client_id=client)
    document.get(root, type=pycrdt.Array).append(text)
    return document.get_update()


def erased(client, text):
    document = pycrdt.Doc(client_id=client)
    array = document.get("transitions", type=pycrdt.Array)
    array.append(text)
    del array[0]
    return document.get_update()


@st.composite
def damages(draw, history, principal, client):
    """One update of the hostile department. Nothing in it is a decision that is its own to make."""
    theirs = [line.decode() for i, line in history.lines.items() if history.naive.events[i]["actor"] != principal.actor]
    forged = [canonical(json.loads(text) | {"actor": principal.actor}).decode() for text in theirs]
    text = draw(st.sampled_from([*theirs, *theirs, *forged, "", "{}", "x" * 5000]))
    update = submitted(client, text, draw(st.sampled_from(["transitions", "transitions", "messages", "other"])))
    kind = draw(st.sampled_from(["entry", "entry", "entry", "bytes", "mutant", "erased"]))
    if kind == "bytes":
        return draw(st.binary(max_size=60))
    if kind == "mutant":
        at = draw(st.integers(0, len(update) - 1))
        return update[:at] + draw(st.binary(max_size=2)) + update[at + 1 :]
    return erased(client, text) if kind == "erased" else update


@given(st.data(), histories())
def test_damage_to_ones_own_submit_document_changes_no_one_elses_result(data, drawn):
    history = retold(drawn)
    people = principals(history.spec)
    hostile = people[data.draw(st.sampled_from(sorted(people)))]
    decisions = data.draw(st.permutations([i for i in history.lines if i != history.opening]))
    peaceful, troubled = World(history), World(history)
    for n, i in enumerate(decisions):
        for k in range(data.draw(st.integers(0, 2))):
            troubled.send(hostile, data.draw(damages(history, hostile, FIRST_CLIENT + 1000 + 10 * n + k)))
        author = people[history.naive.events[i]["actor"]]
        for world in (peaceful, troubled):
            world.send(author, submitted(FIRST_CLIENT + n, history.lines[i].decode()))
    agree(peaceful, troubled, history, hostile, decisions)
    assert set(history.lines) == {identify(record.encode()) for record in peaceful.live.log.transitions()}


def agree(peaceful, troubled, history, hostile, decisions):
    keys = [i for i in decisions if history.naive.events[i]["actor"] != hostile.actor]
    assert peaceful.results(keys) == troubled.results(keys)


@pytest.mark.parametrize(
    ("damage", "order"),
    [
        pytest.param([("messages", "opening")], ["q", "s"], id="the opening among the messages spoils no child of it"),
        pytest.param([("transitions", "q")], ["s", "q"], id="a copy of the parent refuses no child that came first"),
        pytest.param([("transitions", "s")], ["s", "q"], id="a copy of what waits does not drop it"),
        pytest.param([("messages", "s")], ["s", "q"], id="a copy among the messages does not drop what waits"),
    ],
)
@pytest.mark.parametrize("early", [True, False], ids=["before", "between"])
def test_copies_of_what_others_submit_are_harmless(damage, order, early):
    drawn, _ = told(shipped(), ["q: sales.quote", "s: sales.sign < q"])
    history = retold(drawn)
    people, ids = principals(history.spec), dict(zip(["opening", "q", "s"], history.lines, strict=True))
    peaceful, troubled = World(history), World(history)
    copies = [
        submitted(FIRST_CLIENT + 1000 + n, history.lines[ids[key]].decode(), root)
        for n, (root, key) in enumerate(damage)
    ]
    for n, key in enumerate(order):
        for copy in copies if n == (0 if early else 1) else []:
            troubled.send(people["support"], copy)
        for world in (peaceful, troubled):
            world.send(people["sales"], submitted(FIRST_CLIENT + n, history.lines[ids[key]].decode()))
    agree(peaceful, troubled, history, people["support"], [ids[key] for key in order])


def test_what_waits_for_each_other_across_departments_goes_on_at_once():
    steps = ["q: sales.quote", "s: sales.sign < q", "t: tech.start < s", "w: sales.withdraw < t", "h: tech.halt < w"]
    drawn, _ = told(shipped(), steps)
    history = retold(drawn)
    people, world = principals(history.spec), World(history)
    for n, (i, line) in enumerate(reversed(history.lines.items())):
        if i != history.opening:
            world.send(people[history.naive.events[i]["actor"]], submitted(FIRST_CLIENT + n, line.decode()))
    assert set(history.lines) == {identify(record.encode()) for record in world.live.log.transitions()}
