import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.errors import Malformed
from gateway.channels.base import Unverified
from gateway.channels.dingtalk import DingTalk, sign
from tests.gateway.dingtalk_server import CORP, ROBOT, SECRET, said, signed
from tests.gateway.platform import T5_NOW_S, Post

VECTORS = json.loads((Path(__file__).parents[3] / "proto" / "vectors" / "dingtalk.json").read_text())
NOW_MS = T5_NOW_S * 1000


def channel(**changes) -> DingTalk:
    given = {"account": "robot", "secret": SECRET, "robot_code": ROBOT, "corp_id": CORP, "posts": True}
    return DingTalk(**(given | {"tolerance_s": 300} | changes))


def body(number=1, **changes) -> bytes:
    return json.dumps(said(number, **changes)).encode()


def refusal(post: Post, robot=None, now_ms=NOW_MS) -> str:
    with pytest.raises(Unverified) as caught:
        (robot or channel()).receive(post.request, now_ms=now_ms)
    return caught.value.reason


@pytest.mark.parametrize("vector", VECTORS["signatures"], ids=lambda vector: vector["name"])
def test_recorded_signature_is_ours_and_each_of_its_bytes_counts(vector):
    assert vector["sign"] == sign(vector["secret"], vector["timestamp"])

    now_ms = int(vector["timestamp"])
    robot = channel(secret=vector["secret"])
    headers = {name: vector[name] for name in ("timestamp", "sign")}
    assert robot.receive(Post({}, body(), headers).request, now_ms=now_ms).callbacks
    for name, value in headers.items():
        for place, character in enumerate(value):
            for other in {"0", "A"} - {character}:
                changed = headers | {name: value[:place] + other + value[place + 1 :]}
                assert "signature" == refusal(Post({}, body(), changed), robot, now_ms)


@pytest.mark.parametrize("vector", VECTORS["of_another_kind"], ids=lambda vector: vector["name"])
def test_signature_of_a_login_does_not_pass(vector):
    headers = {name: vector[name] for name in ("timestamp", "sign")}
    assert "signature" == refusal(Post({}, body(), headers), channel(secret=vector["secret"]), int(vector["timestamp"]))


@given(secret=st.text(max_size=20), timestamp=st.text(max_size=20))
def test_nothing_in_a_header_breaks_the_verification(secret, timestamp):
    headers = {"timestamp": timestamp, "sign": sign(secret, timestamp)}
    assert refusal(Post({}, body(), headers)) in {"signature", "timestamp"}


def test_signature_is_good_for_an_hour_at_most_whatever_the_tolerance():
    patient = channel(tolerance_s=86_400)
    assert patient.receive(signed(body()).request, now_ms=NOW_MS + 3_600_000).callbacks
    assert "timestamp" == refusal(signed(body()), patient, NOW_MS + 3_600_001)


def test_signature_is_good_for_twenty_bodies_and_their_repetitions():
    robot = channel()
    for number in range(20):
        assert robot.receive(signed(body(number)).request, now_ms=NOW_MS).callbacks
    assert "replay" == refusal(signed(body(20)), robot)
    assert robot.receive(signed(body(0)).request, now_ms=NOW_MS).callbacks
    assert robot.receive(signed(body(20), now_s=T5_NOW_S + 1).request, now_ms=NOW_MS).callbacks


@pytest.mark.parametrize("changes", [{"robotCode": "other"}, {"robotCode": None}, {"chatbotCorpId": "other"}])
def test_message_for_another_robot_or_corporation_is_refused(changes):
    assert "receiver" == refusal(signed(body(**changes)))


def test_corporation_is_not_looked_at_where_none_is_named():
    robot = channel(corp_id=None)
    assert robot.receive(signed(body(chatbotCorpId="any")).request, now_ms=NOW_MS).callbacks


def test_robot_of_the_stream_takes_nothing_over_http():
    assert "transport" == refusal(signed(body()), channel(posts=False))


def test_message_that_comes_again_under_another_id_shares_a_key_and_one_a_millisecond_later_does_not():
    first, again, later = (
        channel().callback(body(1, **changes))
        for changes in ({}, {"msgId": "fresh"}, {"msgId": "other", "createAt": NOW_MS + 1})
    )
    assert first.keys[0] != again.keys[0]
    assert first.keys[1] == again.keys[1]
    assert set() == set(first.keys) & set(later.keys)


def test_how_to_answer_is_kept_beside_the_conversation():
    webhook = {"sessionWebhook": "https://oapi.dingtalk.com/robot/sendBySession?session=s"}
    single = channel().callback(body(sessionWebhookExpiredTime=NOW_MS, **webhook))
    told = {"webhook": webhook["sessionWebhook"], "until_ms": NOW_MS, "user": "staff1", "group": ""}
    assert told == json.loads(single.reply_to)

    group = channel().callback(body(conversationType="2", senderStaffId=None, sessionWebhook=7))
    assert {"webhook": "", "until_ms": 0, "user": "", "group": "cid1=="} == json.loads(group.reply_to)


def envelope(**changes):
    return channel().envelope(body(**changes))


def test_text_has_its_words_and_its_author():
    written = envelope()
    assert ("msg1", "cid1==", "$:LWCP_v1:$one", "张三") == (
        written.idempotency_key,
        written.conversation,
        written.customer.sender,
        written.customer.display_name,
    )
    assert ["text 1"] == [part.text for part in written.customer.parts]


@pytest.mark.parametrize(
    ("kind", "part"), [("picture", "image"), ("audio", "voice"), ("video", "video"), ("file", "file")]
)
def test_media_are_named_by_their_download_code(kind, part):
    content = {"downloadCode": "code", "fileName": "name.pdf"}
    written = envelope(msgtype=kind, content=content).customer.parts[0]
    assert (part, "code", "name.pdf") == (written.media.type, written.media.platform_id, written.media.name)


def test_voice_carries_what_was_recognized():
    written = envelope(msgtype="audio", content={"downloadCode": "code", "recognition": "hello"})
    assert "hello" == written.customer.parts[1].text


def test_rich_text_keeps_the_order_of_its_pieces():
    pieces = [{"text": "a"}, {"type": "picture", "downloadCode": "code"}, {"text": "b"}, 7, {"text": "\n"}]
    parts = envelope(msgtype="richText", content={"richText": pieces}).customer.parts
    assert ["text", "media", "text"] == [part.WhichOneof("part") for part in parts]


@pytest.mark.parametrize(
    "changes",
    [
        {"msgtype": "hologram"},
        {"text": {"content": " "}},
        {"text": "no object"},
        {"msgtype": "picture", "content": {}},
        {"msgtype": "richText", "content": {"richText": {}}},
    ],
)
def test_what_has_no_type_of_its_own_is_kept_as_unknown_without_the_senders_id(changes):
    written = envelope(**changes)
    assert "unknown" == written.WhichOneof("kind")
    assert "LWCP" not in written.unknown.raw


@pytest.mark.parametrize(
    "changes",
    [{"msgId": None}, {"msgId": 7}, {"senderId": ""}, {"conversationId": "a b"}, {"createAt": "1"}, {"msgtype": None}],
)
def test_message_without_what_each_has_is_set_aside(changes):
    callback = channel().callback(body(**changes))
    assert "malformed" == callback.code
    with pytest.raises(Malformed):
        channel().envelope(callback.content)


def test_half_a_surrogate_pair_does_no_harm():
    assert ["?"] == [part.text for part in envelope(text={"content": "\ud800"}).customer.parts]


def test_secret_is_not_shown():
    assert SECRET not in repr(channel())
