"""The departments' sandbox as data: who gets what where. `test_matrix_is_complete.py` holds it to the program.

The lifecycle is the shipped default, with `form_readers: [tech]` in the sales lane and `talk: [sales, support]`. A
column is a caller, and a cell what this caller gets: "ok", "write", "read", or the code of the refusal.
"""

from dataclasses import dataclass, field

from tests.samples import PNG

OWNER = "owner"  # sales: owns the lane that is asked for, and takes part in the conversation
OTHER = "other"  # backoffice: takes part in the ticket, owns another lane, and is not in the conversation
READER = "reader"  # tech: reads the form of sales, and is not in the conversation
TALKER = "talker"  # support: is in the conversation, and reads no form of sales
STRANGER = "stranger"  # marketing: takes part in no ticket, whatever its roles
NARROW = "narrow"  # somebody of sales whose token names another ticket
GATEWAY = "gateway"
NOBODY = "nobody"  # no token
VISITOR = "visitor"  # of a web page, with a token of the gateway's: test_visitor.py
CALLERS = (OWNER, OTHER, READER, TALKER, STRANGER, NARROW, GATEWAY, NOBODY)


def cells(text):
    found = text.split()
    assert len(CALLERS) == len(found), text
    return dict(zip(CALLERS, found, strict=True))


def everybody(outcome):
    return dict.fromkeys(CALLERS, outcome)


WRONG_STATE = "0" * 64  # of a replica that reads the ticket otherwise


@dataclass(frozen=True)
class Route:
    """One request. `{ticket}` and other words of `Site.fill_in` are the filled ticket's and the caller's."""

    key: str  # method and path as the program lays them out
    expected: dict[str, str]
    path: str = ""  # the address that is asked for, if the template alone is none
    json: object = None
    content: bytes | None = None

    @property
    def method(self):
        return self.key.partition(" ")[0]

    @property
    def address(self):
        return self.path or self.key.partition(" ")[2]


@dataclass(frozen=True)
class Rpc:
    """One call. Fields are given as `Route` gives them."""

    key: str  # service/method
    expected: dict[str, str]
    request: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """One document, opened, read and written over every wire."""

    kind: str
    part: str
    expected: dict[str, str]


@dataclass(frozen=True)
class Event:
    """Who is in the audience of a type of event."""

    type: str
    audience: frozenset[str]


@dataclass(frozen=True)
class Export:
    """A command, and what it prints of tickets. `arguments` is how to ask for it; none where that is nothing."""

    command: str
    prints: str
    arguments: tuple[str, ...] = ()


# fmt: off
#                    owner      other      reader     talker     stranger   narrow       gateway  nobody
SEES         = cells("ok        ok         ok         ok         no_ticket  no_ticket    gateway  token_missing")
TALKS        = cells("ok        department department ok         no_ticket  no_ticket    gateway  token_missing")
MARKS        = cells("circular  department department circular   no_ticket  no_ticket    gateway  token_missing")
READS_FORM   = cells("ok        department ok         department no_ticket  no_ticket    gateway  token_missing")
WRITES_FORM  = cells("ok        department read_only  department no_ticket  no_ticket    gateway  token_missing")
MOVES        = cells("ok        lane_owner lane_owner lane_owner no_ticket  no_ticket    gateway  token_missing")
OPENS        = cells("ok        ok         open_by    ok         department ticket_scope gateway  token_missing")
READS_MEDIA  = cells("ok        no_media   no_media   ok         no_ticket  no_ticket    gateway  token_missing")
HEARS        = cells("ok        ok         ok         ok         ok         ok           gateway  token_missing")
LISTS        = cells("ok        ok         ok         ok         ok         ok           gateway  token_missing")
TENDS        = cells("ok        no_webhook no_webhook no_webhook no_webhook no_webhook   gateway  token_missing")
INGESTS      = everybody("not_a_gateway") | {GATEWAY: "ok", NOBODY: "token_missing"}
SENDS        = everybody("not_a_gateway") | {GATEWAY: "ok", NOBODY: "token_missing"}
SIGNED_IN    = everybody("ok") | {NOBODY: "token_missing"}
PUBLIC       = everybody("ok")

LOG_DOCUMENT  = cells("read     read       read       read       department ticket_scope gateway  token_missing")
TALK_DOCUMENT = cells("read     department department read       department ticket_scope gateway  token_missing")
OWN_SUBMIT    = cells("write    department department department department ticket_scope gateway  token_missing")
FORM_DOCUMENT = cells("write    department read       department department ticket_scope gateway  token_missing")
CARD_DOCUMENT = cells("write    write      write      write      department ticket_scope gateway  token_missing")
# fmt: on

ROUTES = (
    Route("POST /api/tickets", OPENS, json={"title": "Another"}),
    Route("GET /api/tickets", LISTS),
    Route(
        "POST /api/tickets/compare",
        LISTS,
        json={"claims": [{"ticket": "{ticket}", "heads": "{heads}", "state": WRONG_STATE}]},
    ),
    Route(
        "POST /api/tickets/{ticket}/alarms",
        SEES,
        json={"heads": "{heads}", "state": WRONG_STATE, "evidence": {"explanation": "Sales has lost.", "state": "{}"}},
    ),
    Route("GET /api/tickets/{ticket}", SEES),
    Route(
        "POST /api/tickets/{ticket}/transitions",
        MOVES,
        json={"lane": "sales", "name": "quote", "seen": "{version}", "payload": {"price": "10.00"}},
    ),
    Route("GET /api/tickets/{ticket}/messages", TALKS),
    Route("POST /api/tickets/{ticket}/messages", TALKS, json={"text": "We will call you."}),
    Route("POST /api/tickets/{ticket}/media", TALKS, content=PNG),
    Route("GET /api/tickets/{ticket}/media/{digest}", READS_MEDIA),
    Route("PATCH /api/tickets/{ticket}/card", SEES, json={"priority": "high"}),
    Route("POST /api/tickets/{ticket}/take", MOVES, json={"lane": "sales"}),
    Route("GET /api/tickets/{ticket}/forms/{lane}", READS_FORM, path="/api/tickets/{ticket}/forms/sales"),
    Route(
        "PATCH /api/tickets/{ticket}/forms/{lane}",
        WRITES_FORM,
        path="/api/tickets/{ticket}/forms/sales",
        json={"fields": {"colour": "red"}},
    ),
    Route("GET /api/tickets/{ticket}/explain", SEES),
    Route("GET /api/tickets/{ticket}/history", SEES),
    Route("GET /api/tickets/{ticket}/writing", TALKS),
    Route("GET /api/tickets/{ticket}/customer", TALKS),
    Route("POST /api/tickets/{ticket}/customer", TALKS, json={"ticket": "{ticket}"}),
    Route("DELETE /api/tickets/{ticket}/customer", TALKS),
    Route("POST /api/tickets/{ticket}/duplicate", MARKS, json={"of": "{ticket}"}),
    Route("DELETE /api/tickets/{ticket}/duplicate", TALKS),
    Route("GET /api/service", HEARS),  # of people, the caller's own department
    Route("GET /api/replies", SIGNED_IN),  # of the caller's own department
    Route("GET /api/people", HEARS),  # of the caller's own department
    Route("GET /api/lifecycles", SIGNED_IN),
    Route("GET /api/lifecycles/{digest}", SIGNED_IN, path="/api/lifecycles/{lifecycle}"),
    # Of a department, and of who may hear no less than its webhooks; what those are told, the rows of events say.
    Route("POST /api/webhooks", HEARS, json={"url": "{receiver}"}),
    Route("GET /api/webhooks", HEARS),
    Route("GET /api/webhooks/{webhook}", TENDS),
    Route("PATCH /api/webhooks/{webhook}", TENDS, json={"types": []}),
    Route("POST /api/webhooks/{webhook}/secret", TENDS),
    Route("GET /api/webhooks/{webhook}/deliveries", TENDS),
    Route("POST /api/webhooks/{webhook}/redeliver", TENDS, json={"after": "999999"}),
    Route("DELETE /api/webhooks/{webhook}", TENDS),
    Route("GET /events", HEARS, path="/events?after=0"),  # what each hears, the rows of events say
    Route("OPTIONS /events", PUBLIC),  # what another host's page may send
    Route("GET /", PUBLIC),  # the consoles' page, alike for all
    Route("GET /console/{department}", PUBLIC, path="/console/sales"),
    Route("GET /console/{department}/{ticket}", PUBLIC, path="/console/sales/{ticket}"),
    Route("GET /board", PUBLIC),
    Route("GET /assets/{name}", PUBLIC, path="/assets/build.json"),
    # A token means nothing there, and the cookie of a browser nothing elsewhere.
    Route("GET /api/session", PUBLIC),
    Route("POST /api/session", everybody("unknown_person"), json={"development": "nobody"}),
    Route("DELETE /api/session", PUBLIC),
    Route("POST /api/session/token", everybody("signed_out")),
    Route("GET /api/session/providers/{name}", everybody("unknown_provider"), path="/api/session/providers/none"),
    Route("GET /api/session/providers/{name}/callback", PUBLIC, path="/api/session/providers/none/callback"),
    Route("GET /healthz", PUBLIC),
    Route("GET /readyz", PUBLIC),
    Route("GET /metrics", PUBLIC),  # to programs of this machine, which the callers here are
    Route("GET /docs", PUBLIC),
    Route("GET /openapi.json", PUBLIC),
    # The chat platforms sign their callbacks; tokens of this service mean nothing there. No gateway runs in this one.
    Route("* /channels/{account:path}", everybody("no_gateway"), path="/channels/shop"),
    Route("* /widget/{rest:path}", everybody("no_gateway"), path="/widget/demo"),
    Route("* /widget.js", everybody("no_gateway")),
)

SOCKETS = {  # how each WebSocket is proven: its name among the wires that every document or event row runs over
    "/sync/{document:path}": "sync",
    "/collab": "collab",
    "/events": "events",
    "/widget/{site}": VISITOR,
}

RPCS = (
    Rpc("ticketsync.v1.TicketService/Open", OPENS, {"title": "Another"}),
    Rpc("ticketsync.v1.TicketService/Get", SEES, {"id": "{ticket}"}),
    Rpc("ticketsync.v1.TicketService/List", LISTS),
    Rpc(
        "ticketsync.v1.TicketService/Transition",
        MOVES,
        {"id": "{ticket}", "lane": "sales", "name": "quote", "seen": "{version}"},
    ),
    Rpc("ticketsync.v1.TicketService/PostMessage", TALKS, {"id": "{ticket}", "text": "We will call you."}),
    Rpc("ticketsync.v1.TicketService/Take", MOVES, {"id": "{ticket}", "lane": "sales"}),
    Rpc("ticketsync.v1.TicketService/UpdateCard", SEES, {"id": "{ticket}", "card": {"priority": "low"}}),
    Rpc(
        "ticketsync.v1.TicketService/UpdateForm",
        WRITES_FORM,
        {"id": "{ticket}", "lane": "sales", "fields": {"colour": "blue"}},
    ),
    Rpc("ticketsync.v1.TicketService/Explain", SEES, {"id": "{ticket}"}),
    Rpc("ticketsync.v1.TicketService/GetLifecycle", SIGNED_IN),
    Rpc(
        "ticketsync.v1.TicketService/Compare",
        LISTS,
        {"claims": [{"ticket": "{ticket}", "fingerprint": {"heads": "{heads}", "state": WRONG_STATE}}]},
    ),
    Rpc(
        "ticketsync.v1.TicketService/RaiseAlarm",
        SEES,
        {"id": "{ticket}", "fingerprint": {"heads": "{heads}", "state": WRONG_STATE}},
    ),
    Rpc("ticketsync.v1.IngressService/Ingest", INGESTS),
    Rpc(
        "ticketsync.v1.IngressService/Attach",
        INGESTS,
        {"head": {"account": "shop", "idempotency_key": "first", "index": 1, "code": "media_expired"}},
    ),
    Rpc("ticketsync.v1.EgressService/Fetch", SENDS, {"delivery": "{delivery}"}),
    Rpc(
        "ticketsync.v1.EgressService/Report",
        SENDS,
        {"id": "{delivery}", "lease": "{lease}", "outcome": "DELIVERY_OUTCOME_SENT"},
    ),
    Rpc("grpc.health.v1.Health/Check", PUBLIC),
    Rpc("grpc.health.v1.Health/List", everybody("UNIMPLEMENTED")),
)

STREAMS = {  # calls that stream, and what proves each
    "ticketsync.v1.SyncService/Sync": "every document row runs over it",
    "ticketsync.v1.EgressService/Claim": "every caller claims, as SENDS says",
    "ticketsync.v1.EventService/Watch": "every event row runs over it",
    "grpc.health.v1.Health/Watch": "public: the state of the log, no ticket",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "public: the interface, no ticket",
}

DOCUMENTS = (
    Document("log", "log", LOG_DOCUMENT),
    Document("talk", "talk", TALK_DOCUMENT),
    Document("submit", "submit/sales", OWN_SUBMIT),
    Document("form", "form/sales", FORM_DOCUMENT),
    Document("card", "card", CARD_DOCUMENT),
)

PARTICIPANTS = frozenset({"sales", "tech", "support", "backoffice"})

EVENTS = (
    Event("opened", PARTICIPANTS),
    Event("transitioned", PARTICIPANTS),
    Event("stage_changed", PARTICIPANTS),
    Event("obligation_raised", PARTICIPANTS),
    Event("obligation_overdue", PARTICIPANTS),
    Event("obligation_discharged", PARTICIPANTS),
    Event("duplicate_marked", PARTICIPANTS),
    Event("duplicate_cleared", PARTICIPANTS),
    Event("conversation_bound", frozenset({"sales", "support"})),
    Event("message", frozenset({"sales", "support"})),
    Event("answered", frozenset({"sales", "support"})),
    Event("delivery", frozenset({"sales", "support"})),
    Event("refused", frozenset({"sales"})),  # the department whose entry it was
)

VISITOR_IS_SHOWN = {  # each field of an entry, and whose words it can hold
    "from": "ours",
    "name": "the agent's, as the service desk's file lists it for customers",
    "text": "the visitor's own, or an answer to the visitor",
    "cid": "the visitor's own",
    "picture": "whether it is one, which is given under the visitor's token alone",
    "file": "whether it is one, which is given as a picture is; `text` is the name that its agent gave it",
    "event": "ours: that the conversation has ended, or was rated",
    "stars": "the visitor's own",
    "at": "the gateway's clock",
}

# fmt: off
NOTED = {  # the lanes in whose notes a picture from a group stands, and who is given it
    "case":  cells("no_media  ok         no_media   no_media   no_ticket  no_ticket    gateway  token_missing"),
    "sales": cells("ok        no_media   ok         no_media   no_ticket  no_ticket    gateway  token_missing"),
}
# fmt: on

GROUPS = {  # bound group chats by account, and which words of the filled service each is ever sent
    "office-robot": frozenset({"wordtitle"}),  # of backoffice: what its department may know, its own words not among it
    "sales-robot": frozenset({"wordtitle"}),  # of sales, which reads every conversation
    "stranger-robot": frozenset(),  # of marketing, which takes part in no ticket
}

NO_TICKET = "nothing of any ticket"
OWN_INPUT = "what stands on its own standard input"
OWN_COPY = "what the caller's replica was sent, over the wires of the document rows"

EXPORTS = (
    Export("serve", NO_TICKET),
    Export("token", NO_TICKET),
    Export("demo", "tickets that it opens itself, on the operator's own terminal"),
    Export("lifecycle check", NO_TICKET),
    Export("lifecycle fold", OWN_INPUT),
    Export("lifecycle graph", NO_TICKET),
    Export("lifecycle id", OWN_INPUT),
    Export("lifecycle simulate", NO_TICKET),
    Export("ticket open", NO_TICKET),
    Export("ticket list", OWN_COPY, ("ticket", "list")),
    Export("ticket show", OWN_COPY, ("ticket", "show", "{ticket}")),
    Export("ticket explain", OWN_COPY, ("ticket", "explain", "{ticket}")),
    Export("ticket do", OWN_COPY, ("ticket", "do", "{ticket}", "support", "raise")),
    Export("ticket again", OWN_COPY, ("ticket", "again", "{ticket}", "a")),
    Export("ticket say", OWN_COPY, ("ticket", "say", "{ticket}", "hello")),
    Export("ticket set", OWN_COPY, ("ticket", "set", "{ticket}", "priority=low")),
    Export("ticket take", OWN_COPY, ("ticket", "take", "{ticket}", "sales")),
    Export("ticket note", OWN_COPY, ("ticket", "note", "{ticket}", "sales", "hello")),
    Export("replica status", OWN_COPY, ("replica", "status")),
    Export("replica sync", OWN_COPY, ("replica", "sync", "--timeout", "10")),
    Export("replica reset", OWN_COPY, ("replica", "reset", "--export", "{export}")),
    Export("user add", NO_TICKET),
    Export("user list", NO_TICKET),
    Export("user disable", NO_TICKET),
    Export("user enable", NO_TICKET),
    Export("user move", NO_TICKET),
    Export("user set-password", NO_TICKET),
    Export("admin migrate", NO_TICKET),
    Export("admin compact", NO_TICKET),
    Export("admin verify", "names of tickets and documents, on the operator's own terminal"),
    Export("admin backup", NO_TICKET),
    Export("admin restore", NO_TICKET),
    Export("admin quarantine list", NO_TICKET),
    Export("admin quarantine show", NO_TICKET),
    Export("admin quarantine drop", NO_TICKET),
    Export("admin outbox list", "names of tickets, on the operator's own terminal; no customer and no words"),
    Export("admin outbox retry", NO_TICKET),
    Export("admin outbox drop", NO_TICKET),
    Export("admin webhooks list", "receivers and their owners, on the operator's own terminal; no ticket, no secret"),
    Export("admin webhooks pause", NO_TICKET),
    Export(
        "gateway dead-letters list", "our accounts and codes, on the operator's own terminal; no customer and no words"
    ),
    Export(
        "gateway dead-letters show",
        "what a customer said, on the terminal of an operator who may read the inbox's file",
    ),
    Export("gateway dead-letters replay", NO_TICKET),
    Export(
        "gateway refused-contents list", "codes and counts, on the operator's own terminal; no ticket and no customer"
    ),
    Export("gateway refused-contents again", NO_TICKET),
    *(
        Export(f"gateway channel {command}", "a file of the operator's and its samples; no gateway's data")
        for command in ("lint", "dry-run", "show", "schema")
    ),
    Export("gateway channel replay", NO_TICKET),
    Export("admin access show", NO_TICKET),
    Export("admin access revoke", NO_TICKET),
    Export("admin access sign-out", NO_TICKET),
    Export("admin access limit", NO_TICKET),
    Export("admin access restore", NO_TICKET),
    Export("admin access rotate-key", NO_TICKET),
    Export("admin sign-ins", NO_TICKET),
    Export("admin audit", "names of documents that were refused, and to whom, on the operator's own terminal"),
)
