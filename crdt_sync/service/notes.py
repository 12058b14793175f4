"""What is written in a bound group: it becomes a note in the form of the group's department.

It never enters a conversation, so nothing of it can go to a customer. The first result is kept under the message's own
key, so that a replay writes nothing.
"""

import json
from collections.abc import Sequence
from typing import Any

from crdt_sync.domain import group as groups
from crdt_sync.domain import message, notice
from crdt_sync.domain.access import GATEWAY
from crdt_sync.domain.canonical import digest, dumps
from crdt_sync.domain.group import Group
from crdt_sync.domain.ids import ActorId, Digest, LaneId, MessageId, TicketId
from crdt_sync.domain.media import MEDIA_PARTS
from crdt_sync.errors import Conflict
from crdt_sync.ports import NewResult, TicketFilter
from crdt_sync.protocol.room import Room
from crdt_sync.service.arrival import Arrival
from crdt_sync.service.draft import SERVICE, Draft
from crdt_sync.service.live_ticket import Desk, LiveTicket
from crdt_sync.service.notices import to_group

NOTES_CHARACTERS_MAX = 200_000  # of a form: a book, and far below what a document may hold

WRITER = ActorId(GATEWAY)
_OF_PLATFORMS = frozenset({"system", "delivery"})  # what no person said


def note_key(origin: MessageId) -> str:
    """Return the key of a note's result: no caller's idempotency key has a line break, so none meets it."""
    return f"note\n{origin}"


class Note:
    """What becomes of one message of a bound group; prepared and decided as a job of the committer is."""

    def __init__(self, arrival: Arrival, group: Group) -> None:
        self.builds_on: Sequence[Room] = ()
        self._arrival = arrival
        self._group = group
        self._origin = message.origin_id(arrival.account, arrival.key)
        self._key = note_key(self._origin)
        self._first: str | None = None  # the ticket, if the message came before
        self._form: tuple[LiveTicket, LaneId] | None = None
        self._guessed = False

    async def prepare(self, desk: Desk, draft: Draft) -> None:
        """Find the first result, else the ticket and its form.

        Raises:
            Conflict: the key came before with another content.

        """
        if self._arrival.kind in _OF_PLATFORMS:
            return
        first = draft.results.get((WRITER, self._key)) or await desk.store.result(WRITER, self._key)
        if first is not None:
            if first.request != self._request():
                raise Conflict("The platform's key came before with another content.", code="idempotency_key_reused")
            self._first = str(json.loads(first.result)["ticket"])
            return
        ticket = await self._ticket(desk)
        live = await desk.get(ticket) if ticket is not None else None
        lane = self._group.lane(live.lifecycle) if live is not None else None
        if live is not None and lane is not None:
            await desk.with_form(live, lane)
            self._form, self.builds_on = (live, lane), (live.form_room(lane),)

    def decide(self, draft: Draft) -> tuple[str, bool]:
        """Write the note, and say in the group what nobody there can know.

        Return the ticket, empty where there is none, and whether this was done before.
        """
        if self._arrival.kind in _OF_PLATFORMS or self._first is not None:
            return self._first or "", self._first is not None
        if self._form is None:
            result: dict[str, Any] = {"ticket": ""}
            self._say(draft, "no_ticket")
        else:
            result = {"ticket": self._form[0].id} | self._write(draft, *self._form)
        draft.keep_result(NewResult(WRITER, self._key, self._request(), dumps(result), draft.now_ms))
        return result["ticket"], False

    def _write(self, draft: Draft, live: LiveTicket, lane: LaneId) -> dict[str, Any]:
        """Return where its contents are to be shown once they are there, and as whose."""
        form = live.form(lane)
        if len(form.notes()) > NOTES_CHARACTERS_MAX:
            self._say(draft, "full", live.id)
            return {}
        draft.update(live.form_room(lane), form.append_note(self._text()), SERVICE, trace=self._arrival.trace)
        if self._guessed:
            self._say(draft, "guessed", live.id)
        arrival = self._arrival
        contents = {str(at): dict(part) for at, part in enumerate(arrival.parts) if part.get("type") in MEDIA_PARTS}
        head = {"conversation": arrival.conversation, "author": self._author, "at": arrival.sent_at_ms}
        return {"lane": lane, "contents": contents, **head} if contents else {}

    async def _ticket(self, desk: Desk) -> TicketId | None:
        """Return the ticket that the message names, else the one of the newest notice; only one of the department's.

        What looks like a code and fits no ticket is a tag. A code that fits two is nobody's to guess.
        """
        text = "\n".join(part["text"] for part in self._arrival.parts if part.get("type") == "text")
        code = groups.code_in(text)
        found = await self._named(desk, code) if code is not None else ()
        self._guessed = not found
        if self._guessed:
            return await desk.store.newest_notice(self._arrival.account, self._arrival.conversation)
        return found[0] if len(found) == 1 else None

    async def _named(self, desk: Desk, code: str) -> Sequence[TicketId]:
        """Return the first two tickets of the department that a code fits."""
        mine = TicketFilter(department=self._group.department)
        # The next ids in order: a whole id is not behind itself, so it is looked for from its beginning.
        after = TicketId(code if len(code) < len(self._origin) else code[:-1])
        return [row.id for row in await desk.store.tickets(mine, after=after, limit=2) if row.id.startswith(code)]

    def _say(self, draft: Draft, phrase: str, ticket: TicketId | None = None) -> None:
        text = notice.answer(self._group.language, phrase, ticket)
        said = notice.content("answer", text)
        draft.notify([to_group(self._group, ticket, f"{phrase}:{self._origin}", said, draft.now_ms)])

    @property
    def _author(self) -> str:
        return notice.one_line(self._arrival.display_name) or notice.one_line(self._arrival.sender) or "?"

    def _text(self) -> str:
        return notice.note(self._author, self._arrival.sent_at_ms, self._arrival.parts)

    def _request(self) -> Digest:
        arrival = self._arrival
        return digest({"sender": arrival.sender, "parts": [dict(part) for part in arrival.parts]})
