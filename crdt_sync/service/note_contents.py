"""What a note brought that is no text: it is shown in the notes once a gateway has it, to whoever may read them.

The note is written at once, with its pictures and files by name. A content follows as a line of its own, which names
it by its digest; a code that says why there is none is told to the group, where its sender is.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from crdt_sync.domain import media, notice
from crdt_sync.domain.canonical import digest
from crdt_sync.domain.ids import LaneId, MessageId, TicketId
from crdt_sync.domain.media import Audience, Media
from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import Committed, NewResult, Store
from crdt_sync.protocol.room import Room
from crdt_sync.service.draft import SERVICE, Draft
from crdt_sync.service.live_ticket import Desk, LiveTicket
from crdt_sync.service.notes import WRITER, note_key
from crdt_sync.service.notices import to_group


@dataclass(frozen=True, slots=True)
class NotedPart:
    """A picture, a recording or a file of a message that became a note, by the name of its result."""

    ticket: TicketId
    audience: Audience
    type: str
    name: str
    key: str
    account: str
    conversation: str
    author: str
    at_ms: int

    def showing(self, content: Media | str, trace: str | None) -> "ShowInNotes":
        """Return the job that shows what is known of its content."""
        return ShowInNotes(self, content, trace)


async def noted(store: Store, account: str, origin: MessageId, index: int) -> NotedPart | None:
    """Return a part of what was said in a bound group, None if it is in no note or has no content."""
    first = await store.result(WRITER, note_key(origin))
    note = json.loads(first.result) if first is not None else {}
    part = note.get("contents", {}).get(str(index))
    if part is None:
        return None
    return NotedPart(
        ticket=note["ticket"],
        audience=note["lane"],
        type=part["type"],
        name=part["name"],
        key=f"{note_key(origin)}/{index}",
        account=account,
        conversation=note["conversation"],
        author=note["author"],
        at_ms=note["at"],
    )


@dataclass(eq=False)
class ShowInNotes:
    """Show a content in the notes, or tell the group why there is none; a job. `outcome` is what is known then."""

    room: ClassVar[None] = None
    part: NotedPart
    content: Media | str
    trace: str | None = None
    outcome: "asyncio.Future[Media | str]" = field(init=False)
    builds_on: Sequence[Room] = field(init=False, default=())
    _live: LiveTicket = field(init=False)
    _known: Media | str | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Make the promise."""
        self.outcome = asyncio.get_running_loop().create_future()

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Find what is known already: a content stays, and a code gives way to one."""
        self.builds_on, self._known = (), None
        for key in (self._key,) if isinstance(self.content, Media) else (self.part.key, self._key):
            first = draft.results.get((WRITER, key)) or await desk.store.result(WRITER, key)
            if first is not None:
                self._known = media.read(first.result)
                return
        self._live, lane = await desk.get(self.part.ticket), LaneId(self.part.audience)
        await desk.with_form(self._live, lane)
        self.builds_on = (self._live.form_room(lane),)

    def decide(self, desk: Desk, draft: Draft) -> None:
        """Write it once."""
        part = self.part
        if self._known is not None:
            return
        if isinstance(self.content, Media):
            lane = LaneId(part.audience)
            line = {"type": "text", "text": notice.content_line(part.type, part.name, self.content)}
            text = notice.note(part.author, part.at_ms, [line])
            draft.update(self._live.form_room(lane), self._live.form(lane).append_note(text), SERVICE, trace=self.trace)
            draft.keep_media(self._live, self.content.digest, part.audience)
        elif (group := desk.groups.bound(part.account, part.conversation)) is not None:
            said = notice.content("answer", notice.answer(group.language, "contents", part.ticket))
            draft.notify([to_group(group, part.ticket, self._key, said, draft.now_ms)])
        spelt = media.spell(self.content)
        draft.keep_result(NewResult(WRITER, self._key, digest(json.loads(spelt)), spelt, draft.now_ms))

    def succeed(self, committed: Committed) -> None:
        """Answer."""
        del committed
        if not self.outcome.done():
            self.outcome.set_result(self.content if self._known is None else self._known)

    def fail(self, error: TicketSyncError) -> None:
        """Answer with the error."""
        if not self.outcome.done():
            self.outcome.set_exception(error)

    @property
    def _key(self) -> str:
        return self.part.key if isinstance(self.content, Media) else f"{self.part.key}/refused"
