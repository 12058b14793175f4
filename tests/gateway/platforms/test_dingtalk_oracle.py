"""DingTalk's own SDK on the simulated server: what it answers there, our stream answers too."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from dingtalk_stream.chatbot import ChatbotMessage
from dingtalk_stream.frames import CallbackMessage

from gateway.channels.dingtalk import DingTalk
from tests.gateway.dingtalk_server import (
    CORP,
    KEY,
    ROBOT,
    SECRET,
    TOPIC,
    DingTalkServer,
    call,
    dingtalk_account,
    frame,
    said,
)
from tests.gateway.fakes import FakeIngress, HeldClock
from tests.gateway.platform import T5_NOW_S
from tests.gateway.rig import running

SDK = Path(__file__).with_name("dingtalk_client.py")


@pytest.fixture
async def server():
    server = DingTalkServer()
    async with server.serving():
        yield server


async def answered_by_sdk(server, frames):
    """The SDK's answers, and the texts that it read. It blocks and never ends, so it is a process of its own."""
    arguments = (sys.executable, str(SDK), server.url, TOPIC, KEY, SECRET)
    client = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    try:
        stream = await server.stream()
        answers = [await server.push(each, stream) for each in frames]
    finally:
        client.kill()
        printed, _ = await client.communicate()
    return answers, [json.loads(line) for line in printed.splitlines()]


FRAMES = [call(1), call(2), frame('{"opaque":"1"}', number=3, kind="SYSTEM", topic="ping")]


async def test_our_stream_answers_each_frame_as_the_sdk_does(tmp_path, server):
    theirs, texts = await answered_by_sdk(server, FRAMES)
    assert ["text 1", "text 2"] == texts

    ingress = FakeIngress()
    given = {"accounts": (dingtalk_account(server.url),), "clock": HeldClock(T5_NOW_S)}
    async with ingress.serving() as port, running(tmp_path, port, **given) as rig:
        stream = await server.stream()
        ours = [await server.push(each, stream) for each in FRAMES]
        await rig.forwarded()

    assert texts == [one.customer.parts[0].text for one in ingress.taken.values()]
    for mine, yours in zip(ours, theirs, strict=True):
        assert yours["code"] == mine["code"]
        assert yours["headers"] == mine["headers"]
        assert yours.keys() == mine.keys()
        assert type(yours["data"]) is type(mine["data"])
    assert json.loads(theirs[2]["data"]) == json.loads(ours[2]["data"])

    of_sdk, of_ours = server.opened
    assert of_sdk.keys() == of_ours.keys()
    robot = next(one for one in of_sdk["subscriptions"] if one["topic"] == TOPIC)
    assert [robot] == of_ours["subscriptions"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "text 1"),
        ({"msgtype": "picture", "text": None, "content": {"downloadCode": "code"}}, None),
        ({"msgtype": "richText", "text": None, "content": {"richText": [{"text": "a"}, {"text": "b"}]}}, None),
    ],
)
def test_sdk_reads_the_same_out_of_a_message(changes, text):
    told = said(1, **changes)
    theirs = ChatbotMessage.from_dict(CallbackMessage.from_dict(frame(json.dumps(told))).data)
    channel = DingTalk("robot", SECRET, ROBOT, CORP, posts=False, tolerance_s=300)
    ours = channel.envelope(json.dumps(told).encode())

    assert (theirs.message_id, theirs.conversation_id, theirs.create_at) == (
        ours.idempotency_key,
        ours.conversation,
        ours.sent_at,
    )
    assert (theirs.sender_id, theirs.sender_nick) == (ours.customer.sender, ours.customer.display_name)
    match theirs.message_type:
        case "text":
            assert [theirs.text.content] == [part.text for part in ours.customer.parts]
        case "picture":
            assert [theirs.image_content.download_code] == [part.media.platform_id for part in ours.customer.parts]
        case "richText":
            assert theirs.get_text_list() == [part.text for part in ours.customer.parts]
