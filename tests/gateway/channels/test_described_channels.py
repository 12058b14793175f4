"""Platforms that are described by data pass the same suite as those that are code.

Each post is signed here as its platform's documentation says, by the standard library and not by the interpreter.
"""

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from crdt_sync.errors import Malformed
from gateway.accounts import DescribedAccount
from gateway.channels.base import Unverified
from gateway.specs.bodies import unread
from tests.gateway.channels.channel_contract import ChannelContract
from tests.gateway.line import NOW_MS, SECRET, line_account, line_event, line_post, line_signed
from tests.gateway.platform import T5_NOW_S, Post


class TestLine(ChannelContract):
    signs_a_time = False

    def account(self):
        return line_account()

    def text(self, number, *, age_s=0):
        return line_post(line_event(number))

    def for_another(self):
        return line_post(line_event(1), bot="Uother")

    def unreadable(self):
        return line_signed(b'{"events": :1}')

    def unknown(self):
        return line_post(line_event(9, "hologram"))

    def tampered(self):
        post = self.text(1)
        signature = post.headers["x-line-signature"]
        headers = ({}, {"x-line-signature": ""}, {"x-line-signature": "0" + signature[1:]})
        changed = post.body.replace(b"text 1", b"text 2")
        return [*(Post({}, post.body, one) for one in headers), Post({}, changed, post.headers)]

    def handshake(self):
        return None

    def test_events_of_one_post_are_callbacks_of_their_own_in_the_order_of_their_times(self, channel):
        events = [line_event(2, timestamp=NOW_MS + 1), line_event(1), line_event(3, mode="standby")]
        received = channel.receive(line_post(*events).request, now_ms=NOW_MS)
        assert [["event1", "1:1"], ["event2", "1:2"]] == [list(one.keys) for one in received.callbacks]
        assert 1 == received.ignored
        assert all(b"event3" not in one.content for one in received.callbacks)

    def test_what_was_unread_is_read_again_if_it_is_for_this_account(self, channel):
        (again,) = channel.read_again(unread({}, self.text(1).body))
        assert self.receive(channel, self.text(1)) == again
        for post in (self.for_another(), self.unreadable()):
            with pytest.raises(Malformed):
                channel.read_again(unread({}, post.body))

    def test_previous_secret_still_signs_while_a_new_one_is_there(self):
        from gateway.registry import channel_of

        rotated = line_account(previous_secrets={"channel_secret": lambda: "the one before"})
        channel = channel_of(rotated, 300)
        for secret in (SECRET, "the one before"):
            post = line_post(line_event(1), secret=secret)
            assert channel.receive(post.request, now_ms=NOW_MS).callbacks


class TestMattermost(ChannelContract):
    signs_a_time = False

    def account(self):
        return DescribedAccount(
            channel="mattermost",
            account="team",
            secrets={"webhook_token": lambda: SECRET, "bot_token": lambda: "token"},
            fields={"team_id": "t1", "bot_name": "desk"},
            origins={"server": "https://chat.example"},
        )

    def post(self, number, **changes):
        said = {
            "token": SECRET,
            "team_id": "t1",
            "channel_id": "c1",
            "user_id": "u1",
            "user_name": "somebody",
            "post_id": f"p{number}",
            "text": f"text {number}",
            "timestamp": NOW_MS,
        }
        return Post({}, json.dumps(said | changes).encode())

    def text(self, number, *, age_s=0):
        return self.post(number)

    def for_another(self):
        return self.post(1, team_id="t2")

    def unreadable(self):
        return self.post(1, post_id=None)

    def unknown(self):
        return self.post(9, text="")

    def tampered(self):
        return [self.post(1, token=token) for token in ("", None, SECRET[:-1], SECRET + "x")]

    def handshake(self):
        return None

    def test_token_that_vouches_for_a_post_is_not_kept(self, channel):
        (callback,) = channel.receive(self.text(1).request, now_ms=NOW_MS).callbacks
        assert SECRET not in callback.content.decode()


class TestSlack(ChannelContract):
    def account(self):
        secrets = {"signing_secret": lambda: SECRET, "bot_token": lambda: "token"}
        return DescribedAccount(channel="slack", account="workspace", secrets=secrets, fields={"app_id": "A1"})

    def signed(self, body: bytes, *, age_s=0):
        stamp = str(T5_NOW_S - age_s)
        digest = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        return Post({}, body, {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"})

    def event(self, number, *, age_s=0, app="A1", **changes):
        event = {"type": "message", "channel": "C1", "user": "U1", "ts": f"{T5_NOW_S}.000000"}
        event |= {"text": f"text {number}", "client_msg_id": str(number)} | changes
        told = {"type": "event_callback", "api_app_id": app, "event_id": f"Ev{number}", "event": event}
        return self.signed(json.dumps(told).encode(), age_s=age_s)

    def text(self, number, *, age_s=0):
        return self.event(number, age_s=age_s, ts=f"{T5_NOW_S}.000{number:03}")

    def for_another(self):
        return self.event(1, app="A2")

    def unreadable(self):
        return self.signed(b'{"event": :1}')

    def unknown(self):
        return self.event(9, type="hologram")

    def tampered(self):
        post = self.text(1)
        changed = [post.headers | {name: value[:-1] + "0x"} for name, value in post.headers.items()]
        missing = [{other: post.headers[other] for other in post.headers if other != name} for name in post.headers]
        body = post.body.replace(b"text 1", b"text 2")
        return [*(Post({}, post.body, headers) for headers in (*changed, *missing)), Post({}, body, post.headers)]

    def handshake(self):
        return None


class TestWhatsApp(ChannelContract):
    signs_a_time = False

    def account(self):
        names = ("app_secret", "verify_token", "access_token")
        secrets = {name: lambda name=name: SECRET if name == "app_secret" else name for name in names}
        return DescribedAccount(channel="whatsapp", account="phone", secrets=secrets, fields={"phone_number_id": "123"})

    def signed(self, body: bytes):
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return Post({}, body, {"x-hub-signature-256": f"sha256={digest}"})

    def batch(self, *messages, number="123", statuses=()):
        value = {"metadata": {"phone_number_id": number}, "messages": messages, "statuses": statuses}
        change = {"field": "messages", "value": value}
        told = {"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": [change]}]}
        return self.signed(json.dumps(told).encode())

    def message(self, number, **changes):
        said = {"from": "4912345", "id": f"wamid.{number}", "timestamp": str(T5_NOW_S), "type": "text"}
        return said | {"text": {"body": f"text {number}"}} | changes

    def text(self, number, *, age_s=0):
        return self.batch(self.message(number))

    def for_another(self):
        return self.batch(self.message(1), number="999")

    def unreadable(self):
        return self.signed(b'{"entry": :1}')

    def unknown(self):
        return self.batch(self.message(9, type="hologram"))

    def tampered(self):
        post = self.text(1)
        signature = post.headers["x-hub-signature-256"]
        headers = ({}, {"x-hub-signature-256": signature[7:]}, {"x-hub-signature-256": signature[:-1]})
        changed = post.body.replace(b"text 1", b"text 2")
        return [*(Post({}, post.body, one) for one in headers), Post({}, changed, post.headers)]

    def handshake(self):
        return None

    def test_every_message_and_status_of_a_batch_is_a_callback_of_its_own(self, channel):
        statuses = [{"id": "w", "status": one, "timestamp": "1", "recipient_id": "4912345"} for one in ("sent", "read")]
        post = self.batch(*(self.message(number) for number in (1, 2, 3)), statuses=statuses)
        received = channel.receive(post.request, now_ms=NOW_MS)
        keys = ["w:read", "wamid.1:text", "wamid.2:text", "wamid.3:text"]
        assert keys == sorted(callback.keys[0] for callback in received.callbacks)
        assert 1 == received.ignored
        kinds = {channel.envelope(callback.content).WhichOneof("kind") for callback in received.callbacks}
        assert {"customer", "delivery"} == kinds

    def test_batch_that_names_us_too_is_set_aside_if_it_is_of_another_form_and_never_refused(self, channel):
        told = json.loads(self.text(1).body)
        told["entry"] += json.loads(self.for_another().body)["entry"]
        for object_, code in (("whatsapp_business_account", None), ("of tomorrow", "malformed")):
            post = self.signed(json.dumps({**told, "object": object_}).encode())
            (callback,) = channel.receive(post.request, now_ms=NOW_MS).callbacks
            assert code == callback.code

    def test_address_is_checked_by_its_own_token(self, channel):
        asked = {"hub.mode": "subscribe", "hub.challenge": "42", "hub.verify_token": "verify_token"}
        assert b"42" == channel.handshake(Post(asked, b"").request, now_ms=NOW_MS)
        for wrong in ({"hub.verify_token": "other"}, {"hub.mode": "unsubscribe"}, {"hub.verify_token": ""}):
            with pytest.raises(Unverified):
                channel.handshake(Post(asked | wrong, b"").request, now_ms=NOW_MS)


class TestFeishu(ChannelContract):
    def account(self):
        names = ("encrypt_key", "verification_token", "app_secret")
        secrets = {name: lambda name=name: name for name in names}
        return DescribedAccount(channel="feishu", account="lark", secrets=secrets, fields={"app_id": "cli_1"})

    def sealed(self, plain: bytes, *, age_s=0):
        key, pad = hashlib.sha256(b"encrypt_key").digest(), 16 - len(plain) % 16
        encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
        sealed = bytes(16) + encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
        body = json.dumps({"encrypt": base64.b64encode(sealed).decode()}).encode()
        stamp = {"x-lark-request-timestamp": str(T5_NOW_S - age_s), "x-lark-request-nonce": "n"}
        signature = hashlib.sha256("".join(stamp.values()).encode() + b"encrypt_key" + body).hexdigest()
        return Post({}, body, {**stamp, "x-lark-signature": signature})

    def event(self, number, *, age_s=0, app="cli_1", kind="text"):
        said = {"message_id": f"om_{number}", "chat_id": "oc_1", "message_type": kind, "create_time": str(NOW_MS)}
        said["content"] = json.dumps({"text": f"text {number}"})
        sender = {"sender_id": {"open_id": "ou_1"}, "sender_type": "user"}
        header = {"event_id": f"ev_{number}", "token": "verification_token", "app_id": app}
        told = {"schema": "2.0", "header": header, "event": {"sender": sender, "message": said}}
        return self.sealed(json.dumps(told).encode(), age_s=age_s)

    def text(self, number, *, age_s=0):
        return self.event(number, age_s=age_s)

    def for_another(self):
        return self.event(1, app="cli_2")

    def unreadable(self):
        return self.sealed(b'{"event": :1}')

    def unknown(self):
        return self.event(9, kind="hologram")

    def tampered(self):
        post = self.text(1)
        missing = [{other: post.headers[other] for other in post.headers if other != name} for name in post.headers]
        return [*(Post({}, post.body, headers) for headers in missing), Post({}, post.body + b" ", post.headers)]

    def handshake(self):
        return None

    def test_check_of_the_address_is_answered_by_its_token_alone_and_nothing_else_is(self, channel):
        asked = {"type": "url_verification", "challenge": "c", "token": "verification_token"}
        post = self.sealed(json.dumps(asked).encode())
        answer = channel.receive(Post({}, post.body).request, now_ms=NOW_MS)
        assert (b'{"challenge":"c"}', ()) == (answer.answer, answer.callbacks)
        for wrong in (self.sealed(json.dumps(asked | {"token": "other"}).encode()), self.text(1)):
            with pytest.raises(Unverified):
                channel.receive(Post({}, wrong.body).request, now_ms=NOW_MS)

    def test_message_that_comes_again_under_another_id_is_known(self, channel):
        first = self.receive(channel, self.text(1))
        again = json.loads(channel_opened(self.text(1)))
        again["header"]["event_id"] = "ev_other"
        again["event"]["message"]["message_id"] = "om_other"
        other = self.receive(channel, self.sealed(json.dumps(again).encode()))
        assert first.keys[0] != other.keys[0]
        assert set(first.keys) & set(other.keys)

    def test_token_that_comes_with_each_event_is_not_kept(self, channel):
        assert b"verification_token" not in self.receive(channel, self.text(1)).content


def channel_opened(post: Post) -> bytes:
    from gateway.specs.codecs import opened

    return opened("feishu", json.loads(post.body)["encrypt"], "encrypt_key")


@pytest.mark.parametrize("wrong", [{"secrets": {}}, {"fields": {}}, {"origins": {"other": "https://x.example"}}])
def test_account_that_lacks_what_its_spec_asks_for_is_refused(wrong):
    from gateway.registry import channel_of

    with pytest.raises(Malformed, match="disagree"):
        channel_of(line_account(**wrong), 300)
