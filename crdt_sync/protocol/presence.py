"""Who is looking at a room: the latest awareness state of every client, never stored.

The rules are those of y-protocols' awareness: a state counts if its clock is newer, or if it removes a known client at
the same clock. What changed is collected and relayed once a turn, the latest state only; what an owner says sooner than
it may waits for its moment, or goes out with what another says before that.
"""

from dataclasses import dataclass

from crdt_sync.wire import limits
from crdt_sync.wire.awareness import State, decode, encode

APART_MS = 1000 // limits.PRESENCE_MESSAGES_PER_S_MAX


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of an awareness update. `relay_in_ms` is 0 for at once, and None if there is nothing to relay."""

    relay_in_ms: int | None
    refused: str | None  # the code of what was not taken


class Presence:
    """The presence of one room. `owner` is any hashable thing that joined: only it may speak for its clients."""

    def __init__(self) -> None:
        self._states: dict[int, State] = {}
        self._owners: dict[int, object] = {}
        self._clients: dict[object, set[int]] = {}  # owner -> its clients
        self._changed: set[int] = set()
        self._relayed_ms: dict[object, int] = {}  # owner -> when it is relayed, or was at last

    def __len__(self) -> int:
        return len(self._states)

    def update(self, data: bytes, owner: object, *, now_ms: int) -> Heard:
        """Take an awareness update from `owner`; what is another one's client, or one too many, is left out.

        The sender's own unchanged state counts as well: y-websocket clients close a connection on which nothing comes
        for 30 seconds, and the echo of their renewal is what keeps it open.

        Raises:
            Malformed: the bytes are no awareness update.

        """
        own = self._clients.setdefault(owner, set())
        refused = None
        for state in decode(data):
            if self._owners.get(state.client, owner) is not owner:
                refused = "foreign_presence"
                continue
            known = self._states.get(state.client)
            if known is not None and state.clock < known.clock:
                continue
            if state.client not in own:
                if len(own) >= limits.AWARENESS_IDS_PER_CONNECTION_MAX or len(self) >= limits.AWARENESS_STATES_MAX:
                    refused = "too_many_presences"
                    continue
                own.add(state.client)
            self._states[state.client] = state
            self._owners[state.client] = owner
            self._changed.add(state.client)
        return Heard(self._wait_ms(owner, now_ms) if self._changed else None, refused)

    def leave(self, owner: object) -> bool:
        """Remove the clients that `owner` introduced; True if there is something to relay."""
        self._relayed_ms.pop(owner, None)
        for client in self._clients.pop(owner, ()):
            del self._owners[client]
            self._states[client] = State(client, self._states[client].clock, None)
            self._changed.add(client)
        return bool(self._changed)

    def drain(self) -> bytes | None:
        """Return what changed since the last call as one awareness update, None if nothing did."""
        if not self._changed:
            return None
        states = [self._states[client] for client in sorted(self._changed)]
        self._changed.clear()
        for state in states:
            if state.json is None:
                self._states.pop(state.client, None)
                self._clients.get(self._owners.pop(state.client, None), set()).discard(state.client)
        return encode(states)

    def snapshot(self) -> bytes | None:
        """Return everybody's state for a newcomer, None if nobody is there."""
        states = [state for state in self._states.values() if state.json is not None]
        return encode(states) if states else None

    def _wait_ms(self, owner: object, now_ms: int) -> int:
        """Return how long what `owner` has said waits, so that it is relayed no more often than it may."""
        at_ms = self._relayed_ms.get(owner, now_ms - APART_MS)
        if not now_ms - APART_MS < at_ms <= now_ms + APART_MS:  # long ago; or the clock went back
            at_ms = now_ms
        elif at_ms <= now_ms:
            at_ms += APART_MS
        self._relayed_ms[owner] = at_ms
        return at_ms - now_ms
