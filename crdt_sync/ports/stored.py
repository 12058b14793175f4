"""A document as a store has it, and what a compaction makes of it."""

from dataclasses import dataclass

from crdt_sync.domain.ids import ActorId, Department, Digest, Position


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote something of a document, with the roles of the newest time."""

    actor: ActorId
    department: Department
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredUpdate:
    """One update of a document's log, with who sent it."""

    document_position: int
    position: Position
    data: bytes
    actor: ActorId
    department: Department
    roles: tuple[str, ...]
    at_ms: int
    traceparent: str | None = None

    @property
    def author(self) -> Author:
        """Who sent it."""
        return Author(self.actor, self.department, self.roles)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A document's state up to `document_position`: what `Document.snapshot` gave, who wrote it, and its digest."""

    document_position: int
    data: bytes
    authors: tuple[Author, ...]
    digest: Digest


@dataclass(frozen=True, slots=True)
class Compaction:
    """A snapshot in the place of the log rows up to its position, which was proven to say the same.

    `expected_position` is the snapshot's, 0 for none, which it was made of, `position` that of the newest row in the
    whole log. `authorship` says who wrote which of the rows when.
    """

    document: str
    expected_position: int
    position: Position
    snapshot: Snapshot
    authorship: bytes


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as stored: a snapshot, and the log rows behind it in order. No row that it covers is stored.

    `ended` are the client ids of its former lives, and `epoch` is how often the whole store was restored.
    """

    snapshot: Snapshot | None
    updates: tuple[StoredUpdate, ...]
    ended: frozenset[int] = frozenset()
    epoch: int = 0

    @property
    def snapshot_position(self) -> int:
        """The position up to which the snapshot goes; 0 if there is none."""
        return self.snapshot.document_position if self.snapshot is not None else 0

    def authors(self) -> tuple[Author, ...]:
        """Return who wrote something of it, each once, with the newest roles."""
        known = {author.actor: author for author in (self.snapshot.authors if self.snapshot is not None else ())}
        known.update((update.actor, update.author) for update in self.updates)
        return tuple(known.values())

    @property
    def document_position(self) -> int:
        """The position of the newest update in the document; 0 if it was never written."""
        return self.updates[-1].document_position if self.updates else self.snapshot_position
