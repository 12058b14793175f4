"""The stream against a simulated DingTalk, over a real WebSocket, into a real inbox and on to a fake service."""

import json
import sqlite3
from contextlib import asynccontextmanager, closing

import pytest

from crdt_sync.errors import Malformed
from gateway.channels.dingtalk import DingTalk
from gateway.platforms.dingtalk import DingTalkApi
from gateway.platforms.dingtalk_stream import ROBOT_TOPIC
from tests.gateway.dingtalk_server import DingTalkServer, call, dingtalk_account, frame, said
from tests.gateway.fakes import FakeIngress, HeldClock
from tests.gateway.platform import T5_NOW_S
from tests.gateway.rig import NO_SERVICE, running


@asynccontextmanager
async def streaming(data, server, **changes):
    ingress = FakeIngress()
    async with ingress.serving() as port, server.serving() as url:
        given = {"accounts": (dingtalk_account(url),), "clock": HeldClock(T5_NOW_S)}
        async with running(data, port, **(given | changes)) as rig:
            rig.ingress = ingress
            yield rig


@pytest.fixture
def server():
    return DingTalkServer()


async def test_message_is_acknowledged_by_its_id_and_reaches_the_service(tmp_path, server):
    async with streaming(tmp_path, server) as rig:
        stream = await server.stream()
        ack = await server.push(call(1), stream)
        assert (200, "frame1", "application/json") == (
            ack["code"],
            ack["headers"]["messageId"],
            ack["headers"]["contentType"],
        )
        assert [("cid1==",)] == rig.rows("conversation")

        await rig.forwarded()
        assert ["text 1"] == [one.customer.parts[0].text for one in rig.ingress.taken.values()]
    (opened,) = server.opened
    assert [{"type": "CALLBACK", "topic": ROBOT_TOPIC}] == opened["subscriptions"]


async def test_message_that_comes_again_is_acknowledged_and_kept_once_under_whatever_id(tmp_path, server):
    async with streaming(tmp_path, server) as rig:
        stream = await server.stream()
        fresh_frame = frame(json.dumps(said(1)), number=2)
        fresh_id = frame(json.dumps(said(1, msgId="fresh")), number=3)
        for sent in (call(1), call(1), fresh_frame, fresh_id):
            assert 200 == (await server.push(sent, stream))["code"]
        assert [(3,)] == rig.rows("duplicates")


async def test_frames_without_an_id_are_not_taken_for_each_other(tmp_path, server):
    async with streaming(tmp_path, server) as rig:
        stream = await server.stream()
        for number in (1, 2):
            nameless = call(number, createAt=T5_NOW_S * 1000 + number)
            del nameless["headers"]["messageId"]
            assert 200 == (await server.push(nameless, stream))["code"]
        assert 2 == len(rig.rows("id"))


async def test_what_is_not_committed_is_not_acknowledged_as_taken(tmp_path, server):
    async with streaming(tmp_path, server) as rig:
        stream = await server.stream()
        with closing(sqlite3.connect(tmp_path / "inbox.db")) as other:
            other.execute("ALTER TABLE inbox_key RENAME TO away")
            assert 500 == (await server.push(call(1), stream))["code"]
            other.execute("ALTER TABLE away RENAME TO inbox_key")
        assert [] == rig.rows("id")
        assert 200 == (await server.push(call(1), stream))["code"]


async def test_message_for_another_robot_is_refused_and_an_unreadable_one_is_set_aside(tmp_path, server):
    async with streaming(tmp_path, server) as rig:
        stream = await server.stream()
        assert 400 == (await server.push(call(1, robotCode="other"), stream))["code"]
        assert 400 == (await server.push(frame({"no": "text"}), stream))["code"]
        assert [] == rig.rows("id")

        assert 200 == (await server.push(frame('{"msgId": :1}', number=2), stream))["code"]
        assert [("dead", "malformed")] == rig.rows("state, code")


async def test_ping_is_answered_with_what_it_brought_and_an_unknown_topic_with_404(tmp_path, server):
    async with streaming(tmp_path, server):
        stream = await server.stream()
        pong = await server.push(frame('{"opaque":"1"}', kind="SYSTEM", topic="ping"), stream)
        assert (200, '{"opaque":"1"}') == (pong["code"], pong["data"])
        assert 404 == (await server.push(frame("{}", topic="/v9/new"), stream))["code"]
        assert 404 == (await server.push(frame("{}", kind="EVENT"), stream))["code"]


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "[" * 100_000, "null"])
async def test_frame_that_is_none_ends_nothing(tmp_path, server, text):
    async with streaming(tmp_path, server, body_bytes_max=1_048_576):
        stream = await server.stream()
        await stream.send_text(text)
        assert 404 == (await server.acks.get())["code"]
        assert 200 == (await server.push(call(1), stream))["code"]


async def test_announced_end_is_followed_by_another_stream_at_once(tmp_path, server):
    async with streaming(tmp_path, server):
        stream = await server.stream()
        await stream.send_text(json.dumps(frame("{}", kind="SYSTEM", topic="disconnect")))
        assert 200 == (await server.push(call(1), await server.stream()))["code"]
        assert 2 == len(server.opened)


async def test_broken_stream_is_opened_again_after_a_while_and_a_failing_one_later_and_later(tmp_path, server):
    server.refuse_opening = 2
    async with streaming(tmp_path, server) as rig:
        for delay_s in (0.75, 1.5):  # the fixed jitter makes three quarters of one second, and of two
            await rig.clock.asleep(delay_s)
            rig.clock.advance(delay_s)
        stream = await server.stream()
        assert 200 == (await server.push(call(1), stream))["code"]

        await stream.close()
        await rig.clock.asleep(0.75)
        rig.clock.advance(0.75)
        assert 200 == (await server.push(call(2), await server.stream()))["code"]
        assert (2, 1) == (
            rig.gateway.counts["stream.failed.server_error"],
            rig.gateway.counts["stream.failed.broken_off"],
        )


async def test_frame_beyond_the_limit_ends_the_stream_and_not_the_gateway(tmp_path, server):
    async with streaming(tmp_path, server, body_bytes_max=1_024) as rig:
        stream = await server.stream()
        await stream.send_text("a" * 2_000)
        await rig.clock.asleep(0.75)
        rig.clock.advance(1)
        assert 200 == (await server.push(call(1, senderNick=None), await server.stream()))["code"]


async def test_account_of_the_stream_takes_nothing_over_http_and_logs_no_secret(tmp_path, server, capsys):
    server.refuse_opening = 1
    async with streaming(tmp_path, server) as rig:
        assert 401 == (await rig.client.post("/channels/robot", content=b"{}")).status_code
        await rig.clock.asleep(0.75)
    written = "".join(capsys.readouterr())
    assert "stream ended" in written
    assert "this is secret" not in written


async def test_message_that_finds_a_bug_fails_alone(tmp_path, server, monkeypatch):
    def broken(self, content, *more_keys):
        raise ZeroDivisionError

    async with streaming(tmp_path, server) as rig:
        stream = await server.stream()
        with monkeypatch.context() as patch:
            patch.setattr(DingTalk, "callback", broken)
            assert 500 == (await server.push(call(1), stream))["code"]
        assert 200 == (await server.push(call(1), stream))["code"]
        assert 1 == rig.gateway.counts["callback.refused.bug"]


async def test_bug_in_opening_a_stream_is_tried_again(tmp_path, server, monkeypatch):
    async def broken(self, topic):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(DingTalkApi, "open_stream", broken)
        async with streaming(tmp_path, server) as rig:
            await rig.clock.asleep(0.75)
            assert 1 == rig.gateway.counts["stream.failed.bug"]
            patch.undo()
            rig.clock.advance(1)
            assert 200 == (await server.push(call(1), await server.stream()))["code"]


async def test_secret_that_is_gone_for_a_while_is_looked_for_again(tmp_path, server):
    secrets = ["this is secret", None, None]  # looked for at the start, for a token ahead, and for the stream

    def secret():
        value = secrets.pop(0) if secrets else "this is secret"
        if value is None:
            raise Malformed("not set", code="secret")
        return value

    async with server.serving() as url:
        given = {"accounts": (dingtalk_account(url, client_secret=secret),), "clock": HeldClock(T5_NOW_S)}
        async with running(tmp_path, NO_SERVICE, **given) as rig:
            await rig.clock.asleep(0.75)
            assert 1 == rig.gateway.counts["stream.failed.secret"]
            rig.clock.advance(1)
            assert 200 == (await server.push(call(1), await server.stream()))["code"]
