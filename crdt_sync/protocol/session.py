"""One connection, without I/O: what a client says goes in, effects come out.

A session owns the state of each of its subscriptions and the order of their frames. It never touches a room, a socket,
a clock or a token; its driver executes the effects and tells it what came of them. Rules: wire.md 1 to 8, as written
down in proto/PROTOCOL.md.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import assert_never

from crdt_sync.domain.access import Principal
from crdt_sync.errors import Forbidden, Malformed, Reset, ServiceError, TicketSyncError, TooLarge
from crdt_sync.protocol import dialect as said
from crdt_sync.protocol.dialect import Dialect, Inbound
from crdt_sync.protocol.effects import (
    Answer,
    AskPresence,
    Authenticate,
    Close,
    Effect,
    Leave,
    Open,
    Present,
    Push,
    Quarantine,
    Refusal,
    Send,
)
from crdt_sync.wire import limits
from crdt_sync.wire.status import status_of

WAITING_BYTES_MIN = 256  # what a small message that waits costs: 30,000 of them, all that `pace` takes at once, fit


class Stage(Enum):
    """Where a subscription stands."""

    UNKNOWN = auto()  # frames came before a token
    VERIFYING = auto()
    OPENING = auto()
    OPEN = auto()
    REFUSED = auto()  # stays refused on this connection
    RESET = auto()  # the client's copy is of a former life: closed until it joins again


_OPEN = Stage.OPEN  # a member of an enumeration costs a call to look up


@dataclass(slots=True)
class Subscription:
    """One document on one connection."""

    key: str
    document: str
    stage: Stage = Stage.UNKNOWN
    principal: Principal | None = None
    queued: deque[Inbound] = field(default_factory=deque)
    queued_bytes: int = 0
    denial: TicketSyncError | None = None  # why it was not opened before
    held: list[Push] = field(default_factory=list)
    held_bytes: int = 0
    held_since_ms: int | None = None

    @property
    def wrote(self) -> bool:
        """Tell whether an update waits for the document to open."""
        return any(isinstance(inbound.body, said.Change) for inbound in self.queued)


class Session:
    """The machine of one connection. Every method returns the effects to execute, in order."""

    def __init__(self, dialect: Dialect, *, principal: Principal | None = None) -> None:
        self.dialect = dialect
        self._principal = principal
        self._subscriptions: dict[str, Subscription] = {}
        self._renewing: set[str] = set()  # whose later token is being judged; empty stands for the connection

    def receive(self, data: object) -> list[Effect]:
        """Take one message of the transport."""
        heard = self.dialect.decode(data)
        if len(heard) == 1:
            return self._inbound(heard[0])
        effects: list[Effect] = []
        for inbound in heard:
            effects += self._inbound(inbound)
        return effects

    def join(self, key: str, document: str) -> list[Effect]:
        """Open a document that the connection's address names, with the connection's own principal."""
        return self._inbound(Inbound(key, document, said.Join()))

    def authenticated(self, key: str, principal: Principal) -> list[Effect]:
        """Continue after the token of a subscription, or with an empty key of the connection, was found good."""
        self._renewing.discard(key)
        if not key:
            self._principal = principal
        for subscription in self._subscriptions.values() if not key else [self._subscriptions.get(key)]:
            if subscription is not None:
                subscription.principal = principal
        first = self._subscriptions.get(key)
        return self._open(first, principal) if first is not None and first.stage is Stage.VERIFYING else []

    def denied(self, key: str, error: TicketSyncError) -> list[Effect]:
        """Refuse a subscription whose token or access was found wanting; what it had queued is dropped.

        It may present another token. What was said behind its leaving is another subscription's, and goes on.
        """
        subscription = self._subscriptions.get(key)
        if subscription is None:
            return []
        frames = self.dialect.denied(key, error)
        leave = [Leave(key)] if subscription.stage is Stage.OPEN else []
        effects: list[Effect] = [*leave, self._refusal(subscription, error)]
        if not frames:
            del self._subscriptions[key]
            return [*effects, _close(error)]
        effects += _sends(frames)
        queued = subscription.queued
        self._subscriptions[key] = Subscription(key, subscription.document, denial=error.detached())
        while queued:
            if isinstance(queued.popleft().body, said.Part):
                del self._subscriptions[key]
                for inbound in queued:
                    effects += self._inbound(inbound)
                break
        return effects

    def not_renewed(self, key: str, error: TicketSyncError) -> list[Effect]:
        """Refuse a later token. What could not be judged changes nothing: the time to bring another one goes on."""
        self._renewing.discard(key)
        if error.retryable:
            return []
        return self.denied(key, error) if key else self.end(error)

    def ask_token(self, key: str) -> list[Effect]:
        """Ask for a later token, if the wire has a word for it."""
        return _sends(self.dialect.ask_token(key))

    def end(self, error: TicketSyncError) -> list[Effect]:
        """Close the whole connection; what waits for its document is not taken any more."""
        document = next((one.document for one in self._subscriptions.values()), "")
        self._subscriptions.clear()
        return self._refuse_all(document, error)

    def forbidden(self, key: str, error: TicketSyncError) -> list[Effect]:
        """Close a document that the client may not read any more."""
        subscription = self._subscriptions.get(key)
        return self._shut(subscription, None, error) if subscription is not None else []

    def permitted(self, key: str, *, writable: bool) -> list[Effect]:
        """Say that the client may write a document from now on, or only read it."""
        return _sends(self.dialect.opened(key, writable=writable)) if key in self._subscriptions else []

    def opened(self, key: str, *, writable: bool, state_vector: bytes) -> list[Effect]:
        """Continue after the room was joined: greet, then handle what was queued, in order."""
        subscription = self._subscriptions.get(key)
        if subscription is None or subscription.stage is not Stage.OPENING:
            return [Leave(key)]
        subscription.stage = Stage.OPEN
        effects = _sends(self.dialect.opened(key, writable=writable))
        if not self.dialect.step1_follows_step1:
            effects.append(Send(self.dialect.step1(key, state_vector)))
        effects.append(AskPresence(key))
        queued, subscription.queued, subscription.queued_bytes = subscription.queued, deque(), 0
        for inbound in queued:
            effects += self._inbound(inbound)
        return effects

    def gap(self, push: Push, state_vector: Callable[[], bytes], now_ms: int) -> list[Effect]:
        """Hold an update that builds on what the room lacks, and ask for the rest: once, the answer has all of it."""
        subscription = self._subscriptions.get(push.key)
        if subscription is None or subscription.stage is not Stage.OPEN:
            return []  # it was left or closed by what came behind the update
        subscription.held.append(push)
        subscription.held_bytes += len(push.data)
        if subscription.held_since_ms is None:
            subscription.held_since_ms = now_ms
        if len(subscription.held) > limits.GAP_UPDATES_MAX or subscription.held_bytes > limits.GAP_BYTES_MAX:
            return self.broken(push, _never_filled())
        return [Send(self.dialect.step1(push.key, state_vector()))] if len(subscription.held) == 1 else []

    def filled(self, key: str) -> list[Push]:
        """Return what was held, in order, to be tried again now that the room knows more."""
        subscription = self._subscriptions.get(key)
        if subscription is None or not subscription.held:
            return []
        held, subscription.held, subscription.held_bytes = subscription.held, [], 0
        subscription.held_since_ms = None
        return held

    def owes(self, key: str) -> bool:
        """Tell whether an update waits for a document that is being opened: it is taken though its sender has left."""
        subscription = self._subscriptions.get(key)
        return subscription is not None and subscription.stage is Stage.OPENING and subscription.wrote

    def overdue(self, now_ms: int) -> list[Effect]:
        """Close what has held an unfilled gap for too long."""
        effects: list[Effect] = []
        for subscription in list(self._subscriptions.values()):
            since = subscription.held_since_ms
            if since is not None and now_ms - since > limits.GAP_S * 1000:
                effects += self.broken(subscription.held[0], _never_filled())
        return effects

    def acknowledged(self, key: str, refs: Sequence[bytes], position: int) -> list[Effect]:
        """Tell the author that updates are committed, each by itself."""
        if key not in self._subscriptions:
            return []
        return [Send(frame) for ref in refs for frame in self.dialect.acknowledged(key, ref, position)]

    def repeated(self, push: Push) -> list[Effect]:
        """Tell the author of an update that the room held it; where the echo says that, nobody else hears it."""
        frames = self.dialect.acknowledged(push.key, push.ref, 0) or (self.dialect.update(push.key, push.data),)
        return _sends(frames) if push.key in self._subscriptions else []

    def broken(self, push: Push, error: TicketSyncError) -> list[Effect]:
        """Refuse an update that breaks a rule: nack, quarantine, and the document closed on this connection."""
        return self._refuse(push.key, push.data, push.ref, error)

    def faulty(self, key: str, data: bytes, error: TicketSyncError) -> list[Effect]:
        """Do the same for what is no update, so that nothing is owed an answer."""
        return self._refuse(key, data, None, error)

    def read_only(self, key: str, ref: bytes) -> list[Effect]:
        """Refuse a write to a document that the client may only read; the session stays."""
        subscription = self._subscriptions.get(key)
        if subscription is None:
            return []
        error = Forbidden(
            f"{subscription.document!r} is read-only for this client.",
            code="read_only",
            advice="Append to the department's own submit document.",
        )
        return [self._refusal(subscription, error), *_sends(self.dialect.refused(key, ref, error))]

    def failed(self, key: str, ref: bytes, error: ServiceError) -> list[Effect]:
        """Tell the author that an update could not be committed; the client keeps it and comes again."""
        subscription = self._subscriptions.get(key)
        if subscription is None:
            return []
        return [self._refusal(subscription, error), *_sends(self.dialect.refused(key, ref, error))]

    def _inbound(self, inbound: Inbound) -> list[Effect]:
        subscription = self._subscriptions.get(inbound.key)
        body = inbound.body
        if isinstance(body, said.Change) and subscription is not None and subscription.stage is _OPEN:
            return [Push(inbound.key, body.data, body.ref)]  # as for nearly every frame
        if isinstance(body, said.Answered) and not inbound.key:
            return [Send(body.frame)]
        if isinstance(body, said.Token) and not inbound.key:
            return self._renew("", body.token)
        if isinstance(body, said.Broken) and subscription is None:
            quarantine = Quarantine(inbound.document, body.error.code, body.data, self._principal)
            return [quarantine, *self._refuse_all(inbound.document, body.error)]
        if subscription is not None and subscription.stage is Stage.RESET and isinstance(body, said.Token | said.Join):
            del self._subscriptions[inbound.key]
            subscription = None
        if subscription is None:
            if len(self._subscriptions) >= limits.DOCUMENTS_PER_SOCKET_MAX:
                error = TooLarge("Too many documents on one connection.", code="too_many_documents")
                return self._refuse_all(inbound.document, error)
            subscription = Subscription(inbound.key, inbound.document)
            self._subscriptions[inbound.key] = subscription
        match subscription.stage:
            case Stage.REFUSED | Stage.RESET:
                return []
            case Stage.OPEN:
                return self._open_frame(subscription, body)
            case Stage.UNKNOWN | Stage.VERIFYING | Stage.OPENING:
                return self._early_frame(subscription, inbound)

    def _early_frame(self, subscription: Subscription, inbound: Inbound) -> list[Effect]:
        body = inbound.body
        if isinstance(body, said.Part) and (subscription.stage is Stage.UNKNOWN or not subscription.wrote):
            del self._subscriptions[subscription.key]
            return [Leave(subscription.key)]  # else it leaves once what it wrote is taken
        if subscription.stage is Stage.UNKNOWN:
            if isinstance(body, said.Token):
                subscription.stage = Stage.VERIFYING
                return [Authenticate(subscription.key, body.token)]
            if isinstance(body, said.Join) and self._principal is not None:
                return self._open(subscription, self._principal)
            if self._principal is not None and not self.dialect.token_per_document:  # nothing else will open it
                return self.denied(subscription.key, subscription.denial or _not_open())
        subscription.queued.append(inbound)
        subscription.queued_bytes += max(said.size_of(body), WAITING_BYTES_MIN)
        if subscription.stage is Stage.OPENING:  # what was written offline may be many messages
            counted = [subscription]
            fits = (
                subscription.queued_bytes <= limits.OPENING_BYTES_MAX
                and sum(one.queued_bytes for one in self._subscriptions.values() if one.stage is Stage.OPENING)
                <= limits.OPENING_CONNECTION_BYTES_MAX
            )
        else:  # nobody has said yet who this is: the limits are the socket's, however many documents it names
            counted = [one for one in self._subscriptions.values() if one.stage in {Stage.UNKNOWN, Stage.VERIFYING}]
            fits = (
                sum(len(one.queued) for one in counted) <= limits.UNAUTHENTICATED_MESSAGES_MAX
                and sum(one.queued_bytes for one in counted) <= limits.UNAUTHENTICATED_BYTES_MAX
            )
        return [] if fits else self._too_much(inbound.document, counted)

    def _too_much(self, document: str, counted: Sequence[Subscription]) -> list[Effect]:
        """Deny again who was denied and goes on writing, for the sake of its other documents; else close."""
        effects: list[Effect] = []
        for one in counted:
            if one.denial is not None and one.stage is Stage.UNKNOWN:
                effects += self.denied(one.key, one.denial)
        return effects or self._refuse_all(document, TooLarge("Too much was sent before the document was open."))

    def _open_frame(self, subscription: Subscription, body: said.Body) -> list[Effect]:
        key = subscription.key
        match body:
            case said.Change():
                return [Push(key, body.data, body.ref)]
            case said.StateVector():
                return [Answer(key, body.state_vector)]
            case said.Awareness():
                return [Present(key, body.data)]
            case said.PresenceQuery():
                return [AskPresence(key)]
            case said.Part():
                del self._subscriptions[key]
                return [Leave(key)]
            case said.Broken():
                quarantine = Quarantine(subscription.document, body.error.code, body.data, subscription.principal)
                return [quarantine, *self._shut(subscription, None, body.error)]
            case said.Answered():
                refusal = [Refusal(subscription.document, body.code, subscription.principal)] if body.code else []
                return [*refusal, Send(body.frame)]
            case said.Token():
                return self._renew(key, body.token)
            case said.Join():
                return []  # it is open
            case _:
                assert_never(body)

    def _renew(self, key: str, token: str) -> list[Effect]:
        """Have a later token judged; what comes while one is judged is none that was asked for."""
        if key in self._renewing:
            return []
        self._renewing.add(key)
        return [Authenticate(key, token)]

    def _open(self, subscription: Subscription, principal: Principal) -> list[Effect]:
        subscription.stage = Stage.OPENING
        subscription.principal = principal
        return [Open(subscription.key, subscription.document, principal)]

    def _refuse(self, key: str, data: bytes, ref: bytes | None, error: TicketSyncError) -> list[Effect]:
        subscription = self._subscriptions.get(key)
        if subscription is None or subscription.stage in {Stage.REFUSED, Stage.RESET}:
            return []
        if isinstance(error, Reset):  # nothing is wrong with the bytes but their age
            return self._shut(subscription, ref, error)
        quarantine = Quarantine(subscription.document, error.code, data, subscription.principal)
        return [quarantine, *self._shut(subscription, ref, error)]

    def _shut(self, subscription: Subscription, ref: bytes | None, error: TicketSyncError) -> list[Effect]:
        subscription.stage = Stage.RESET if isinstance(error, Reset) else Stage.REFUSED
        subscription.held, subscription.held_since_ms = [], None
        frames = self.dialect.closed(subscription.key, ref, error)
        leave = Leave(subscription.key)
        return [leave, self._refusal(subscription, error), *(_sends(frames) if frames else [_close(error)])]

    def _refusal(self, subscription: Subscription, error: TicketSyncError) -> Refusal:
        return Refusal(subscription.document, error.code, subscription.principal or self._principal)

    def _refuse_all(self, document: str, error: TicketSyncError) -> list[Effect]:
        """Close the whole connection; `document` is what the client spoke of."""
        return [Refusal(document, error.code, self._principal), _close(error)]


def _not_open() -> Malformed:
    return Malformed("Nothing is said of a document before it is opened.", code="not_open", advice="Open it first.")


def _never_filled() -> Malformed:
    return Malformed(
        "The updates build on changes that never arrived.",
        code="gap",
        advice="Answer the service's sync step 1 with everything it lacks, then send the updates again.",
    )


def _sends(frames: Sequence[object]) -> list[Effect]:
    return [Send(frame) for frame in frames]


def _close(error: TicketSyncError) -> Close:
    return Close(status_of(error).close, f"{error.code}: {error.message}")
