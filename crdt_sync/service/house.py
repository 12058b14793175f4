"""What a connection needs of all connections together, as a contract."""

from typing import TYPE_CHECKING, Protocol

from crdt_sync.domain.access import Principal
from crdt_sync.ports import Clock
from crdt_sync.protocol.room import Room
from crdt_sync.service.audit import Audit
from crdt_sync.service.committer import Committer
from crdt_sync.service.jobs import KeepRefused
from crdt_sync.service.leases import Leases

if TYPE_CHECKING:
    from crdt_sync.service.connection import Connection


class House(Protocol):
    """What a connection needs of all connections together; `Connections` is it."""

    clock: Clock
    committer: Committer
    audit: Audit
    leases: Leases

    async def admit(self, document: str, principal: Principal) -> tuple[Room, bool]:
        """Return the room of a document and whether the caller may write it, or raise why not."""
        ...

    def keep_refused(self, refused: KeepRefused) -> None:
        """Keep refused bytes in quarantine, unless they were put there lately."""
        ...

    def pushed(self, connection: "Connection") -> None:
        """Note that a connection has updates to take at the end of this turn."""
        ...

    def written(self, connection: "Connection") -> None:
        """Note that a connection has frames to write at the end of this turn."""
        ...

    def present(self, room: Room, in_ms: int = 0) -> None:
        """Note that a room's presence changed; it is relayed at the end of this turn, or of one in so many ms."""
        ...

    def forget(self, connection: "Connection") -> None:
        """Drop a connection that has ended."""
        ...
