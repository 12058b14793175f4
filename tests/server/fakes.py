"""Named fakes of the server's tests."""

from crdt_sync.domain.ids import Department, Digest, LaneId
from crdt_sync.domain.lifecycle.model import Lane, Lifecycle
from crdt_sync.errors import NotFound
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.views import Explained, FormView, Opened, Page, Posted, TicketView, Transitioned

TICKET = "a" * 52
OTHER = "b" * 51 + "a"
DIGEST = "d" * 64


class ManualClock:
    """A clock that stands until it is moved."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms


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
