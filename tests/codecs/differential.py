"""The same bytes read by two implementations, which must agree.

What our reading says of an update, yrs must make come true; and the two libraries that find WebSocket frames must find
the same ones and refuse the same bytes, as early and as the same kind of fault: of two in one frame each names its own.
"""

import asyncio

import pycrdt

from crdt_sync.documents.document import Document, Outcome
from crdt_sync.documents.state_vectors import decode_state_vector
from crdt_sync.domain.ids import ActorId
from crdt_sync.errors import TicketSyncError
from crdt_sync.server.frame_reader import FrameReader
from crdt_sync.server.picows_reader import PicowsReader
from crdt_sync.server.websockets_reader import WebsocketsReader
from crdt_sync.wire import limits, websocket

OURS, THEIRS = 7, 8


def judged(data: bytes) -> Outcome:
    """Give the bytes to an empty document, and compare it with one of yrs alone.

    Raises:
        TicketSyncError: the bytes are refused. yrs may take them: it also takes what Yjs reads in another way.

    """
    document = Document(OURS)
    received = document.receive(data, actor=ActorId("somebody"))
    if received.kind is not Outcome.APPLIED:
        assert {} == document.state(), "nothing was applied"
        return received.kind
    theirs: pycrdt.Doc = pycrdt.Doc(client_id=THEIRS)
    theirs.apply_update(data)
    assert document.state() == decode_state_vector(theirs.get_state()), "yrs has integrated something else"
    again = Document(OURS + 2)
    again.load(document.snapshot(), [])
    assert again.state() == document.state(), "a snapshot loses something"
    assert document.holds(data), "what was applied is not there"
    assert Outcome.DUPLICATE is document.receive(data, actor=ActorId("somebody")).kind
    return received.kind


class Hearing:
    """What a socket makes of the frames that a reader finds, until a close or a refusal."""

    def __init__(self, reader: FrameReader) -> None:
        self.said: list[object] = []
        self.refused: TicketSyncError | None = None
        self.held = False
        self._reader = reader
        self._message = websocket.Message()
        self._closed = False

    def hear(self, piece: bytes) -> object:
        """Take some bytes; return where that leads."""
        if not (self._closed or self.refused):
            try:
                self.held = self._reader.feed(piece, self._take)
            except TicketSyncError as error:
                self._refuse(error)
        return len(self.said), type(self.refused) if self.refused else self._closed or self.held

    def _take(self, opcode: int, fin: bool, payload: bytes) -> None:
        if self._closed or self.refused:
            return
        try:
            if opcode == websocket.CLOSE:
                self.said.append(websocket.close_code(payload))
                self._closed = True
            elif opcode > websocket.CLOSE:
                self.said.append((opcode, payload))
            else:
                self.said.append(self._message.take(opcode, payload, fin=fin, bytes_max=limits.FRAME_BYTES_MAX))
        except TicketSyncError as error:
            self._refuse(error)

    def _refuse(self, error: TicketSyncError) -> None:
        self.refused = self.refused or (None if self._closed else error)


def framed(data: bytes) -> list[object]:
    """Return what frames say up to a close, None for a message that has not ended.

    Raises:
        TicketSyncError: something in them is refused.

    """
    return asyncio.run(_framed(data))


async def _framed(data: bytes) -> list[object]:
    ours, theirs, at_once = Hearing(PicowsReader()), Hearing(WebsocketsReader()), Hearing(PicowsReader())
    for at in range(len(data)):
        piece = data[at : at + 1]
        assert ours.hear(piece) == theirs.hear(piece), f"the libraries part at byte {at}"
    assert ours.said == theirs.said, "they read something else"
    if data:
        at_once.hear(data)
    assert (ours.said, ours.refused and ours.refused.code) == (at_once.said, at_once.refused and at_once.refused.code)
    if ours.refused is not None:
        raise ours.refused
    return ours.said
