"""Who is looking at a room: the latest awareness state of every client, never stored.

The rules are those of y-protocols' awareness: a state counts if its clock is newer, or if it removes a known client at
the same clock. What changed is collected and relayed once a turn, the latest state only.
"""

from dataclasses import dataclass

from crdt_sync.wire import limits
from crdt_sync.wire.awareness import State, decode, encode


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of an awareness update: whether there is something to relay, and the code of what was not taken."""

    relay: bool
    refused: str | None


class Presence:
    """The presence of one room. `owner` is any hashable thing that joined: only it may speak for its clients."""

    def __init__(self) -> None:
        self._states: dict[int, State] = {}
        self._owners: dict[int, object] = {}
        self._clients: dict[object, set[int]] = {}  # owner -> its clients
        self._changed: set[int] = set()
        self._spoken: dict[object, tuple[int, int]] = {}  # owner -> the second, and how many messages in it

    def __len__(self) -> int:
        return len(self._states)

    def update(self, data: bytes, owner: object, *, now_ms: int) -> Heard:
        """Take an awareness update from `owner`; what is another one's client, or one too many, is left out.

        What comes faster than the limit is kept, and relayed with whatever is relayed next.

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
        often = self._count(owner, now_ms // 1000) > limits.PRESENCE_MESSAGES_PER_S_MAX if self._changed else False
        return Heard(bool(self._changed) and not often, refused)

    def leave(self, owner: object) -> bool:
        """Remove the clients that `owner` introduced; True if there is something to relay."""
        self._spoken.pop(owner, None)
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

    def _count(self, owner: object, second: int) -> int:
        spoken_in, count = self._spoken.get(owner, (second, 0))
        count = count + 1 if spoken_in == second else 1
        self._spoken[owner] = second, count
        return count
