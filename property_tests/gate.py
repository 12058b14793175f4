"""The service's gate as the laws use it: the real admission over the real documents of one ticket, without a store."""

from dataclasses import dataclass, field

import pycrdt

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
from crdt_sync.service.admission import admit_entries, judge_transition
from crdt_sync.service.draft import Draft
from crdt_sync.service.live_ticket import LiveTicket
from crdt_sync.service.waiting import Waiting
from property_tests.model import listed, sha
from property_tests.strategies import History
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
class Gate:
    """One ticket at the service's gate, without a store."""

    history: History
    client: int = 1
    live: LiveTicket = field(init=False)
    submits: dict[str, SubmitDocument] = field(default_factory=dict)

    def __post_init__(self):
        rules, ticket = lifecycle(self.history.spec), self.history.opening
        self.live = LiveTicket(ticket, rules, Fold(rules, ticket), messages={})
        wanted = [(DocumentKind.LOG, None, LogDocument), (DocumentKind.CARD, None, CardDocument)]
        for kind, part, document in [*wanted, *((DocumentKind.FORM, lane, FormDocument) for lane in rules.lanes)]:
            name = DocumentName(ticket, kind, part)
            self.live.rooms[str(name)] = Room(str(name), name, document(self.client), document_position=0)
        draft = Draft(0)
        draft.admit(self.live, decode(self.history.lines[ticket]))
        draft.batch()

    def send(self, principal, data):
        """What the batch holds in which an update of a submit document is judged; None if it is refused."""
        document = self.submits.setdefault(principal.department, SubmitDocument(2))
        try:
            received = document.receive(data, actor=principal.actor)
        except CallerError:
            return None
        if received.kind is not Outcome.APPLIED:
            return None
        return self.judge(principal.department, [Waiting.of(entry, principal) for entry in received.entries])

    def pay(self, lane, text):
        """Let a payload come, and what waited for it go on."""
        digest = sha(text.encode())
        self.live.form(lane).put_payload(digest, text)
        self.live.concern(digest)
        return self.judge(self.live.lifecycle.lanes[lane].owner, [])

    def command(self, principal, line):
        """Admit a transition that was asked for over the API, if it is good."""
        draft, made = Draft(0), decode(line)
        if not judge_transition(draft, self.live, made, principal):
            draft.admit(self.live, made)
        return draft.batch()

    def judge(self, department, entries):
        draft = Draft(0)
        admit_entries(draft, self.live, department, entries)
        return draft.batch()

    def results(self, keys):
        """What everybody but the hostile department lives by: the log, and the codes of its own entries."""
        refused = self.live.log.refused()
        return sorted(self.live.log.transitions()), {key: refused[key] for key in keys if key in refused}


def submitted(client, text, root="transitions"):
    document = pycrdt.Doc(client_id=client)
    document.get(root, type=pycrdt.Array).append(text)
    return document.get_update()
