"""Every limit of `wire/limits.py` is reached by a client over a real socket, and answered with a coded refusal.

A limit without a case fails the first test. What takes minutes to reach on a real clock is reached where the clock is
the test's own: the case names that test. Limits that stand beside their only user are listed here as well.
"""

import ast
import hashlib
from pathlib import Path

import pycrdt
import pytest
import pytest_asyncio

from crdt_sync.wire import awareness, hocuspocus, limits, ysync
from crdt_sync.wire.lib0 import var_bytes, var_string, var_uint
from gateway.widget.limits import VisitorLimits
from tests.access.wires import Ended, collab_socket, sync_socket
from tests.documents import forge
from tests.server.conftest import run_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory):
    async with run_service(tmp_path_factory.mktemp("limits")) as running:
        yield running


async def said(running, document, *frames):
    """Say these on a y-websocket; return the code of the refusal."""
    async with sync_socket(running, document, running.token()) as socket:
        try:
            await socket.hear(ysync.Step1)
            await socket.say(*frames)
            return (await socket.hear(ysync.Denied)).reason.partition(":")[0]
        except Ended as ended:
            return ended.code


def over_sync(*frames):
    """A case on a document without rules."""
    return lambda running: said(running, "notes", *frames)


def edited(kind, change):
    """A case that changes a document of a ticket as a Yjs client would."""

    async def case(running):
        doc = pycrdt.Doc(client_id=next(CLIENTS))
        change(doc)
        return await said(running, f"ticket/{await running.ticket()}/{kind}", ysync.encode_update(doc.get_update()))

    return case


def keys(root, count, name="k{}", value=1):
    def change(doc):
        target = doc.get(root, type=pycrdt.Map)
        with doc.transaction():
            for index in range(count):
                target[name.format(index)] = value

    return change


def payloads(texts):
    def change(doc):
        target = doc.get("payloads", type=pycrdt.Map)
        with doc.transaction():
            for text in texts:
                target[hashlib.sha256(text.encode()).hexdigest()] = text

    return change


def entries(root, texts):
    def change(doc):
        doc.get(root, type=pycrdt.Array).extend(texts)

    return change


def collab(*frames, token=True):
    """A case on a Hocuspocus socket; `None` among the frames stands for a good token."""

    async def case(running):
        async with collab_socket(running) as socket:
            try:
                if token:
                    await socket.say(hocuspocus.encode_token(b"notes", running.token(), "4.7.0"))
                await socket.say(*frames)
                while True:
                    heard = await socket.hear(hocuspocus.PermissionDenied, hocuspocus.Close, hocuspocus.Stateless)
                    reason = heard.frame.reason if hasattr(heard, "frame") else heard.reason
                    return reason.partition(":")[0]
            except Ended as ended:
                return ended.code

    return case


def presence(*states):
    return ysync.encode_awareness(awareness.encode(states))


def counted(frames, code):
    """A case whose refusal nobody is told of: it is counted, and the session stays."""

    async def case(running):
        async with sync_socket(running, "notes", running.token()) as socket:
            await socket.hear(ysync.Step1)
            await socket.say(*frames, ysync.encode_step1(b"\0"))
            await socket.hear(ysync.Step2)
        counter = running.service._audit._meter._refusals.labels("sync", code)
        return code if counter._value.get() else ""

    return case


def nested(depth):
    """A map's value that is a list of a list of a list."""
    value = b"\x75\x01" * depth + b"\x7e"
    return forge.update({77: (0, [forge.item(b"\x08" + var_uint(1) + value, root="card", key="title")])})


def claims(path, name):
    """Tell whether a test of this name is there, and whether it holds anything: an assertion, or an error to come."""
    for node in ast.parse((ROOT / path).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            held = [each for each in ast.walk(node) if isinstance(each, ast.Assert | ast.Call)]
            return any(isinstance(each, ast.Assert) or ast.unparse(each.func) in HOLDS for each in held)
    return False


def beside():
    """The limits of the server and the service that stand beside their only user, as `package.module.NAME`."""
    found = set()
    for package in ("server", "service"):
        for file in (ROOT / "crdt_sync" / package).glob("*.py"):
            for node in ast.parse(file.read_text("utf-8")).body:
                targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
                names = [target.id for target in targets if isinstance(target, ast.Name)]
                found |= {f"{package}.{file.stem}.{name}" for name in names if name.endswith("_MAX")}
    return found


HOLDS = {"pytest.raises", "refused", "other.hear"}  # what a test may say instead of `assert`
CLIENTS = iter(range(60_000, 70_000))
MANY = limits.UPDATE_STRUCTS_MAX + 1

ON_A_SOCKET = {
    "VAR_UINT_MAX": ("malformed", over_sync(b"\x01" + var_bytes(b"\x01\x80\x80\x80\x80\x80\x80\x80\x10\x00\x02{}"))),
    "CLOCK_MAX": ("malformed", over_sync(ysync.encode_update(forge.update({7: (2**31, [forge.gc(1)])})))),
    "ANY_DEPTH_MAX": ("too_deep", over_sync(ysync.encode_update(nested(limits.ANY_DEPTH_MAX + 1)))),
    "FRAME_BYTES_MAX": ("frame_size", over_sync(b"\0" * (limits.FRAME_BYTES_MAX + 1))),
    "ADDRESS_BYTES_MAX": ("size", collab(var_bytes(b"a" * (limits.ADDRESS_BYTES_MAX + 1)) + b"\x00\x00\x01\x00")),
    "TOKEN_BYTES_MAX": ("size", collab(hocuspocus.encode_token(b"x", "t" * (limits.TOKEN_BYTES_MAX + 1)), token=False)),
    "TEXT_BYTES_MAX": ("size", collab(hocuspocus.encode_stateless(b"notes", "t" * (limits.TEXT_BYTES_MAX + 1)))),
    "UPDATE_BYTES_MAX": ("size", over_sync(ysync.encode_update(b"\0" * (limits.UPDATE_BYTES_MAX + 1)))),
    "UPDATE_STRUCTS_MAX": ("too_many", over_sync(ysync.encode_update(forge.update({7: (0, [forge.gc(1)] * MANY)})))),
    "DOCUMENT_CLIENTS_MAX": (
        "too_many_clients",
        over_sync(
            *(
                ysync.encode_update(forge.update({client: (0, [forge.gc(1)]) for client in clients}))
                for clients in (range(100, 100 + limits.DOCUMENT_CLIENTS_MAX), [99])
            )
        ),
    ),
    "STATE_VECTOR_CLIENTS_MAX": (
        "too_many",
        over_sync(ysync.encode_step1(var_uint(limits.STATE_VECTOR_CLIENTS_MAX + 1) + b"\x01\x01" * 4)),
    ),
    "TRANSITION_BYTES_MAX": ("size", edited("submit/sales", entries("transitions", ["x" * 4_097]))),
    "MESSAGE_BYTES_MAX": ("size", edited("submit/sales", entries("messages", ["x" * 65_537]))),
    "SUBMIT_ENTRIES_MAX": ("too_many", edited("submit/sales", entries("messages", ["x"] * 10_001))),
    "CARD_KEYS_MAX": ("too_many", edited("card", keys("card", limits.CARD_KEYS_MAX + 1, "assignee.k{}"))),
    "CARD_TEXT_BYTES_MAX": ("size", edited("card", keys("card", 1, "title", "x" * 1_025))),
    "FIELD_KEY_LENGTH_MAX": ("key", edited("form/sales", keys("fields", 1, "k" * 65))),
    "FORM_FIELDS_MAX": ("too_many", edited("form/sales", keys("fields", limits.FORM_FIELDS_MAX + 1))),
    "FIELD_TEXT_BYTES_MAX": ("size", edited("form/sales", keys("fields", 1, "k", "x" * 8_193))),
    "PAYLOAD_BYTES_MAX": ("size", edited("form/sales", payloads(["x" * 65_537]))),
    "FORM_PAYLOADS_MAX": ("too_many", edited("form/sales", payloads([str(index) for index in range(1_001)]))),
    "DOCUMENTS_PER_SOCKET_MAX": (
        "too_many_documents",
        collab(*[hocuspocus.encode_step1(f"d{index}".encode(), b"\0") for index in range(501)], token=False),
    ),
    "UNAUTHENTICATED_BYTES_MAX": (
        "size",
        collab(*[hocuspocus.encode_update(b"notes", b"\0" * 600_000)] * 2, token=False),
    ),
    "UNAUTHENTICATED_MESSAGES_MAX": ("size", collab(*[hocuspocus.encode_step1(b"notes", b"\0")] * 1_001, token=False)),
    "GAP_UPDATES_MAX": (
        "gap",
        over_sync(*[ysync.encode_update(forge.update({9: (index, [forge.gc(1)])})) for index in range(5, 107)]),
    ),
    "GAP_BYTES_MAX": (
        "gap",
        over_sync(
            *[
                ysync.encode_update(forge.update({9: (at, [forge.item(forge.string("x" * 600_000), root="t")])}))
                for at in (5, 600_010)
            ]
        ),
    ),
    "PRESENCE_STATE_BYTES_MAX": (
        "size",
        over_sync(ysync.encode_awareness(b"\x01\x07\x01" + var_string('"' + "x" * 4_096 + '"'))),
    ),
    "AWARENESS_STATES_MAX": ("too_many", over_sync(ysync.encode_awareness(var_uint(1_025) + b"\x07\x01\x02{}"))),
    "AWARENESS_IDS_PER_CONNECTION_MAX": (
        "too_many_presences",
        counted([presence(*[awareness.State(client, 1, "{}") for client in range(1, 10)])], "too_many_presences"),
    ),
}

MEDIA = "tests/service/test_media.py"

ELSEWHERE = {
    "MEDIA_BYTES_MAX": (MEDIA, "test_exactly_as_much_as_is_allowed_is_taken"),
    "MEDIA_PIECE_BYTES": (MEDIA, "test_a_content_of_many_pieces_is_read_from_anywhere"),
    "MEDIA_TICKET_BYTES_MAX": (MEDIA, "test_a_ticket_holds_so_many_bytes"),
    "MEDIA_AUTHOR_BYTES_MAX": (MEDIA, "test_an_author_brings_so_many_bytes_a_day"),
    "MEDIA_QUOTA_S": (MEDIA, "test_an_author_brings_so_many_bytes_a_day"),
    "MEDIA_AWAITED_S": ("tests/service/test_showing.py", "test_after_an_hour_it_is_given_up_and_the_agent_sees_why"),
    "MEDIA_UNUSED_S": (MEDIA, "test_what_no_message_names_is_forgotten_after_a_day"),
    "MEDIA_UPLOADS_MAX": (MEDIA, "test_two_uploads_of_one_author_are_under_way_at_once"),
    "MEDIA_UPLOAD_S": ("tests/server/test_media_api.py", "test_an_upload_that_dribbles_is_ended"),
    "MESSAGE_S": (
        "tests/server/test_websocket.py",
        "test_a_message_that_does_not_end_is_not_waited_for_for_ever",
    ),
    "PARTIAL_BYTES_MAX": (
        "tests/server/test_websocket.py",
        "test_what_has_begun_is_bounded_for_all_together_and_who_takes_longest_goes",
    ),
    "BATCH_FRAMES_MAX": ("tests/server/test_grpc_sync.py", "test_a_message_has_so_many_frames"),
    "DOCUMENT_BYTES_MAX": (
        "tests/documents/test_document.py",
        "test_a_document_grows_to_its_cap_and_is_measured_before_it_is_refused",
    ),
    "OPENING_BYTES_MAX": (
        "tests/protocol/test_session.py",
        "test_too_much_for_a_document_that_is_being_opened_closes_the_socket",
    ),
    "OPENING_CONNECTION_BYTES_MAX": (
        "tests/protocol/test_session.py",
        "test_what_waits_for_all_documents_of_a_connection_is_bounded_too",
    ),
    "ACTOR_REQUESTS_MAX": (
        "tests/server/test_handshake_rate.py",
        "test_requests_are_counted_apart_from_handshakes_and_those_of_a_gateway_not_at_all",
    ),
    "ACTOR_REQUESTS_PER_S_MAX": (
        "tests/server/test_handshake_rate.py",
        "test_requests_are_counted_apart_from_handshakes_and_those_of_a_gateway_not_at_all",
    ),
    "UNAUTHENTICATED_S": (
        "tests/integration/test_silence.py",
        "test_who_brings_no_token_in_time_is_closed_and_who_has_brought_one_is_not",
    ),
    "SOURCE_HANDSHAKES_MAX": (
        "tests/server/test_handshake_rate.py",
        "test_an_office_comes_back_at_once_after_each_of_two_restarts",
    ),
    "SOURCE_HANDSHAKES_PER_S_MAX": (
        "tests/server/test_handshake_rate.py",
        "test_an_office_comes_back_at_once_after_each_of_two_restarts",
    ),
    "ACTOR_HANDSHAKES_MAX": (
        "tests/server/test_handshake_rate.py",
        "test_who_comes_a_hundred_times_a_second_is_refused_soon",
    ),
    "ACTOR_HANDSHAKES_PER_S_MAX": (
        "tests/server/test_handshake_rate.py",
        "test_who_comes_a_hundred_times_a_second_is_refused_soon",
    ),
    "STALLED_S": (
        "tests/server/test_stalled_readers.py",
        "test_who_reads_nothing_of_the_events_is_cut_off_and_counted",
    ),
    "TOKEN_GRACE_S": (
        "tests/service/test_leases.py",
        "test_a_collab_client_that_brings_none_in_time_loses_its_socket",
    ),
    "GAP_S": (
        "tests/protocol/test_session.py",
        "test_a_gap_that_nobody_fills_closes_the_document_in_the_end",
    ),
    "SEND_QUEUE_FRAMES_MAX": (
        "tests/server/test_grpc_sync.py",
        "test_a_slow_reader_loses_the_stream_and_nothing_of_a_document",
    ),
    "SEND_QUEUE_BYTES_MAX": (
        "tests/integration/test_slow_readers.py",
        "test_as_much_waits_for_a_reader_as_the_limit_says_and_no_more",
    ),
    "COMMIT_QUEUE_BYTES_MAX": (
        "tests/service/test_back_pressure.py",
        "test_who_sends_too_much_is_not_read_until_half_of_it_is_written",
    ),
    "CHANGE_OVERHEAD_BYTES": (
        "tests/service/test_back_pressure.py",
        "test_many_small_changes_count_for_what_they_cost",
    ),
    "AWARENESS_AWAY_MAX": (
        "tests/protocol/test_presence.py",
        "test_so_many_that_left_are_remembered_of_each_person",
    ),
    **dict.fromkeys(
        ["NAME_SIGN_INS_MAX", "NAME_SIGN_INS_PER_S_MAX", "SOURCE_SIGN_INS_MAX", "SOURCE_SIGN_INS_PER_S_MAX"],
        (
            "tests/server/test_session_api.py",
            "test_guesses_are_limited_by_name_and_by_address_and_a_right_one_counts_as_none",
        ),
    ),
    "PRESENCE_MESSAGES_PER_S_MAX": (
        "tests/integration/test_presence.py",
        "test_of_a_cursor_that_moves_too_fast_others_end_with_the_last_place",
    ),
}


EGRESS, CALLS, AUTH = "tests/server/test_grpc_egress.py", "tests/server/test_grpc_calls.py", "tests/server/test_auth.py"
HOOKS, HOOKS_API = "tests/service/test_webhooks.py", "tests/server/test_webhooks_api.py"

BESIDE = {
    "server.auth.ACCOUNTS_MAX": (AUTH, "test_a_token_says_so_much_and_no_more"),
    "server.auth.ROLES_MAX": (AUTH, "test_a_token_says_so_much_and_no_more"),
    "server.auth.SECONDS_MAX": (AUTH, "test_a_token_says_so_much_and_no_more"),
    "server.auth.TICKETS_MAX": (AUTH, "test_a_token_says_so_much_and_no_more"),
    "server.conversations_api.PEOPLE_MAX": (
        "tests/server/test_conversations_api.py",
        "test_of_a_large_department_so_many_are_listed",
    ),
    "server.grpc_ingress.ENVELOPES_MAX": (CALLS, "test_a_call_takes_a_hundred_envelopes"),
    "server.grpc_decoding.GRPC_MESSAGE_BYTES_MAX": (
        "tests/server/test_grpc_decoding.py",
        "test_what_is_no_message_is_refused_once_and_is_no_fault",
    ),
    "server.grpc_egress.PLATFORM_ID_MAX": (EGRESS, "test_a_report_that_says_nothing_is_refused_with_its_code"),
    "server.grpc_events.POSITION_MAX": (
        "tests/server/test_grpc_events.py",
        "test_a_watch_that_may_not_be_is_refused_with_its_code",
    ),
    "server.handshake_rate.KEYS_MAX": ("tests/server/test_handshake_rate.py", "test_what_is_remembered_is_bounded"),
    "server.http_protocol.HEAD_BYTES_MAX": ("tests/server/test_http_protocol.py", "test_a_head_has_a_size"),
    "server.middleware.BODY_BYTES_MAX": (
        "tests/server/test_problems.py",
        "test_a_body_that_declares_too_much_is_refused_at_once",
    ),
    "server.tickets_api.PAGE_MAX": (
        "tests/server/test_tickets_api.py",
        "test_a_filter_that_means_nothing_is_refused",
    ),
    "server.websocket.STALLS_MAX": (
        "tests/server/test_websocket.py",
        "test_a_reader_that_takes_nothing_for_half_a_minute_is_closed_too",
    ),
    "server.websocket.UNFINISHED_MAX": (
        "tests/server/test_websocket.py",
        "test_a_message_that_does_not_end_is_not_waited_for_for_ever",
    ),
    "service.admission.MESSAGES_PER_TICKET_MAX": (
        "tests/service/test_tickets.py",
        "test_a_conversation_has_so_many_messages_and_no_more",
    ),
    "service.admission.TRANSITIONS_PER_TICKET_MAX": (
        "tests/service/test_tickets.py",
        "test_a_ticket_has_so_many_transitions_and_no_more",
    ),
    "service.admission.WAITING_MAX": (
        "tests/service/test_quotas.py",
        "test_a_department_leaves_so_many_entries_waiting_and_further_ones_are_refused",
    ),
    "service.connections.DRAFTS_PER_HOUR_MAX": (
        "tests/service/test_quotas.py",
        "test_a_person_names_so_many_tickets_an_hour_that_are_not_there",
    ),
    "service.events.WATCHERS_MAX": (
        "tests/service/test_events.py",
        "test_a_caller_and_all_of_them_may_watch_so_often",
    ),
    "service.events.WATCHERS_PER_CALLER_MAX": (
        "tests/service/test_events.py",
        "test_a_caller_and_all_of_them_may_watch_so_often",
    ),
    "service.notes.NOTES_CHARACTERS_MAX": (
        "tests/service/test_notes.py",
        "test_a_long_message_is_cut_and_full_notes_take_no_more",
    ),
    "service.outbox.CLAIMERS_PER_CALLER_MAX": (
        "tests/service/test_outbox.py",
        "test_one_caller_claims_only_so_often",
    ),
    "server.webhooks_api.URL_CHARACTERS_MAX": (HOOKS_API, "test_what_cannot_be_is_refused_with_its_code"),
    "service.courier.DUE_MAX": (HOOKS, "test_receivers_that_come_back_are_sent_so_many_tickets_at_a_time"),
    "service.courier.EVENT_BYTES_MAX": (HOOKS, "test_an_event_that_no_receiver_would_take_is_given_up_at_once"),
    "service.courier.FRESH_MAX": (HOOKS, "test_who_has_enough_waiting_reads_no_further_and_still_gets_everything"),
    "service.courier.IN_FLIGHT_MAX": (
        HOOKS,
        "test_tickets_are_told_at_the_same_time_but_few_of_them_and_one_ticket_in_turn",
    ),
    "service.courier.WAITING_MAX": (HOOKS, "test_who_has_enough_waiting_reads_no_further_and_still_gets_everything"),
    "service.turns.SENT_PER_S_MAX": (
        HOOKS,
        "test_so_many_events_leave_a_second_for_all_receivers_together_and_each_has_its_turn",
    ),
    "service.webhooks.PER_DEPARTMENT_MAX": (HOOKS, "test_there_are_so_many_of_a_department_and_in_all"),
    "service.webhooks.TOTAL_MAX": (HOOKS, "test_there_are_so_many_of_a_department_and_in_all"),
    "service.webhooks.ROWS_PAGE_MAX": (HOOKS_API, "test_what_cannot_be_is_refused_with_its_code"),
    "server.grpc_egress.DELAY_MS_MAX": (
        EGRESS,
        "test_a_platform_asks_for_no_longer_wait_and_window_than_can_be_meant",
    ),
    "server.grpc_egress.WINDOW_MS_MAX": (
        EGRESS,
        "test_a_platform_asks_for_no_longer_wait_and_window_than_can_be_meant",
    ),
    "server.grpc_tickets._EXACT_INTEGER_MAX": (
        CALLS,
        "test_a_number_that_a_double_does_not_hold_exactly_stays_one",
    ),
    "server.health.PEOPLE_MAX": (
        "tests/server/test_health.py",
        "test_of_a_large_department_so_many_are_named_and_all_are_counted",
    ),
    "server.session_api.PASSWORD_CHARACTERS_MAX": (
        "tests/server/test_session_api.py",
        "test_a_body_of_another_form_is_refused_and_not_repeated",
    ),
    "service.command.REQUEST_ID_CHARACTERS_MAX": (
        "tests/service/test_tickets.py",
        "test_a_request_id_has_so_many_characters",
    ),
    "service.conversations.PAGE_TICKETS_MAX": (
        "tests/service/test_conversations.py",
        "test_a_customers_tickets_are_found_across_channels_once_somebody_has_linked_them",
    ),
    "service.live_ticket.DUPLICATES_FOLLOWED_MAX": (
        "tests/service/test_duplicates.py",
        "test_a_word_follows_so_many_marks_and_no_more",
    ),
    "service.ingest.SEQUENCES_MAX": (
        "tests/service/test_ingest.py",
        "test_a_conversation_has_so_many_tickets_and_no_more",
    ),
    "service.heard.SENT_COUNTED_MAX": (
        "tests/service/test_conversations.py",
        "test_so_many_of_the_newest_parts_are_counted",
    ),
    "service.tickets.PAGE_TICKETS_MAX": (
        "tests/service/test_tickets.py",
        "test_a_page_has_so_many_tickets_whatever_is_asked_for",
    ),
    "service.pace.MESSAGES_MAX": (
        "tests/service/test_pace.py",
        "test_so_many_messages_within_so_short_a_time_are_too_fast",
    ),
}

WIDGET, PICTURES = "tests/gateway/test_widget_socket.py", "tests/gateway/test_widget_pictures.py"

VISITORS = {  # the settings of the gateway that bound visitors of web pages
    "sockets_max": (WIDGET, "test_gateway_has_so_many_sockets_and_no_more"),
    "address_sockets_max": (WIDGET, "test_address_holds_so_many_sockets_and_no_more"),
    "tabs_max": (WIDGET, "test_visitor_has_so_many_tabs_and_no_more"),
    "idle_s": (WIDGET, "test_socket_on_which_nobody_says_anything_ends_and_one_that_is_used_stays"),
    "uploads_bytes_max": (
        PICTURES,
        "test_whoever_dribbles_gives_way_to_others_when_too_many_bytes_are_on_their_way",
    ),
    "frames": (WIDGET, "test_frames_of_a_socket_are_bounded_by_their_setting"),
    "handshakes": (WIDGET, "test_address_that_opens_too_many_sockets_is_refused"),
    "newcomers": (WIDGET, "test_address_brings_somebody_new_less_often_than_somebody_known"),
    "messages": (WIDGET, "test_flood_is_told_to_wait_and_what_it_said_is_kept_when_said_again"),
    "address_messages": (
        WIDGET,
        "test_messages_of_an_address_are_bounded_for_all_its_visitors_together",
    ),
    "pictures": (PICTURES, "test_flood_of_pictures_is_refused_and_anothers_is_not"),
    "address_pictures": (
        PICTURES,
        "test_pictures_of_an_address_are_bounded_for_all_its_visitors_together",
    ),
}

OURS = {  # what the service itself does or remembers at once: nobody is refused for it
    "server.descriptors.GRPC_CONNECTIONS_MAX",
    "server.keys.JWKS_BYTES_MAX",
    "server.picows_reader.KEPT_BUFFER_BYTES_MAX",
    "server.problems.DETAILS_MAX",
    "server.providers.ANSWER_BYTES_MAX",
    "server.tls_listener.HANDSHAKES_MAX",
    "service.audit.ROWS_PER_HOUR_MAX",
    "service.audit.ROWS_PER_SOURCE_MAX",
    "service.audit.SUBJECT_CHARACTERS_MAX",
    "service.committer.BATCH_JOBS_MAX",
    "service.compaction.ROWS_AT_ONCE_MAX",
    "service.compaction.TAIL_BYTES_MAX",
    "service.compaction.TAIL_ROWS_MAX",
    "service.connections.REMEMBERED_REFUSALS_MAX",
    "service.events.BACKLOG_READS_MAX",
    "service.joining.ROWS_MAX",
    "service.joining.WAITING_MAX",
    "service.live_ticket.LIVE_TICKETS_MAX",
    "service.outbox.IN_FLIGHT_MAX",
    "service.overdue.FAILED_MAX",
    "service.reception.REMEMBERED_TICKETS_MAX",
    "service.rooms.IDLE_ROOMS_MAX",
    "service.verify.POSITIONS_MAX",
}


async def test_every_limit_has_a_case():
    names = {name for name in vars(limits) if name.isupper() and name not in {"KIB", "MIB"}}

    assert names == ON_A_SOCKET.keys() | ELSEWHERE.keys()


async def test_every_limit_that_stands_beside_its_user_is_listed_once():
    listed = [*BESIDE, *OURS]

    assert beside() == set(listed)
    assert len(listed) == len(set(listed))


async def test_every_setting_that_bounds_visitors_is_listed():
    assert VISITORS.keys() == VisitorLimits.model_fields.keys()


@pytest.mark.parametrize("name", [*ELSEWHERE, *BESIDE, *VISITORS])
async def test_a_limit_that_is_reached_elsewhere_is(name):
    assert claims(*(ELSEWHERE | BESIDE | VISITORS)[name])


@pytest.mark.parametrize("name", ON_A_SOCKET)
async def test_a_limit_is_a_coded_refusal(running, name):
    code, case = ON_A_SOCKET[name]

    assert code == await case(running)
