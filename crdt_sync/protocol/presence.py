"""Who is looking at a room: the latest awareness state of every client, never stored.

The rules are those of y-protocols' awareness: a state counts if its clock is newer, or if it removes a known client at
the same clock. What changed is collected and relayed once a turn, the latest state only; what an owner says sooner than
it may waits for its moment, or goes out with what another says before that.

A client is the person's who named it first, there or away, as long as the room remembers it. Of the subscriptions of
one person it goes to the one that says something newer of it, or that has no client yet: so somebody comes back whose
former socket is not known to be dead, while another screen that only sends back what it heard takes nothing.
"""

from dataclasses import dataclass
from typing import Protocol

from crdt_sync.domain.ids import ActorId
from crdt_sync.wire import limits
from crdt_sync.wire.awareness import State, decode, encode

APART_MS = 1000 // limits.PRESENCE_MESSAGES_PER_S_MAX


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of an awareness update. `relay_in_ms` is 0 for at once, and None if there is nothing to relay."""

    relay_in_ms: int | None
    refused: str | None  # the code of what was not taken


class Owner(Protocol):
    """A subscription that speaks for clients, hashable by what it is."""

    @property
    def actor(self) -> ActorId:
        """Whose it is."""
        ...


@dataclass(slots=True)
class Client:
    """What the room knows of a client."""

    state: State
    actor: ActorId
    owner: Owner | None  # the subscription that speaks for it, None when it is away


class Presence:
    """The presence of one room."""

    def __init__(self) -> None:
        self._clients: dict[int, Client] = {}
        self._owned: dict[Owner, set[int]] = {}
        self._away: dict[ActorId, dict[int, None]] = {}  # in the order in which they left
        self._changed: set[int] = set()
        self._relayed_ms: dict[Owner, int] = {}  # when it is relayed, or was at last

    def __len__(self) -> int:
        return sum(map(len, self._owned.values()))

    def update(self, data: bytes, owner: Owner, *, now_ms: int) -> Heard:
        """Take an awareness update from `owner`; what is another person's client, or one too many, is left out.

        The sender's own unchanged state counts as well: y-websocket clients close a connection on which nothing comes
        for 30 seconds, and the echo of their renewal is what keeps it open.

        Raises:
            Malformed: the bytes are no awareness update.

        """
        refused = None
        for state in decode(data):
            refused = self._take(state, owner) or refused
        return Heard(self._wait_ms(owner, now_ms) if self._changed else None, refused)

    def leave(self, owner: Owner) -> bool:
        """Remove the clients that `owner` speaks for; True if there is something to relay."""
        self._relayed_ms.pop(owner, None)
        for name in self._owned.pop(owner, ()):
            client = self._clients[name]
            client.state, client.owner = State(name, client.state.clock, None), None
            self._changed.add(name)
        return bool(self._changed)

    def drain(self) -> bytes | None:
        """Return what changed since the last call as one awareness update, None if nothing did."""
        if not self._changed:
            return None
        states = [self._clients[name].state for name in sorted(self._changed)]
        self._changed.clear()
        for state in states:
            if state.json is None:
                self._put_away(state.client)
        return encode(states)

    def snapshot(self) -> bytes | None:
        """Return everybody's state for a newcomer, None if nobody is there."""
        states = [client.state for client in self._clients.values() if client.state.json is not None]
        return encode(states) if states else None

    def _take(self, state: State, owner: Owner) -> str | None:
        """Take what is said of one client; return the code of a refusal."""
        name, known = state.client, self._clients.get(state.client)
        if known is None:
            if state.json is None:
                return None  # it removes nobody
            known = Client(state, owner.actor, None)
        elif known.owner is not owner and known.actor != owner.actor:
            sent_back = state.clock < known.state.clock or state == known.state  # what y-websocket hears, it sends back
            return None if sent_back else "foreign_presence"
        elif not self._counts(state, known, owner):
            return None
        if known.owner is not owner:
            own = self._owned.setdefault(owner, set())
            if len(own) >= limits.AWARENESS_IDS_PER_CONNECTION_MAX or (
                known.owner is None and len(self) >= limits.AWARENESS_STATES_MAX
            ):
                return "too_many_presences"
            if known.owner is not None:
                self._owned[known.owner].discard(name)
            own.add(name)
            self._away.get(known.actor, {}).pop(name, None)
            self._clients[name] = known
            known.owner = owner
        known.state = state
        self._changed.add(name)
        return None

    def _counts(self, state: State, known: Client, owner: Owner) -> bool:
        """Tell whether what a person says of a client of his changes anything.

        Said again by another subscription, it is either the client itself on a new socket, which speaks of itself
        before it has heard of anybody, or another screen that sends back what it heard.
        """
        if state.json is None and known.state.json is None:
            return False
        if state.clock != known.state.clock:
            return state.clock > known.state.clock
        return known.owner is owner or (state.json is not None and not self._owned.get(owner))

    def _put_away(self, name: int) -> None:
        """Remember whose a client was that left, and forget the one of the same person that left longest ago."""
        client = self._clients[name]
        if client.owner is not None:
            self._owned[client.owner].discard(name)
            client.owner = None
        away = self._away.setdefault(client.actor, {})
        away[name] = None
        if len(away) > limits.AWARENESS_AWAY_MAX:
            oldest = next(iter(away))
            del away[oldest], self._clients[oldest]

    def _wait_ms(self, owner: Owner, now_ms: int) -> int:
        """Return how long what `owner` has said waits, so that it is relayed no more often than it may."""
        at_ms = self._relayed_ms.get(owner, now_ms - APART_MS)
        if not now_ms - APART_MS < at_ms <= now_ms + APART_MS:  # long ago; or the clock went back
            at_ms = now_ms
        elif at_ms <= now_ms:
            at_ms += APART_MS
        self._relayed_ms[owner] = at_ms
        return at_ms - now_ms
