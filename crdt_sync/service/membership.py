"""One subscription of one connection, as its room sees it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crdt_sync.domain.access import Principal
from crdt_sync.domain.ids import ActorId
from crdt_sync.protocol.dialect import Dialect
from crdt_sync.protocol.room import Room

if TYPE_CHECKING:
    from crdt_sync.service.connection import Connection


@dataclass(slots=True, eq=False)
class Membership:
    """One subscription of one connection, as its room sees it."""

    connection: "Connection"
    room: Room
    key: str
    principal: Principal
    writable: bool
    dialect: Dialect = field(init=False)  # kept at hand: it is asked for with every relay

    def __post_init__(self) -> None:
        """Note how this member is spoken to."""
        self.dialect = self.connection.session.dialect

    @property
    def actor(self) -> ActorId:
        """Whose it is."""
        return self.principal.actor

    @property
    def is_current(self) -> bool:
        """Tell whether it has not ended; a later one of the same name is another."""
        return self in self.room.members

    def put(self, frame: object) -> None:
        """Queue a frame for the end of this turn."""
        self.connection.put(frame)

    def encode(self, said: Sequence[object]) -> object:
        """Make frames into what is written; the same for every member that is spoken to alike."""
        return self.connection.encode(said)

    def put_encoded(self, encoded: object) -> None:
        """Queue what was encoded for the end of this turn."""
        self.connection.put_encoded(encoded)

    def end(self, reason: str) -> None:
        """Close its connection, so that its client comes again and loads what it lacks."""
        self.connection.close(1011, reason)
