import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Envelope
from gateway.channels import wxbizmsgcrypt
from gateway.channels.base import Request, Unverified
from gateway.channels.tencent import Seal
from gateway.channels.wechat import WeChat
from tests.gateway.platform import T5, T5_NOW_S, VECTORS, Platform, Post, notice, recorded, xml_body

NOW_MS = T5_NOW_S * 1000
TOLERANCE_S = 300


def channel(vector=T5, *, plain=False) -> WeChat:
    key = wxbizmsgcrypt.aes_key(vector.get("aes_key", T5["aes_key"]))
    return WeChat("shop", Seal(vector["token"], (key,), vector.get("app_id", ""), TOLERANCE_S), plain=plain)


def received(post: Post, now_ms: int = NOW_MS, vector=T5):
    (callback,) = channel(vector).receive(post.request, now_ms=now_ms).callbacks
    return callback


def envelope(content: bytes) -> Envelope:
    return channel().envelope(content)


@pytest.mark.parametrize("vector", VECTORS["handshakes"], ids=lambda vector: vector["name"])
def test_handshake_echoes_what_is_signed(vector):
    query = {name: vector[name] for name in ("signature", "timestamp", "nonce", "echostr")}
    now_ms = int(vector["timestamp"]) * 1000
    assert vector["echostr"].encode() == channel(vector).handshake(Request(query), now_ms=now_ms)

    for name, wrong in (("nonce", "1"), ("signature", ""), ("echostr", "<script>"), ("echostr", "")):
        with pytest.raises(Unverified):
            channel(vector).handshake(Request(query | {name: wrong}), now_ms=now_ms)


@pytest.mark.parametrize("vector", VECTORS["callbacks"], ids=lambda vector: vector["name"])
def test_recorded_callback_is_received_whatever_its_plain_signature(vector):
    post = recorded(vector)
    callback = received(post, int(vector["timestamp"]) * 1000, vector)
    assert callback.code is None

    written = channel(vector).envelope(callback.content)
    assert (callback.keys[0], callback.conversation) == (written.idempotency_key, written.conversation)
    assert int(vector["fields"]["CreateTime"]) * 1000 == written.sent_at


def test_recorded_text_has_its_keys_and_its_words():
    callback = received(recorded(T5))
    assert ("oyORnuP8q7ou2gfYjqLzSIWZf0rs:6054768590064713728",) == callback.keys
    assert "oyORnuP8q7ou2gfYjqLzSIWZf0rs" == callback.conversation

    written = envelope(callback.content)
    assert ("wechat", "shop", "customer") == (written.channel, written.account, written.WhichOneof("kind"))
    assert ["abcdteT"] == [part.text for part in written.customer.parts]


@given(data=st.data())
def test_any_changed_character_of_what_is_signed_is_refused(data):
    post = recorded(T5)
    given_parts = post.query | {"encrypt": T5["encrypt"]}
    name = data.draw(st.sampled_from(["encrypt", "encrypt", "msg_signature", "timestamp", "nonce"]))
    original = given_parts[name]
    place = data.draw(st.integers(0, len(original) - 1))
    alphabet = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="<>&]" + original[place])
    changed = given_parts | {name: original[:place] + data.draw(alphabet) + original[place + 1 :]}
    body = xml_body(changed.pop("encrypt"))

    with pytest.raises(Unverified):
        received(Post(changed, body))


@pytest.mark.parametrize("name", ["encrypt", "msg_signature"])
def test_each_character_of_ciphertext_and_signature_counts(name):
    original = T5[name]
    for place, character in enumerate(original):
        other = "0" if character != "0" else "1"
        vector = T5 | {name: original[:place] + other + original[place + 1 :]}
        with pytest.raises(Unverified):
            received(recorded(vector))


@pytest.mark.parametrize("missing", ["msg_signature", "timestamp", "nonce"])
def test_callback_without_a_signed_parameter_is_refused(missing):
    post = recorded(T5)
    with pytest.raises(Unverified):
        received(Post({name: value for name, value in post.query.items() if name != missing}, post.body))


def test_plaintext_callback_with_a_true_plain_signature_is_refused():
    signature = wxbizmsgcrypt.sign(T5["token"], T5["timestamp"], T5["nonce"])
    query = {"signature": signature, "timestamp": T5["timestamp"], "nonce": T5["nonce"]}
    with pytest.raises(Unverified) as caught:
        received(Post(query, notice(Content="forged", MsgId="1")))
    assert "unsigned" == caught.value.reason


@pytest.mark.parametrize("body", [b"", b"<xml/>", b"{}", b"<!DOCTYPE xml><xml><Encrypt>a</Encrypt></xml>"])
def test_body_without_ciphertext_is_refused(body):
    with pytest.raises(Unverified) as caught:
        received(Post(recorded(T5).query, body))
    assert "body" == caught.value.reason


@pytest.mark.parametrize(("drift_s", "fresh"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_timestamp_must_lie_near_now(drift_s, fresh):
    post = recorded(T5)
    if fresh:
        assert received(post, NOW_MS + drift_s * 1000).code is None
        return
    with pytest.raises(Unverified) as caught:
        received(post, NOW_MS + drift_s * 1000)
    assert "timestamp" == caught.value.reason


def test_another_accounts_ciphertext_is_refused():
    with pytest.raises(Unverified):
        received(Platform(app_id="wx0000000000000000").post(notice()))


def keys(content: bytes) -> tuple[str, ...]:
    return received(Platform().post(content)).keys


def test_platform_event_has_sender_time_name_and_key():
    assert (f"openid-1:{T5_NOW_S}:CLICK:a%3Ab",) == keys(notice(kind="event", Event="CLICK", EventKey="a:b"))
    assert (f"openid-1:{T5_NOW_S}:subscribe:",) == keys(notice(kind="event", Event="subscribe"))


def test_two_different_platform_events_never_share_a_key():
    first = keys(notice(kind="event", Event="a", EventKey="b:c"))
    second = keys(notice(kind="event", Event="a:b", EventKey="c"))
    assert first != second


def test_key_that_would_be_long_is_hashed():
    (key,) = keys(notice(kind="event", Event="VIEW", EventKey="https://shop.example/" + "a" * 500))
    assert key.startswith("sha256:")
    assert 71 == len(key)


def test_notice_with_neither_id_nor_event_name_is_keyed_by_its_content():
    assert keys(notice(kind="future", A="1")) == keys(notice(kind="future", A="1"))
    assert keys(notice(kind="future", A="1")) != keys(notice(kind="future", A="2"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"FromUserName": :mycreate"}',
        b"<xml></xml>",
        notice(sender=""),
        notice(sender="with space"),
        notice(kind=""),
        notice(CreateTime="yesterday"),
        notice(CreateTime="9" * 12),
    ],
)
def test_unreadable_content_is_kept_as_dead_and_keyed_by_itself(content):
    first, again = received(Platform().post(content)), received(Platform().post(content))
    assert ("malformed", content) == (first.code, first.content)
    assert first.keys == again.keys

    with pytest.raises(Malformed):
        envelope(content)


def kinds(written: Envelope) -> list[str]:
    return [str(part.WhichOneof("part")) for part in written.customer.parts]


def test_image_carries_its_id_and_address():
    (part,) = envelope(notice(kind="image", MediaId="m", PicUrl="http://pic", MsgId="1")).customer.parts
    assert ("image", "m", "http://pic") == (part.media.type, part.media.platform_id, part.media.url)


def test_voice_carries_what_the_platform_heard():
    written = envelope(notice(kind="voice", MediaId="m", Recognition="hello", MsgId="1"))
    assert ["media", "text"] == kinds(written)
    assert ("voice", "hello") == (written.customer.parts[0].media.type, written.customer.parts[1].text)


@pytest.mark.parametrize("kind", ["video", "shortvideo"])
def test_video_of_either_length_is_a_video(kind):
    (part,) = envelope(notice(kind=kind, MediaId="m", MsgId="1")).customer.parts
    assert "video" == part.media.type


def test_location_has_both_numbers_and_its_label():
    fields = {"Location_X": "23.134", "Location_Y": "113.358", "Label": "here"}
    (part,) = envelope(notice(kind="location", MsgId="1", **fields)).customer.parts
    assert (23.134, 113.358, "here") == (part.location.latitude, part.location.longitude, part.location.label)


def test_link_becomes_text():
    (part,) = envelope(notice(kind="link", Title="t", Url="http://u", MsgId="1")).customer.parts
    assert "t\nhttp://u" == part.text


def test_subscription_is_a_system_notice():
    written = envelope(notice(kind="event", Event="subscribe", EventKey="qrscene_1"))
    assert ("subscribe", ["qrscene_1"]) == (written.system.event, [part.text for part in written.system.parts])


def test_reported_position_is_a_system_notice_with_a_location():
    written = envelope(notice(kind="event", Event="LOCATION", Latitude="1.5", Longitude="2.5"))
    assert [1.5] == [part.location.latitude for part in written.system.parts]


@pytest.mark.parametrize(
    "content",
    [
        notice(kind="hologram", MsgId="1"),
        notice(kind="text", MsgId="1"),
        notice(kind="image", MsgId="1"),
        notice(kind="location", Location_X="1", MsgId="1"),
        notice(kind="location", Location_X="nan", Location_Y="1", MsgId="1"),
        notice(kind="event"),
    ],
)
def test_what_has_no_type_of_its_own_is_kept_as_unknown_without_the_openid(content):
    written = envelope(content)
    assert "unknown" == written.WhichOneof("kind")
    assert "MsgType" in written.unknown.raw
    assert "openid-1" not in written.unknown.raw


def test_unknown_kind_is_capped():
    assert 16_384 == len(envelope(notice(kind="hologram", A="a" * 20_000)).unknown.raw)


@pytest.mark.parametrize("vector", VECTORS["plain"], ids=lambda vector: vector["name"])
def test_recorded_plaintext_is_taken_only_where_the_account_says_so(vector):
    post = Post({name: vector[name] for name in ("signature", "timestamp", "nonce")}, vector["body"].encode())
    now_ms = int(vector["timestamp"]) * 1000
    (callback,) = channel(vector, plain=True).receive(post.request, now_ms=now_ms).callbacks
    assert "debug_demo" == channel(vector).envelope(callback.content).system.event

    with pytest.raises(Unverified) as caught:
        channel(vector).receive(post.request, now_ms=now_ms)
    assert "unsigned" == caught.value.reason


def test_plain_signature_is_good_for_one_body():
    shop = channel(plain=True)
    post = Platform().plain(notice(Content="one", MsgId="1"))
    first, again = (shop.receive(post.request, now_ms=NOW_MS) for _ in range(2))
    assert first == again

    with pytest.raises(Unverified) as caught:
        shop.receive(Post(post.query, notice(Content="forged", MsgId="2")).request, now_ms=NOW_MS)
    assert "replay" == caught.value.reason


def test_plain_signature_stays_used_after_a_restart():
    post = Platform().plain(notice(Content="one", MsgId="1"))
    forged = Post(post.query, notice(Content="forged", MsgId="2"))
    (one,), (other,) = (channel(plain=True).receive(each.request, now_ms=NOW_MS).callbacks for each in (post, forged))
    assert 1 == len(set(one.keys) & set(other.keys))


def test_plain_time_is_held_to_minutes_whatever_the_tolerance():
    key = wxbizmsgcrypt.aes_key(T5["aes_key"])
    patient = WeChat("shop", Seal(T5["token"], (key,), T5["app_id"], 86_400), plain=True)
    with pytest.raises(Unverified) as caught:
        patient.receive(Platform().plain(notice(MsgId="1")).request, now_ms=NOW_MS + 301_000)
    assert "timestamp" == caught.value.reason


def test_plain_account_with_a_key_still_takes_sealed_callbacks_and_no_weaker_ones():
    shop = channel(plain=True)
    assert shop.receive(recorded(T5).request, now_ms=NOW_MS).callbacks[0].code is None

    post = recorded(T5)
    signature = wxbizmsgcrypt.sign(T5["token"], T5["timestamp"], T5["nonce"])
    with pytest.raises(Unverified):
        shop.receive(
            Post(post.query | {"signature": signature, "msg_signature": "0"}, post.body).request, now_ms=NOW_MS
        )


def test_secrets_are_not_shown():
    assert T5["token"] not in repr(channel())
