"""Answers to a simulated WeCom over real HTTP."""

import re

import pytest

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Delivery, Part
from gateway.outbound import Dead, RetryLater, Sent, WindowClosed
from gateway.platforms import wecom
from gateway.platforms.http import PlatformHttp
from gateway.platforms.wecom import WeComSender, wecom_api
from tests.gateway.fakes import HeldClock
from tests.gateway.wecom_server import CORP_ID, SECRET, WeComServer


def delivery(text="hello", **changes):
    given = {"id": "d1", "account": "kf", "conversation": "kf1/wm%2F1", "part": Part(text=text)}
    return Delivery(**(given | changes))


@pytest.fixture
async def server():
    server = WeComServer()
    async with server.serving() as url:
        server.url = url
        yield server


@pytest.fixture
async def sender(server):
    http = PlatformHttp()
    yield WeComSender("kf", wecom_api(http, server.url, CORP_ID, lambda: SECRET, HeldClock(0)))
    await http.close()


async def test_text_goes_to_the_customer_of_the_conversation_under_our_own_message_id(server, sender):
    outcome = await sender.send(delivery())
    (sent,) = server.sent.values()
    assert ("wm/1", "kf1", "text", {"content": "hello"}) == tuple(
        sent[name] for name in ("touser", "open_kfid", "msgtype", "text")
    )
    assert Sent(sent["msgid"]) == outcome
    assert re.fullmatch(r"[0-9a-zA-Z_-]{1,32}", sent["msgid"])


async def test_second_attempt_bears_the_same_message_id_and_another_part_another(server, sender):
    assert sender.has_idempotency
    assert await sender.send(delivery()) == await sender.send(delivery(attempt=2))
    assert (2, 1) == (server.attempts, len(server.sent))

    await sender.send(delivery(id="d2"))
    assert 2 == len(server.sent)


@pytest.mark.parametrize(
    ("errcode", "outcome"),
    [
        (95018, WindowClosed("session_state")),
        (95013, WindowClosed("session_ended")),
        (95001, WindowClosed("quota")),
        (95002, WindowClosed("window")),
        (45033, RetryLater("busy", 10_000)),
        (95000, Dead("errcode_95000")),
    ],
)
async def test_error_code_decides_what_becomes_of_it(server, sender, errcode, outcome):
    server.errors.append(errcode)
    assert outcome == await sender.send(delivery())
    assert {} == server.sent


async def test_a_session_that_waits_for_somebody_is_taken_over_by_who_answers(server, sender):
    server.states["wm/1"] = 2
    outcome = await sender.send(delivery())

    assert isinstance(outcome, Sent)
    assert [{"open_kfid": "kf1", "external_userid": "wm/1", "service_state": 1}] == server.transfers
    assert (2, 1) == (server.attempts, len(server.sent))


@pytest.mark.parametrize(("state", "code"), [(3, "session_human"), (4, "session_ended"), (9, "session_state")])
async def test_a_session_that_a_person_has_or_that_has_ended_stays_what_it_is(server, sender, state, code):
    server.states["wm/1"] = state
    assert WindowClosed(code) == await sender.send(delivery())
    assert ([], {}, 1) == (server.transfers, server.sent, server.attempts)


@pytest.mark.parametrize(
    ("errors", "outcome"),
    [([0, 0, 95016], WindowClosed("session_state")), ([0, 0, 45033], RetryLater("busy", 10_000))],
)
async def test_a_session_that_cannot_be_taken_over_is_not_written_to(server, sender, errors, outcome):
    server.states["wm/1"] = 2
    server.errors.extend(errors)
    assert outcome == await sender.send(delivery())
    assert {} == server.sent


async def test_a_take_over_that_lasts_ends_before_the_lease_does_and_is_tried_again(server, sender, monkeypatch):
    monkeypatch.setattr(wecom, "TAKEOVER_S", 0.05)
    server.states["wm/1"] = 2
    server.answers_states.clear()
    try:
        outcome = await sender.send(delivery())
    finally:
        server.answers_states.set()
    assert RetryLater("takeover") == outcome
    monkeypatch.undo()
    assert isinstance(await sender.send(delivery(attempt=2)), Sent)


async def test_refused_token_is_replaced(server, sender):
    await sender.send(delivery())
    server.tokens = 50
    assert isinstance(await sender.send(delivery(id="d2")), Sent)
    assert 51 == server.tokens


async def test_text_beyond_two_kilobytes_is_not_sent(sender):
    assert Dead("text_size") == await sender.send(delivery("a" * 2_049))
