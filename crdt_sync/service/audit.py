"""Every refusal passes here, whatever wire said it: counted under its code, and written down for the operator.

What is written down is collapsed: refusals of one kind within an hour are one row with a count. A source gets so many
rows an hour, and so do all together; what goes beyond is counted without saying what was asked. Rows are written along
with the next batch of the committer, a few at a time, so that no commit waits for them.
"""

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from crdt_sync.domain.access import Principal
from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import Clock, Committed
from crdt_sync.ports.meter import Meter
from crdt_sync.ports.operator import HOUR_MS, Refusal
from crdt_sync.protocol.room import Room
from crdt_sync.service.committer import Committer
from crdt_sync.service.draft import Draft
from crdt_sync.service.live_ticket import Desk
from crdt_sync.wire.status import Wire

WRITE_S = 5.0  # how old an unwritten refusal may get; a crash loses no more
ROWS_A_WRITE = 100  # a millisecond of rows in somebody's commit
ROWS_PER_SOURCE_MAX = 100  # a source, a person behind it and an hour: somebody who is wrong so often says nothing new
ROWS_PER_HOUR_MAX = 5_000  # a hostile crowd then fills the table in no less than a night
SUBJECT_CHARACTERS_MAX = 256  # the longest document name
SOURCE_DIGITS = 16  # of the digest: addresses do not collide, and nobody reads one out of it


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, and by whom as far as it is known. `source` is the address that it came from."""

    wire: Wire
    subject: str  # a document, a route or a call
    source: str = ""
    principal: Principal | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    """What makes two refusals of an hour the same."""

    hour_ms: int
    wire: str
    subject: str
    code: str
    actor: str
    department: str
    source: str


def digest_of(source: str, secret: bytes) -> str:
    """Return what stands for an address in the record: who has the secret can tell whether it was a given one."""
    return hmac.digest(secret, f"source:{source}".encode(), hashlib.sha256).hex()[:SOURCE_DIGITS] if source else ""


class Audit:
    """Counts refusals, and has them written down."""

    def __init__(self, meter: Meter, clock: Clock, secret: bytes) -> None:
        self._meter = meter
        self._clock = clock
        self._digest = lru_cache(maxsize=4096)(lambda source: digest_of(source, secret))
        self._hour_ms = 0
        self._known: set[_Kind] = set()  # of this hour
        self._of_source: Counter[tuple[str, str]] = Counter()
        self._unwritten: dict[_Kind, tuple[int, int]] = {}
        self._committer: Committer | None = None
        self._writing: asyncio.Task[None] | None = None

    def refused(self, asked: Asked, code: str) -> None:
        """Note that what was asked was refused with `code`."""
        self._meter.refused(asked.wire, code)
        now_ms = self._clock.now_ms()
        kind = self._kind(asked, code, now_ms // HOUR_MS * HOUR_MS)
        self._unwritten[kind] = self._unwritten.get(kind, (0, 0))[0] + 1, now_ms

    def start(self, committer: Committer) -> None:
        """Begin to write."""
        self._committer = committer
        self._writing = asyncio.get_running_loop().create_task(self._run(), name="audit")

    async def stop(self) -> None:
        """Write what is left; the committer takes it with its last batch."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        for _ in range(0, len(self._unwritten), ROWS_A_WRITE):
            self.write()

    def write(self) -> None:
        """Put the oldest unwritten refusals into the committer."""
        if self._committer is None or not self._unwritten:
            return
        rows = []
        for kind in list(self._unwritten)[:ROWS_A_WRITE]:
            count, last_ms = self._unwritten.pop(kind)
            fields = (kind.hour_ms, kind.wire, kind.subject, kind.code, kind.actor, kind.department, kind.source)
            rows.append(Refusal(*fields, count, last_ms))
        self._committer.enqueue(KeepRefusals(rows, self._keep_unwritten))

    def _keep_unwritten(self, rows: Sequence[Refusal]) -> None:
        """Try again with the next ones, unless the store has been away for too long."""
        for row in rows if len(self._unwritten) < ROWS_PER_HOUR_MAX else ():
            kind = _Kind(row.hour_ms, row.wire, row.subject, row.code, row.actor, row.department, row.source)
            count, last_ms = self._unwritten.get(kind, (0, row.last_ms))
            self._unwritten[kind] = count + row.count, last_ms

    def _kind(self, asked: Asked, code: str, hour_ms: int) -> _Kind:
        if hour_ms != self._hour_ms:
            self._hour_ms = hour_ms
            self._known.clear()
            self._of_source.clear()
        actor, department = (asked.principal.actor, asked.principal.department) if asked.principal else ("", "")
        source = self._digest(asked.source)
        kind = _Kind(hour_ms, asked.wire, asked.subject[:SUBJECT_CHARACTERS_MAX], code, actor, department, source)
        if kind in self._known:
            return kind
        if len(self._known) >= ROWS_PER_HOUR_MAX:
            return _Kind(hour_ms, asked.wire, "", code, "", "", "")
        if self._of_source[source, actor] >= ROWS_PER_SOURCE_MAX:
            return _Kind(hour_ms, asked.wire, "", code, actor, department, source)
        self._of_source[source, actor] += 1
        self._known.add(kind)
        return kind

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(WRITE_S)
            self.write()


@dataclass(slots=True, eq=False)
class KeepRefusals:
    """Write refusals down; a job that nobody waits for."""

    rows: Sequence[Refusal]
    on_failure: Callable[[Sequence[Refusal]], None]
    room: None = None
    builds_on: Sequence[Room] = ()

    def prepare(self, desk: Desk, draft: Draft) -> None:
        """Need nothing."""

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Keep the rows."""
        del desk
        draft.keep_refusals(self.rows)

    def succeed(self, committed: Committed) -> None:
        """Tell nobody."""

    def fail(self, error: TicketSyncError) -> None:
        """Give them back."""
        del error
        self.on_failure(self.rows)
