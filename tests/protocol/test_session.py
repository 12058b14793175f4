"""The session alone: frames in, effects out, no room and no socket."""

import pytest

from crdt_sync.domain.access import Principal
from crdt_sync.errors import Forbidden, Malformed, Reset, Unauthenticated, Unavailable
from crdt_sync.protocol.collab_dialect import STATELESS_REFUSED, CollabDialect
from crdt_sync.protocol.effects import (
    Answer,
    AskPresence,
    Authenticate,
    Close,
    Leave,
    Open,
    Present,
    Push,
    Quarantine,
    Refusal,
    Send,
)
from crdt_sync.protocol.session import WAITING_BYTES_MIN, Session
from crdt_sync.protocol.yjs_dialect import YjsDialect
from crdt_sync.wire import hocuspocus, limits, ysync

ME = Principal("me", "sales", ("sales",))
DOC = "doc-1"
ADDRESS = DOC.encode()
UPDATE = b"\x01\x01\x05\x00\x04\x01\x01a\x01x\x00"


def yjs(*, writable: bool = True) -> Session:
    session = Session(YjsDialect(DOC), principal=ME)
    session.join(DOC, DOC)
    session.opened(DOC, writable=writable, state_vector=b"\0")
    return session


def collab(*, writable: bool = True, version: str | None = "4.7.0") -> Session:
    session = Session(CollabDialect())
    session.receive(hocuspocus.encode_token(ADDRESS, "tok", version))
    session.authenticated(DOC, ME)
    session.opened(DOC, writable=writable, state_vector=b"\0")
    return session


def test_a_yjs_client_is_asked_for_what_it_has_when_its_document_opens():
    session = Session(YjsDialect(DOC), principal=ME)

    assert [Open(DOC, DOC, ME)] == session.join(DOC, DOC)
    effects = session.opened(DOC, writable=True, state_vector=b"\0")
    assert [Send(ysync.encode_step1(b"\0")), AskPresence(DOC)] == effects


def test_frames_that_come_before_the_document_is_open_wait_in_order():
    session = Session(YjsDialect(DOC), principal=ME)
    session.join(DOC, DOC)

    assert [] == session.receive(ysync.encode_step1(b"\0"))
    assert [] == session.receive(ysync.encode_update(UPDATE))
    effects = session.opened(DOC, writable=True, state_vector=b"\0")
    assert [Answer(DOC, b"\0"), Push(DOC, UPDATE, b"")] == effects[-2:]


def test_a_collab_client_is_greeted_after_its_token_and_then_its_queue_is_handled():
    session = Session(CollabDialect())

    assert [Authenticate(DOC, "tok")] == session.receive(hocuspocus.encode_token(ADDRESS, "tok", "4.7.0"))
    assert [] == session.receive(hocuspocus.encode_step1(ADDRESS, b"\0"))
    assert [Open(DOC, DOC, ME)] == session.authenticated(DOC, ME)
    effects = session.opened(DOC, writable=True, state_vector=b"\0")
    assert [
        Send(hocuspocus.encode_authenticated(ADDRESS, read_only=False)),
        AskPresence(DOC),
        Answer(DOC, b"\0"),
    ] == effects


def test_a_read_only_client_is_told_so():
    session = Session(CollabDialect())
    session.receive(hocuspocus.encode_token(ADDRESS, "tok"))
    session.authenticated(DOC, ME)

    effects = session.opened(DOC, writable=False, state_vector=b"\0")

    assert Send(hocuspocus.encode_authenticated(ADDRESS, read_only=True)) == effects[0]


def test_a_session_id_in_the_address_is_part_of_the_key_and_not_of_the_document():
    session = Session(CollabDialect())
    address = b"doc-1\0abc"

    session.receive(hocuspocus.encode_token(address, "tok"))

    assert [Open("doc-1\0abc", "doc-1", ME)] == session.authenticated("doc-1\0abc", ME)


def test_one_socket_may_hold_two_sessions_of_one_document():
    session = Session(CollabDialect())
    for key in ("doc-1\0a", "doc-1\0b"):
        session.receive(hocuspocus.encode_token(key.encode(), "tok"))
        session.authenticated(key, ME)
        session.opened(key, writable=True, state_vector=b"\0")

    assert [Push("doc-1\0b", UPDATE, b"")] == session.receive(hocuspocus.encode_update(b"doc-1\0b", UPDATE))


def test_a_wrong_token_drops_what_was_queued_and_leaves_the_socket_open():
    session = Session(CollabDialect())
    session.receive(hocuspocus.encode_token(ADDRESS, "bad"))
    session.receive(hocuspocus.encode_update(ADDRESS, UPDATE))

    effects = session.denied(DOC, Unauthenticated("The token is wrong."))

    reason = "unauthenticated: The token is wrong."
    denied = Send(hocuspocus.encode_permission_denied(ADDRESS, reason))
    assert [Refusal(DOC, "unauthenticated", None), denied] == effects
    assert [Authenticate(DOC, "good")] == session.receive(hocuspocus.encode_token(ADDRESS, "good"))


def test_a_yjs_client_without_access_is_closed_with_the_code_of_the_refusal():
    session = Session(YjsDialect(DOC), principal=ME)
    session.join(DOC, DOC)

    effects = session.denied(DOC, Forbidden("No.", code="department"))

    assert [Refusal(DOC, "department", ME), Close(4403, "department: No.")] == effects


def test_a_failed_load_makes_a_collab_client_come_again():
    session = Session(CollabDialect())
    session.receive(hocuspocus.encode_token(ADDRESS, "tok"))
    session.authenticated(DOC, ME)

    _, effect = session.denied(DOC, Unavailable("Not now."))

    assert 1013 == effect.code


def test_what_comes_of_a_document_that_was_left_meanwhile_is_undone():
    session = Session(CollabDialect())
    session.receive(hocuspocus.encode_token(ADDRESS, "tok"))
    assert [Leave(DOC)] == session.receive(hocuspocus.encode_close(ADDRESS))

    assert [] == session.authenticated(DOC, ME)
    assert [Leave(DOC)] == session.opened(DOC, writable=True, state_vector=b"\0")
    assert [] == session.denied(DOC, Forbidden("No."))


@pytest.mark.parametrize("data", [b"\x00\x02", b"\x09", b"", b"\x00\x07\x00", "text"])
def test_a_broken_yjs_frame_closes_the_connection_and_is_kept(data):
    quarantine, leave, refusal, close = yjs().receive(data)

    assert "malformed" == quarantine.code
    assert ME == quarantine.principal
    assert (Leave(DOC), Refusal(DOC, "malformed", ME)) == (leave, refusal)
    assert 4422 == close.code


def test_a_broken_collab_frame_closes_its_document_only():
    session = collab()

    effects = session.receive(hocuspocus.encode_update(ADDRESS, UPDATE)[:-1])

    assert [Quarantine, Leave, Refusal, Send] == [type(effect) for effect in effects]
    assert [] == session.receive(hocuspocus.encode_update(ADDRESS, UPDATE)), "the document stays refused"


def test_a_broken_collab_frame_outside_a_document_closes_the_socket():
    quarantine, refusal, close = Session(CollabDialect()).receive(b"\xff")

    assert Quarantine("", "malformed", b"\xff", None) == quarantine
    assert Refusal("", "malformed", None) == refusal
    assert 4422 == close.code


def test_a_forged_broadcast_is_refused():
    effects = collab().receive(b"\x05doc-1\x06\x02hi")

    assert "not_for_clients" == effects[0].code


def test_a_stateless_message_is_refused_with_a_code_and_the_document_stays():
    session = collab()

    refusal = Send(hocuspocus.encode_stateless(ADDRESS, STATELESS_REFUSED))
    assert [Refusal(DOC, "stateless", ME), refusal] == session.receive(hocuspocus.encode_stateless(ADDRESS, "hi"))
    assert [Push(DOC, UPDATE, b"")] == session.receive(hocuspocus.encode_update(ADDRESS, UPDATE))


def test_a_stateless_message_is_not_answered_before_its_document_is_open():
    assert [] == Session(CollabDialect()).receive(hocuspocus.encode_stateless(ADDRESS, "hi"))


def test_a_pong_is_ignored():
    assert [] == collab().receive(hocuspocus.encode_pong())


def test_a_ping_is_answered_before_any_document_is_open():
    assert [Send(hocuspocus.encode_pong())] == Session(CollabDialect()).receive(hocuspocus.encode_ping())


def test_a_write_to_a_read_only_document_is_refused_and_the_session_stays():
    session = collab(writable=False)
    assert [] == session.read_only("nothing", b"")

    refused = Send(hocuspocus.encode_sync_status(ADDRESS, accepted=False))
    assert [Refusal(DOC, "read_only", ME), refused] == session.read_only(DOC, b"")
    assert [Answer(DOC, b"\0")] == session.receive(hocuspocus.encode_step1(ADDRESS, b"\0"))


def test_a_yjs_client_hears_why_its_write_to_a_read_only_document_is_refused():
    _, effect = yjs(writable=False).read_only(DOC, b"")

    assert b"read_only" in effect.frame


def test_an_update_behind_a_gap_is_held_until_the_gap_is_filled():
    session = yjs()
    push = Push(DOC, UPDATE, b"")

    assert [Send(ysync.encode_step1(b"\x01"))] == session.gap(push, lambda: b"\x01", 0)
    assert [] == session.gap(push, lambda: pytest.fail("it was asked for"), 0), "the answer has what both lack"
    assert [push, push] == session.filled(DOC)
    assert [] == session.filled(DOC)


def test_a_gap_that_holds_too_much_closes_the_document():
    session = collab()
    push = Push(DOC, UPDATE, b"")
    for _ in range(limits.GAP_UPDATES_MAX):
        session.gap(push, lambda: b"\0", 0)

    effects = session.gap(push, lambda: b"\0", 0)

    assert "gap" == effects[0].code
    assert Leave(DOC) == effects[1]


def test_a_gap_that_nobody_fills_closes_the_document_in_the_end():
    session = yjs()
    session.gap(Push(DOC, UPDATE, b""), lambda: b"\0", 1_000)

    assert [] == session.overdue(1_000 + limits.GAP_S * 1_000)
    effects = session.overdue(1_001 + limits.GAP_S * 1_000)
    assert "gap" == effects[0].code
    assert 4422 == effects[-1].code


def test_a_rule_that_is_broken_is_refused_once_and_the_document_stays_refused():
    session = collab()
    push = Push(DOC, UPDATE, b"")

    effects = session.broken(push, Malformed("No.", code="deletion"))

    nack = Send(hocuspocus.encode_sync_status(ADDRESS, accepted=False))
    close = Send(hocuspocus.encode_close(ADDRESS, "deletion: No."))
    refusal = Refusal(DOC, "deletion", ME)
    assert [Quarantine(DOC, "deletion", UPDATE, ME), Leave(DOC), refusal, nack, close] == effects
    assert [] == session.broken(push, Malformed("No."))


def test_a_provider_before_4_is_denied_where_a_newer_one_is_closed():
    """@hocuspocus/provider 2.15 throws on a Close."""
    session = collab(version=None)

    effects = session.broken(Push(DOC, UPDATE, b""), Malformed("No.", code="deletion"))

    nack = Send(hocuspocus.encode_sync_status(ADDRESS, accepted=False))
    denial = Send(hocuspocus.encode_permission_denied(ADDRESS, "deletion: No."))
    assert [nack, denial] == effects[-2:]
    assert [] == session.receive(hocuspocus.encode_update(ADDRESS, UPDATE)), "the document stays refused"


def test_a_failure_of_ours_never_closes_a_document_of_a_provider_that_would_not_come_back():
    session = collab()

    effects = session.broken(Push(DOC, UPDATE, b""), Unavailable("Not now."))

    assert 1013 == effects[-1].code


def test_an_acknowledgement_is_one_status_a_frame():
    session = collab()

    assert [Send(hocuspocus.encode_sync_status(ADDRESS, accepted=True))] == session.acknowledged(DOC, [b""], 7)
    assert [] == yjs().acknowledged(DOC, [b""], 7), "the echo says it"


def test_a_failure_of_ours_is_a_nack_and_the_session_stays():
    error, refusal = Unavailable("Not now."), Refusal(DOC, "unavailable", ME)

    nack = Send(hocuspocus.encode_sync_status(ADDRESS, accepted=False))
    assert [refusal, nack] == collab().failed(DOC, b"", error)
    assert [refusal] == yjs().failed(DOC, b"", error), "the client will be asked for it again"


def test_presence_passes_through():
    session = yjs()

    assert [Present(DOC, b"\0")] == session.receive(ysync.encode_awareness(b"\0"))
    assert [AskPresence(DOC)] == session.receive(ysync.encode_query_awareness())


def test_too_much_before_the_token_closes_the_socket():
    session = Session(CollabDialect())
    session.receive(hocuspocus.encode_token(ADDRESS, "tok"))
    big = hocuspocus.encode_update(ADDRESS, b"x" * (limits.UNAUTHENTICATED_BYTES_MAX + 1))

    _, effect = session.receive(big)

    assert 4413 == effect.code


def test_the_bound_before_the_token_is_the_sockets_however_many_documents_it_names():
    session = Session(CollabDialect())
    part = b"x" * (limits.UNAUTHENTICATED_BYTES_MAX // 2)
    effects = [session.receive(hocuspocus.encode_update(f"doc-{index}".encode(), part)) for index in range(3)]

    assert [[], []] == effects[:2]
    assert ["size", 4413] == [effect.code for effect in effects[2]]


def test_too_much_for_a_document_that_is_being_opened_closes_the_socket():
    session = Session(YjsDialect(DOC), principal=ME)
    session.join(DOC, DOC)
    frames = [ysync.encode_update(b"x" * limits.UPDATE_BYTES_MAX) for _ in range(3)]
    effects = [session.receive(frame) for frame in frames]

    assert [[], []] == effects[:2]
    assert ["size", 4413] == [effect.code for effect in effects[2]]


def test_what_waits_for_a_document_that_is_being_opened_is_bounded_by_bytes_however_many_messages_they_are():
    session = Session(YjsDialect(DOC), principal=ME)
    session.join(DOC, DOC)
    small = [ysync.encode_update(UPDATE)] * (limits.OPENING_BYTES_MAX // WAITING_BYTES_MIN)

    assert [] == [effect for frame in small for effect in session.receive(frame)]
    assert ["size", 4413] == [effect.code for effect in session.receive(small[0])], "each costs more than its bytes"


def test_what_waits_for_all_documents_of_a_connection_is_bounded_too():
    session = Session(CollabDialect(), principal=ME)
    names = [f"doc-{index}".encode() for index in range(12)]
    for name in names:
        session.receive(hocuspocus.encode_token(name, "tok"))
        session.authenticated(name.decode(), ME)
    update = b"x" * limits.UPDATE_BYTES_MAX
    effects = [session.receive(hocuspocus.encode_update(name, update)) for name in names]

    assert [[]] * 10 == effects[:10]
    assert ["size", 4413] == [effect.code for effect in effects[10]]


def test_what_is_open_gives_back_what_waited_for_it():
    session = Session(CollabDialect(), principal=ME)
    update = b"x" * limits.UPDATE_BYTES_MAX
    for name in [f"doc-{index}" for index in range(12)]:
        session.receive(hocuspocus.encode_token(name.encode(), "tok"))
        session.authenticated(name, ME)
        assert [] == session.receive(hocuspocus.encode_update(name.encode(), update))
        assert update in [
            effect.data
            for effect in session.opened(name, writable=True, state_vector=b"\0")
            if isinstance(effect, Push)
        ]


@pytest.mark.parametrize(
    "frame",
    [
        ysync.encode_step1(b"x" * 600_000),
        ysync.encode_awareness(b"x" * 600_000),
        ysync.encode_update(UPDATE) + b"x" * 600_000,
    ],
    ids=["step 1", "presence", "what does not decode"],
)
def test_whatever_waits_counts_with_its_bytes(frame):
    session = Session(YjsDialect(DOC), principal=ME)
    session.join(DOC, DOC)
    effects = [effect for _ in range(limits.OPENING_BYTES_MAX // 600_000 + 1) for effect in session.receive(frame)]

    assert ["size", 4413] == [effect.code for effect in effects]


def test_too_many_documents_close_the_socket():
    session = Session(CollabDialect())
    for index in range(limits.DOCUMENTS_PER_SOCKET_MAX):
        session.receive(hocuspocus.encode_token(f"doc-{index}".encode(), "tok"))

    refusal, effect = session.receive(hocuspocus.encode_token(b"one-more", "tok"))

    assert Refusal("one-more", "too_many_documents", None) == refusal
    assert 4413 == effect.code


def test_who_was_denied_and_goes_on_writing_is_denied_again_and_the_socket_stays():
    session = collab()
    session.receive(hocuspocus.encode_token(b"other", "bad"))
    session.denied("other", Forbidden("No."))
    effects = []
    for _ in range(limits.UNAUTHENTICATED_MESSAGES_MAX + 1):
        effects += session.receive(hocuspocus.encode_update(b"other", UPDATE))

    refusal = Refusal("other", "forbidden", None)
    assert [refusal, Send(hocuspocus.encode_permission_denied(b"other", "forbidden: No."))] == effects
    assert [Push(DOC, UPDATE, b"")] == session.receive(hocuspocus.encode_update(ADDRESS, UPDATE))


def test_a_provider_that_asks_first_and_then_presents_another_token_is_answered():
    """@hocuspocus/provider 3 and 4: `sendToken(); startSync()` when authentication failed."""
    session = Session(CollabDialect())
    session.receive(hocuspocus.encode_token(ADDRESS, "bad"))
    session.denied(DOC, Unauthenticated("The token is wrong."))

    assert [] == session.receive(hocuspocus.encode_step1(ADDRESS, b"\0"))
    assert [Authenticate(DOC, "good")] == session.receive(hocuspocus.encode_token(ADDRESS, "good"))
    session.authenticated(DOC, ME)
    assert [Answer(DOC, b"\0")] == session.opened(DOC, writable=True, state_vector=b"\0")[2:]


def test_a_provider_without_a_token_is_who_its_handshake_said():
    """@hocuspocus/provider 2.15 sends no token where none is configured."""
    session = Session(CollabDialect(), principal=ME)

    assert [Open(DOC, DOC, ME)] == session.receive(hocuspocus.encode_step1(ADDRESS, b"\0"))
    assert [Answer(DOC, b"\0")] == session.opened(DOC, writable=True, state_vector=b"\0")[2:]


def test_who_was_denied_in_band_is_not_let_in_by_its_handshake():
    session = Session(CollabDialect(), principal=ME)
    session.receive(hocuspocus.encode_token(ADDRESS, "bad"))
    session.denied(DOC, Unauthenticated("The token is wrong."))

    assert [] == session.receive(hocuspocus.encode_step1(ADDRESS, b"\0"))


def test_a_provider_that_was_reset_and_only_asks_is_not_let_in_again_without_a_token():
    session = collab()
    session.faulty(DOC, b"", Reset("Drop your copy."))

    assert [] == session.receive(hocuspocus.encode_step1(ADDRESS, b"\0"))
    assert [] == session.receive(hocuspocus.encode_update(ADDRESS, UPDATE))
    assert [Authenticate(DOC, "tok")] == session.receive(hocuspocus.encode_token(ADDRESS, "tok"))


def test_what_a_provider_wrote_before_it_left_is_taken_once_its_document_is_open():
    session = Session(CollabDialect())
    session.receive(hocuspocus.encode_token(ADDRESS, "tok"))
    session.receive(hocuspocus.encode_update(ADDRESS, UPDATE))

    assert [] == session.receive(hocuspocus.encode_close(ADDRESS))
    session.authenticated(DOC, ME)
    assert session.owes(DOC)
    assert [Push(DOC, UPDATE, b""), Leave(DOC)] == session.opened(DOC, writable=True, state_vector=b"\0")[2:]
    assert not session.owes(DOC)
    assert [Authenticate(DOC, "tok")] == session.receive(hocuspocus.encode_token(ADDRESS, "tok"))


def test_who_is_denied_after_it_left_does_not_take_its_successor_along():
    session = Session(CollabDialect())
    for token in ("bad", "good"):
        session.receive(hocuspocus.encode_token(ADDRESS, token))
        session.receive(hocuspocus.encode_update(ADDRESS, UPDATE))
        session.receive(hocuspocus.encode_close(ADDRESS))

    effects = session.denied(DOC, Unauthenticated("The token is wrong."))

    assert Authenticate(DOC, "good") == effects[-1]
    session.authenticated(DOC, ME)
    assert [Push(DOC, UPDATE, b""), Leave(DOC)] == session.opened(DOC, writable=True, state_vector=b"\0")[2:]


def test_a_later_token_of_an_open_document_is_judged_one_at_a_time():
    session = collab()

    assert [Authenticate(DOC, "later")] == session.receive(hocuspocus.encode_token(ADDRESS, "later"))
    assert [] == session.receive(hocuspocus.encode_token(ADDRESS, "later"))
    assert [] == session.authenticated(DOC, ME)
    assert [Authenticate(DOC, "later")] == session.receive(hocuspocus.encode_token(ADDRESS, "later"))


def test_a_later_token_that_is_wrong_closes_its_document_and_one_that_cannot_be_judged_nothing():
    session = collab()
    session.receive(hocuspocus.encode_token(ADDRESS, "later"))

    assert [] == session.not_renewed(DOC, Unavailable("Not now."))
    effects = session.not_renewed(DOC, Forbidden("No.", code="token_changed"))
    denied = Send(hocuspocus.encode_permission_denied(ADDRESS, "token_changed: No."))
    assert [Leave(DOC), Refusal(DOC, "token_changed", ME), denied] == effects


def test_a_token_is_asked_for_where_the_wire_has_a_word_for_it():
    assert [Send(b"\x05doc-1\x02\x00")] == collab().ask_token(DOC)
    assert [] == yjs().ask_token("")


def test_what_may_not_be_read_any_more_is_closed_and_stays_so():
    error, session = Forbidden("No.", code="ticket_scope"), yjs()

    assert [] == session.forbidden("another", error)
    effects = session.forbidden(DOC, error)
    assert [Leave(DOC), Refusal(DOC, "ticket_scope", ME), Close(4403, "ticket_scope: No.")] == effects


def test_a_client_is_told_that_it_may_write_or_only_read_from_now_on():
    told = Send(hocuspocus.encode_authenticated(ADDRESS, read_only=True))

    assert [told] == collab().permitted(DOC, writable=False)
    assert [] == yjs().permitted(DOC, writable=False)
    assert [] == collab().permitted("another", writable=False)


def test_the_end_of_a_connection_is_counted_for_the_document_that_it_spoke_of():
    error = Unauthenticated("Over.", code="session_expired")

    assert [Refusal(DOC, "session_expired", ME), Close(4501, "session_expired: Over.")] == yjs().end(error)


def test_updates_of_unknown_documents_are_never_pushed():
    session = Session(CollabDialect())

    assert [] == session.receive(hocuspocus.encode_update(ADDRESS, UPDATE))
    assert [] == session.acknowledged("nothing", [b""], 1)
    assert [] == session.failed("nothing", b"", Unavailable("Not now."))
