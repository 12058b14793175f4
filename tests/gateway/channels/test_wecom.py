import json
from pathlib import Path

import pytest

from crdt_sync.errors import Malformed
from gateway.channels import wxbizmsgcrypt
from gateway.channels.base import Hint, Request, Unverified
from gateway.channels.tencent import Seal
from gateway.channels.wecom import WeCom, peer
from tests.gateway.platform import json_body, xml_body
from tests.gateway.wecom_server import message

VECTORS = json.loads((Path(__file__).parents[3] / "proto" / "vectors" / "wecom.json").read_text())
T8 = VECTORS["handshakes"][0]


def channel(vector=T8) -> WeCom:
    key = wxbizmsgcrypt.aes_key(vector["aes_key"])
    return WeCom("kf", Seal(vector["token"], (key,), vector["corp_id"], 300))


def asked(vector, name) -> dict[str, str]:
    return {each: vector[each] for each in ("timestamp", "nonce", "msg_signature", name)}


@pytest.mark.parametrize("vector", VECTORS["handshakes"], ids=lambda vector: vector["name"])
def test_encrypted_echo_is_answered_in_plain(vector):
    now_ms = int(vector["timestamp"]) * 1000
    query = asked(vector, "echostr")
    assert vector["echo"].encode() == channel(vector).handshake(Request(query), now_ms=now_ms)

    for name, wrong in (
        ("echostr", "A" + vector["echostr"][1:]),
        ("echostr", ""),
        ("nonce", "1"),
        ("msg_signature", ""),
    ):
        with pytest.raises(Unverified):
            channel(vector).handshake(Request(query | {name: wrong}), now_ms=now_ms)


def received(name):
    vector = next(one for one in VECTORS["callbacks"] if one["name"] == name)
    body = (xml_body if vector["format"] == "xml" else json_body)(vector["encrypt"])
    request = Request({each: vector[each] for each in ("timestamp", "nonce", "msg_signature")}, body=body)
    return channel(vector).receive(request, now_ms=int(vector["timestamp"]) * 1000)


@pytest.mark.parametrize(("name", "sender"), [("T9", "mycreate"), ("T11", "ChenJiaShun")])
def test_recorded_callback_that_is_no_hint_is_kept_as_unknown(name, sender):
    (callback,) = received(name).callbacks
    assert (None, sender) == (callback.code, callback.conversation)

    envelope = channel().envelope(callback.content)
    assert (callback.keys[0], sender) == (envelope.idempotency_key, envelope.conversation)
    assert ("unknown", "text") == (envelope.WhichOneof("kind"), envelope.unknown.type)
    assert sender not in envelope.unknown.raw


def test_signed_callback_whose_json_is_broken_is_set_aside():
    (callback,) = received("T12").callbacks
    assert "malformed" == callback.code
    assert b": :mycreate" in callback.content


def test_hint_names_its_customer_service_and_its_token():
    content = "<xml><Event>kf_msg_or_event</Event><Token>t</Token><OpenKfId>kf1</OpenKfId></xml>"
    key = wxbizmsgcrypt.aes_key(T8["aes_key"])
    encrypt = wxbizmsgcrypt.encrypt(key, content.encode(), T8["corp_id"], random=bytes(16))
    signature = wxbizmsgcrypt.sign(T8["token"], "1", "2", encrypt)
    request = Request({"timestamp": "1", "nonce": "2", "msg_signature": signature}, body=xml_body(encrypt))
    told = channel().receive(request, now_ms=0)
    assert (Hint("kf1", "t"), (), b"success") == (told.hint, told.callbacks, told.answer)


def envelope(**changes):
    callback = channel().pulled("kf1", message(1, **changes))
    assert callback.code is None
    written = channel().envelope(callback.content)
    assert (callback.keys[0], callback.conversation) == (written.idempotency_key, written.conversation)
    return written


def test_customers_text_has_its_words_its_sender_and_its_conversation():
    written = envelope()
    assert ("m1", "kf1/wm-1", "wm-1") == (written.idempotency_key, written.conversation, written.customer.sender)
    assert ["text 1"] == [part.text for part in written.customer.parts]
    assert ("kf1", "wm-1") == peer(written.conversation)


def test_names_with_a_slash_do_not_change_places():
    written = envelope(open_kfid="a/b", external_userid="c/d")
    assert ("a/b", "c/d") == peer(written.conversation)


def test_answer_of_an_agent_in_wecom_itself_is_an_agents():
    assert "zhangsan" == envelope(origin=5, servicer_userid="zhangsan").agent.sender


@pytest.mark.parametrize("kind", ["image", "voice", "video", "file"])
def test_media_are_named_by_their_id(kind):
    (part,) = envelope(msgtype=kind, **{kind: {"media_id": "M"}}).customer.parts
    assert (kind, "M") == (part.media.type, part.media.platform_id)


def test_location_and_link_have_their_parts():
    place = {"latitude": 23.1, "longitude": 113.5, "name": "n", "address": "a"}
    (part,) = envelope(msgtype="location", location=place).customer.parts
    assert (23.1, 113.5, "n\na") == (part.location.latitude, part.location.longitude, part.location.label)

    (part,) = envelope(msgtype="link", link={"title": "t", "url": "http://u"}).customer.parts
    assert "t\nhttp://u" == part.text


def event(name, **fields):
    content = {"event_type": name, "open_kfid": "kf1", "external_userid": "wm-1"} | fields
    return envelope(origin=4, msgtype="event", event=content, external_userid=None)


@pytest.mark.parametrize(
    ("change", "expected"),
    [(1, "session_human"), (3, "session_ended"), (9, "session_status_change"), ("3", "session_status_change")],
)
def test_a_change_of_the_session_is_named_by_what_it_means(change, expected):
    assert expected == event("session_status_change", change_type=change).system.event


def test_event_is_a_system_notice_in_the_customers_conversation():
    written = event("enter_session")
    assert ("enter_session", "kf1/wm-1") == (written.system.event, written.conversation)


def test_failed_send_is_a_delivery_notice():
    written = event("msg_send_fail", fail_msgid="m9", fail_type=4)
    assert ("m9", "failed") == (written.delivery.message, written.delivery.state)
    assert "msg_send_fail" == event("msg_send_fail").system.event


@pytest.mark.parametrize(
    "changes",
    [
        {"msgtype": "hologram"},
        {"text": {}},
        {"text": "no object"},
        {"msgtype": "image", "image": {}},
        {"msgtype": "location", "location": {"latitude": 1}},
        {"msgtype": "location", "location": {"latitude": 1, "longitude": 1e9}},
        {"msgtype": "event", "event": {}},
        {"origin": 99},
    ],
)
def test_what_has_no_type_of_its_own_is_kept_as_unknown_without_the_customers_id(changes):
    written = envelope(**changes)
    assert "unknown" == written.WhichOneof("kind")
    assert "wm-1" not in written.unknown.raw


@pytest.mark.parametrize(
    "element",
    [
        None,
        "text",
        {},
        message(1, msgid=None),
        message(1, msgid="with space"),
        message(1, open_kfid=""),
        message(1, msgtype=7),
        message(1, send_time="1"),
        message(1, send_time=-1),
        message(1, origin=None),
        message(1, text={"content": "\ud800"}, msgid=""),
    ],
)
def test_element_that_cannot_be_read_is_a_callback_with_a_code(element):
    first, again = (channel().pulled("kf1", element) for _ in range(2))
    assert "malformed" == first.code
    assert first == again
    with pytest.raises(Malformed):
        channel().envelope(first.content)
