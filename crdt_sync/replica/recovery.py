"""What becomes of a copy that the service does not take: what only it has is kept, and made again on a new one.

Only what was made in this replica is submitted again: an entry in our name may be somebody else's forgery.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path

from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.log import LogDocument
from crdt_sync.domain import access
from crdt_sync.domain.access import NOT_THE_AUTHOR
from crdt_sync.domain.canonical import dumps
from crdt_sync.domain.ids import DocumentKind, DocumentName, TicketId
from crdt_sync.errors import Conflict, Unavailable
from crdt_sync.replica.edits import Edit
from crdt_sync.replica.index import Index
from crdt_sync.replica.shelf import Shelf
from crdt_sync.replica.sync import Standing
from crdt_sync.replica.ticket import Ticket
from crdt_sync.replica.view import Entry, undelivered

Updates = list[tuple[DocumentName, bytes]]


class Recovery:
    """Drops copies and makes edits again. `dropped` is the file that is told what a dropped copy held."""

    def __init__(
        self, shelf: Shelf, index: Index, ticket: Callable[[TicketId], Awaitable[Ticket]], dropped: Path
    ) -> None:
        self._shelf, self._index, self._ticket, self._dropped = shelf, index, ticket, dropped
        self._claimed: set[str] = set()

    async def taken(self, name: DocumentName) -> None:
        """Give up a copy whose client id is another's; submit what was not delivered again under a fresh one."""
        ticket = await self._ticket(name.ticket)
        await self._tell(unknown(ticket, self._shelf))
        pending = {entry.record for entry in ticket.undelivered if entry.code is None}
        await self._shelf.replace(name, [edit for edit in _once(self._shelf.made(name)) if edit.value in pending])

    async def reset(self, name: DocumentName) -> None:
        """Drop a copy of a former life; what was made here and what is named by its digest is made again."""
        ticket = await self._ticket(name.ticket)
        await self._tell(held(self._shelf, name))
        if name == ticket.submit_name:
            await self._tell(unknown(ticket, self._shelf))
        form, lifecycle = self._shelf.get(name), ticket.lifecycle
        writable = lifecycle is not None and access.write(ticket.desk.principal, lifecycle, name) is None
        payloads = form.payloads() if isinstance(form, FormDocument) and writable else {}
        await self._shelf.end(name, [Edit("payload", [digest, text]) for digest, text in payloads.items()])

    async def make_again(self, standings: dict[DocumentName, Standing]) -> Updates:
        """Make again what is kept, where the new life of the document has arrived; return the updates."""
        updates: Updates = []
        for name in self._shelf.ended:
            ticket = await self._ticket(name.ticket)
            if all(_has_arrived(standings.get(needed)) for needed in self._needed(ticket, name)):
                lacking = self._lacking(ticket, name)
                fitting = [edit for edit in lacking if edit.fits(name.kind)]
                await self._tell(_told(name, edit) for edit in lacking if edit not in fitting)
                updates += await self._shelf.make_again(name, fitting)
        return updates

    async def claim(self, tickets: Sequence[TicketId]) -> Updates:
        """Submit again what was made here and refused because somebody else had submitted a copy of it first."""
        updates: Updates = []
        for id_ in tickets:
            ticket = await self._ticket(id_)
            copied = {
                entry.record: entry.id
                for entry in ticket.undelivered
                if entry.code == NOT_THE_AUTHOR and entry.id not in self._claimed
            }
            name = ticket.submit_name
            edits = [edit for edit in _once(self._shelf.made(name)) if edit.value in copied] if copied else []
            self._claimed.update(copied.values())
            if edits:
                updates += await self._shelf.write([(name, edit) for edit in edits])
        return updates

    async def _tell(self, lines: Iterable[str]) -> None:
        """Write down what is dropped, before it is."""
        await asyncio.to_thread(_append, self._dropped, list(lines))

    def _needed(self, ticket: Ticket, name: DocumentName) -> Sequence[DocumentName]:
        """What must have arrived before it is known what is lacking; of a ticket that is not there, there is no log."""
        if name.kind is not DocumentKind.SUBMIT or not self._index.is_listed(ticket.id):
            return (name,)
        says = {DocumentKind.LOG, DocumentKind.TALK}
        return (name, *(other for other in ticket.names if other.kind in says))

    def _lacking(self, ticket: Ticket, name: DocumentName) -> list[Edit]:
        kept = _once(self._shelf.kept(name))
        document = self._shelf.get(name)
        if isinstance(document, FormDocument):
            return [edit for edit in kept if edit.kind != "payload" or edit.value[0] not in document.payloads()]
        if name.kind is not DocumentKind.SUBMIT:
            return kept
        submitted = {entry.text for entry in ticket.submitted}
        lacking = {entry.record for entry in ticket.undelivered if entry.code in {None, NOT_THE_AUTHOR}}
        if not self._index.is_listed(ticket.id):  # its log here is of the former life, too
            lacking = {edit.value for edit in kept}
        return [edit for edit in kept if edit.value in lacking and edit.value not in submitted]


def unknown(ticket: Ticket, shelf: Shelf) -> Iterator[str]:
    """Tell in lines of JSON what the ticket's submit document holds in our name and nobody remembers having made here.

    Such entries are another replica's, or somebody's forgery; or they are older than the memory of what was made.
    """
    made = {edit.value for edit in (*shelf.made(ticket.submit_name), *shelf.kept(ticket.submit_name))}
    nothing = LogDocument(1)  # what became of an entry in the former life does not count
    for entry in undelivered(nothing, None, ticket.submitted, ticket.desk.principal.actor):
        if entry.record not in made:
            yield _line(ticket.id, entry)


def held(shelf: Shelf, name: DocumentName) -> Iterator[str]:
    """Tell in lines of JSON what a copy of a card or a form holds."""
    document = shelf.get(name)
    if isinstance(document, CardDocument) and not document.is_empty:
        yield json.dumps({"ticket": name.ticket, "kind": "card", "fields": document.card()})
    elif isinstance(document, FormDocument) and not document.is_empty:
        form = {"lane": name.part, "fields": document.fields(), "notes": document.notes()}
        yield json.dumps({"ticket": name.ticket, "kind": "form", **form, "payloads": document.payloads()})


def lacking(ticket: Ticket, shelf: Shelf, standings: dict[DocumentName, Standing]) -> Iterator[str]:
    """Tell in lines of JSON what the service may lack of a ticket."""
    for entry in ticket.undelivered:
        yield _line(ticket.id, entry)
    for name in ticket.names:
        if name.kind is not DocumentKind.SUBMIT:  # else it is undelivered
            yield from (_told(name, edit) for edit in shelf.kept(name))
        standing = standings.get(name)
        if standing is None or not standing.settled:
            yield from held(shelf, name)


def write_new(path: Path, lines: Sequence[str]) -> None:
    """Write lines into a new file, which is on the disk when this returns: what it holds is dropped then.

    Raises:
        Conflict: the file exists.
        Unavailable: it cannot be written.

    """
    _write(path, lines, "x")


def _append(path: Path, lines: Sequence[str]) -> None:
    if lines:
        _write(path, lines, "a")


def _write(path: Path, lines: Sequence[str], mode: str) -> None:
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the file's name
        finally:
            os.close(folder)
    except FileExistsError as error:
        raise Conflict(f"The file {path} exists.", code="export_exists", advice="Choose another.") from error
    except OSError as error:
        raise Unavailable(f"The file {path} cannot be written: {error.strerror}.", code="export") from error


def _has_arrived(standing: Standing | None) -> bool:
    return standing is not None and (standing.given or standing.settled)


def _line(ticket: TicketId, entry: Entry) -> str:
    return dumps({"ticket": ticket, "kind": entry.kind, "code": entry.code, "record": entry.record})


def _told(name: DocumentName, edit: Edit) -> str:
    """Tell an edit that was to be made again."""
    return json.dumps({"ticket": name.ticket, "document": str(name), "edit": edit.kind, "value": edit.value})


def _once(edits: Sequence[Edit]) -> list[Edit]:
    """Return entries and payloads each once; of fields and notes, each time counts."""
    found: dict[str, Edit] = {}
    for number, edit in enumerate(edits):
        found.setdefault(str(number) if edit.kind in {"fields", "take", "note"} else edit.to_json(), edit)
    return list(found.values())
