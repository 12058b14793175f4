"""Named fakes of the server's tests."""

import asyncio

from starlette.websockets import WebSocket

from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ActorId, Department, Digest, LaneId
from crdt_sync.domain.lifecycle.model import Lane, Lifecycle
from crdt_sync.errors import NotFound, Unauthenticated
from crdt_sync.service.audit import Audit
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.views import Explained, FormView, Opened, Page, Posted, TicketView, Transitioned
from tests.fakes import ManualClock

TICKET = "a" * 52
OTHER = "b" * 51 + "a"
DIGEST = "d" * 64


def view(**changes) -> TicketView:
    shown = {
        "id": TICKET,
        "version": 7,
        "lifecycle": DIGEST,
        "stage": "signed",
        "kind": "normal",
        "lanes": {"sales": "signed"},
        "flags": {},
        "obligations": [],
        "card": {"title": "Fibre"},
        "subject": "s",
        "opened_at_ms": 0,
        "updated_at_ms": 0,
        "position": 9,
    }
    return TicketView(**shown | changes)


class FakeTickets:
    """The service as the HTTP layer sees it: one ticket, every call kept, `failure` raised while it is set."""

    def __init__(self) -> None:
        self.calls = []
        self.view = view()
        self.created = True
        self.failure = None
        self.next = None
        self.lines = ("Sales has signed.",)

    def _take(self, call, /, *args, **named):
        self.calls.append((call, args, named))
        if self.failure is not None:
            raise self.failure

    async def open(self, principal, **named):
        self._take("open", principal, **named)
        return Opened(self.view, self.created)

    async def get(self, principal, ticket):
        self._take("get", principal, ticket)
        if ticket != self.view.id:
            raise NotFound("No such ticket.", code="unknown_ticket")
        return self.view

    async def list(self, principal, where, *, after=None, limit=100):
        self._take("list", principal, where, after=after, limit=limit)
        return Page([self.view], self.next, 9)

    async def transition(self, principal, ticket, **named):
        self._take("transition", principal, ticket, **named)
        return Transitioned(self.view, OTHER)

    async def post_message(self, principal, ticket, **named):
        self._take("post_message", principal, ticket, **named)
        return Posted(OTHER, 10)

    async def messages(self, principal, ticket):
        self._take("messages", principal, ticket)
        return [{"kind": "customer"}]

    async def update_card(self, principal, ticket, **named):
        self._take("update_card", principal, ticket, **named)
        return self.view

    async def form(self, principal, ticket, lane):
        self._take("form", principal, ticket, lane)
        return FormView({"price": "10"}, "a note", 9)

    async def update_form(self, principal, ticket, lane, **named):
        self._take("update_form", principal, ticket, lane, **named)
        return FormView({"price": "11"}, "a note", 10)

    async def explain(self, principal, ticket, language):
        self._take("explain", principal, ticket, language)
        return Explained(self.view, self.lines)

    async def history(self, principal, ticket):
        self._take("history", principal, ticket)
        return [{"id": TICKET}]


class FakeStore:
    """A store that is asked only whether it can commit."""

    def __init__(self) -> None:
        self.checks = 0
        self.failure = None

    async def check(self) -> None:
        self.checks += 1
        if self.failure is not None:
            raise self.failure


def lifecycles() -> Lifecycles:
    """One lifecycle of one lane, with labels."""
    lane = Lane(
        id=LaneId("sales"),
        owner=Department("sales"),
        control=True,
        initial="lead",
        states=("lead", "signed"),
        final=(),
        below={},
        conflicts={},
        conflict_unnamed=False,
        transitions={},
        form_readers=(),
    )
    lifecycle = Lifecycle(
        name="fibre",
        version=1,
        digest=Digest(DIGEST),
        title={"en": "Fibre", "zh": "光纤"},
        open_by=(),
        talk=(),
        inbound_after_close="reopen",
        lanes={lane.id: lane},
        stages=(),
        stories=(),
        labels={"signed": {"zh": "已签约"}},
    )
    return Lifecycles(lifecycle, {lifecycle.digest: (lifecycle, "lifecycle: fibre\n")})


class FakeConnection:
    """A connection that keeps what it was given; `failure` is raised while it is set."""

    def __init__(self, transport, authenticate, identity) -> None:
        self.transport = transport
        self.authenticate = authenticate
        self.identity = identity
        self.identified = identity is not None
        self.received = []
        self.joined = []
        self.failure = None
        self.has_ended = False

    def join(self, document):
        self.joined.append(document)

    def receive(self, data):
        if self.failure is not None:
            raise self.failure
        self.received.append(data)

    def ended(self):
        self.has_ended = True


class FakeConnections:
    """Connections that lead nowhere."""

    def __init__(self) -> None:
        self.made = asyncio.Queue()

    def connect(self, dialect, transport, *, authenticate, identity=None, source="", trace=None):
        connection = FakeConnection(transport, authenticate, identity)
        self.made.put_nowait(connection)
        return connection


def audit(meter) -> Audit:
    """A record of refusals that nobody writes."""
    return Audit(meter, ManualClock(), b"k" * 32)


class FakeAuthenticator:
    """Takes any token but `wrong`, until `ends_at_ms`."""

    def __init__(self, ends_at_ms=None) -> None:
        self.ends_at_ms = ends_at_ms
        self.principal = Principal(ActorId("ann"), Department("sales"))

    async def authenticate(self, token, headers):
        if token in {None, "wrong"}:
            raise Unauthenticated("The token is not valid.", code="token_invalid")
        return Identity(self.principal, self.ends_at_ms)


class Dialled:
    """A WebSocket as an ASGI server gives it, without the server."""

    def __init__(self, path_params=(), headers=(), query="") -> None:
        self.inbox = asyncio.Queue()
        self.outbox = asyncio.Queue()
        self.may_send = asyncio.Event()
        self.may_send.set()
        scope = {
            "type": "websocket",
            "path": "/",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in dict(headers).items()],
            "path_params": dict(path_params),
        }
        self.websocket = WebSocket(scope, self.inbox.get, self._send)
        self.inbox.put_nowait({"type": "websocket.connect"})

    async def _send(self, message):
        await self.may_send.wait()
        self.outbox.put_nowait(message)
        if message["type"] == "websocket.close":
            self.inbox.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    def say(self, data):
        self.inbox.put_nowait({"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data})

    def leave(self):
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def heard(self, kind):
        """Return the next message of that kind."""
        while True:
            message = await self.outbox.get()
            if message["type"] == f"websocket.{kind}":
                return message
