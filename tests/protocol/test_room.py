from dataclasses import dataclass, field

from crdt_sync.documents.kinds import new_document
from crdt_sync.protocol.collab_dialect import CollabDialect
from crdt_sync.protocol.dialect import Dialect
from crdt_sync.protocol.room import Relay, Room
from crdt_sync.protocol.yjs_dialect import YjsDialect
from crdt_sync.wire import hocuspocus, ysync
from crdt_sync.wire.awareness import State, encode


@dataclass(eq=False)
class Guest:
    """A member that keeps what it is given."""

    dialect: Dialect
    key: str = "d"
    actor: str = "ann"
    frames: list[object] = field(default_factory=list)

    def encode(self, said):
        return list(said)

    def put_encoded(self, encoded):
        self.frames += encoded


class Quiet(YjsDialect):
    """A wire on which authors get no echo."""

    echoes = False


def room(*guests: Guest) -> Room:
    made = Room("d", None, new_document(None, 1), document_position=0)
    made.members = dict.fromkeys(guests)
    return made


def test_everybody_gets_a_committed_update_in_the_words_of_their_wire():
    yjs, collab = Guest(YjsDialect("d")), Guest(CollabDialect())

    room(yjs, collab).relay([Relay(b"\0\0", yjs)])

    assert [ysync.encode_update(b"\0\0")] == yjs.frames, "the author's echo is the acknowledgement"
    assert [hocuspocus.encode_update(b"d", b"\0\0")] == collab.frames


def test_an_update_is_encoded_once_for_all_who_share_wire_and_key():
    first, second = Guest(YjsDialect("d")), Guest(YjsDialect("d"))

    room(first, second).relay([Relay(b"\0\0", None)])

    assert first.frames[0] is second.frames[0]


def test_an_author_on_a_wire_without_echo_gets_no_copy():
    author, other = Guest(Quiet("d")), Guest(Quiet("d"))

    room(author, other).relay([Relay(b"\0\0", author)])

    assert [] == author.frames
    assert 1 == len(other.frames)


def test_presence_goes_to_everybody_once():
    guest = Guest(YjsDialect("d"))
    here = room(guest)
    here.presence.update(encode([State(1, 1, "{}")]), guest, now_ms=0)

    here.relay_presence()
    here.relay_presence()

    assert [ysync.encode_awareness(encode([State(1, 1, "{}")]))] == guest.frames


def test_what_waits_for_a_quiet_room_runs_when_nothing_is_pending_and_later_changes_run_after_it():
    here, order = room(), []
    here.pending = 2
    here.settled(lambda: order.append("settled"))
    here.changing(lambda: order.append("change"))

    here.commit(1)
    assert [] == order
    here.commit(1)
    assert ["settled", "change"] == order


def test_a_quiet_room_answers_and_changes_at_once():
    here, order = room(), []

    here.settled(lambda: order.append("settled"))
    here.changing(lambda: order.append("change"))

    assert ["settled", "change"] == order


def test_a_stale_room_answers_only_after_it_was_loaded_anew():
    here, order = room(), []
    here.stale = True
    here.settled(lambda: order.append("settled"))
    here.commit(0)
    assert [] == order

    here.replace(new_document(None, 2), document_position=0)
    here.commit(0)

    assert ["settled"] == order
    assert 1 == here.generation


def test_a_room_is_idle_only_when_nobody_would_miss_it():
    guest = Guest(YjsDialect("d"))
    here = room(guest)
    assert not here.idle

    here.members.clear()
    assert here.idle
    here.pending = 1
    assert not here.idle
