"""What operators have taken from people, followed while the service runs. Takes nothing itself."""

from crdt_sync.domain.identity import Identity
from crdt_sync.domain.ids import ActorId
from crdt_sync.domain.restriction import Restriction
from crdt_sync.ports.operator import OperatorStore


class Standing:
    """The newest restriction of each person; one question to the store tells what has changed."""

    def __init__(self, store: OperatorStore) -> None:
        self._store = store
        self._restrictions: dict[ActorId, Restriction] = {}
        self._newest = 0

    async def refresh(self) -> bool:
        """Read what has changed; True if something has. Of two who read at once, the later answer stands.

        Raises:
            StoreUnavailable: it cannot be read; what was known stays.

        """
        changed = await self._store.restrictions(self._newest)
        newer = [stored for stored in changed if stored.change > self._newest]
        for stored in newer:
            self._restrictions[stored.restriction.actor] = stored.restriction
            self._newest = stored.change
        return bool(newer)

    def judge(self, identity: Identity) -> Identity:
        """Return the identity with what is left to it now.

        Raises:
            Unauthenticated: nothing is.

        """
        restriction = self._restrictions.get(identity.principal.actor)
        return identity if restriction is None else restriction.apply(identity)
