"""Named fakes of the server's tests."""

import asyncio

from starlette.datastructures import Headers

from crdt_sync.domain.access import Principal
from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ActorId, Department, Digest, LaneId
from crdt_sync.domain.lifecycle.model import Lane, Lifecycle
from crdt_sync.errors import NotFound, Unauthenticated
from crdt_sync.server.deadlines import Deadlines
from crdt_sync.server.sockets import Handshake
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

    async def take(self, principal, ticket, lane, **named):
        self._take("take", principal, ticket, lane, **named)
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
        self.dead = False

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
    return Lifecycles(lifecycle, {lifecycle.digest: (lifecycle, "lifecycle: fibre\n")}, {})


class FakeConnection:
    """A connection that keeps what it was given; `failure` is raised while it is set."""

    def __init__(self, transport, authenticate, identity) -> None:
        self.transport = transport
        self.authenticate = authenticate
        self.identity = identity
        self.identified = identity is not None
        self.received = []
        self.others = 0
        self.joined = []
        self.failure = None
        self.has_ended = False

    def join(self, document):
        self.joined.append(document)

    def receive(self, data, frames=1):
        if self.failure is not None:
            raise self.failure
        self.received.append(data)

    def too_fast(self, frames=1):
        self.others += frames
        return False

    def flush(self):
        pass

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
        self.answers = asyncio.Event()  # cleared, it takes its time
        self.answers.set()
        self.principal = Principal(ActorId("ann"), Department("sales"))

    async def authenticate(self, token, headers):
        await self.answers.wait()
        if token in {None, "wrong"}:
            raise Unauthenticated("The token is not valid.", code="token_invalid")
        return Identity(self.principal, self.ends_at_ms)


class Wheel(Deadlines):
    """Deadlines whose time a test moves on."""

    def __init__(self) -> None:
        self.time_s = 1_000.0
        super().__init__(lambda: self.time_s)

    def pass_time(self, seconds):
        self.time_s += seconds
        self.tick()


class FakeTransport:
    """A transport of the event loop that leads nowhere: it keeps what is written, and what was asked of it."""

    def __init__(self) -> None:
        self.protocol = None
        self.written = bytearray()
        self.unsent = 0
        self.high = None
        self.reading = True
        self.closed = self.aborted = False

    def set_protocol(self, protocol):
        self.protocol = protocol

    def set_write_buffer_limits(self, high=None):
        self.high = high

    def get_write_buffer_size(self):
        return self.unsent

    def write(self, data):
        self.written += data

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def is_closing(self):
        return self.closed or self.aborted

    def close(self):
        self.closed = True

    def abort(self):
        self.aborted = True


class Dialled:
    """A client's end of a socket of `Sockets`, over a `FakeTransport`; `denial` if it was refused in HTTP."""

    def __init__(self, sockets, path, *, headers=(), query="", version="13") -> None:
        handshake = {"sec-websocket-version": version, "sec-websocket-key": "A" * 22 + "=="} | dict(headers)
        raw = [(name.encode(), value.encode()) for name, value in handshake.items()]
        self.transport = FakeTransport()
        asked = Handshake(path.encode(), query.encode(), Headers(raw=raw), "192.0.2.1")
        self.denial = sockets.upgrade(asked, self.transport)

    @property
    def socket(self):
        return self.transport.protocol

    def say(self, *messages):
        for message in messages:
            opcode, payload = (1, message.encode()) if isinstance(message, str) else (2, message)
            self.send(masked(payload, opcode))

    def send(self, data):
        self.socket.data_received(data)

    def leave(self):
        self.socket.connection_lost(None)

    @property
    def heard(self):
        """Every message so far, and the close code last."""
        return [
            int.from_bytes(payload[:2] or b"\x03\xed", "big") if opcode == 8 else payload
            for opcode, payload in self._frames()
        ]

    @property
    def reason(self):
        """What the close frame says."""
        (payload,) = [payload for opcode, payload in self._frames() if opcode == 8]
        return payload[2:].decode()

    def _frames(self):
        return unframed(self.transport.written.partition(b"\r\n\r\n")[2])


def masked(payload, opcode=2, *, fin=True, bits=0):
    """A client's frame."""
    head = bytes((fin << 7 | bits << 4 | opcode,))
    if len(payload) < 126:
        head += bytes((0x80 | len(payload),))
    elif len(payload) < 65_536:
        head += b"\xfe" + len(payload).to_bytes(2, "big")
    else:
        head += b"\xff" + len(payload).to_bytes(8, "big")
    mask = b"\x12\x34\x56\x78"
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def unframed(data):
    """Take a server's frames apart."""
    frames = []
    while data:
        opcode, size, start = data[0] & 15, data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        frames.append((opcode, bytes(data[start : start + size])))
        data = data[start + size :]
    return frames
