"""A client that checks nothing: it joins what it is told to join, and sends the bytes that it is given."""

import pycrdt

from crdt_sync.errors import TicketSyncError
from crdt_sync.ports import Ids
from crdt_sync.replica.link import Change, Join
from crdt_sync.replica.websocket_link import encoded
from property_tests.simulation.network import Line, Link

LINES_MAX = 4  # the newest stay open, and hear what the service says


class RawClient:
    """Opens a new line for each thing that it sends, and listens to nothing."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def send(self, document: str, update: bytes) -> None:
        """Join a document and send an update."""
        line = self._joined([document])
        if line is not None:
            line.say(document, encoded(Change(document, update), self.link.person.actor), update=True)

    def visit(self, tickets: list[str]) -> None:
        """Join the own submissions of every ticket, so that what waits there is looked at."""
        self._joined([f"ticket/{ticket}/submit/{self.link.person.department}" for ticket in tickets])

    def _joined(self, documents: list[str]) -> Line | None:
        try:
            line = Line(self.link)
        except TicketSyncError:
            return None
        for old in self.link.lines[: 1 - LINES_MAX]:
            old.end(1000, "closed: No more is said here.")
        self.link.lines = [*self.link.lines[1 - LINES_MAX :], line]
        for document in documents:
            line.say(document, encoded(Join(document), self.link.person.actor), update=False)
        return line


def appended(ids: Ids, text: str, root: str = "transitions", client_id: int | None = None) -> bytes:
    """The update of a fresh Yjs client that appends a text."""
    document = pycrdt.Doc(client_id=client_id or ids.client_id())
    document.get(root, type=pycrdt.Array).append(text)
    return document.get_update()
