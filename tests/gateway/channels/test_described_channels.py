"""Platforms that are described by data pass the same suite as those that are code.

Each post is signed here as its platform's documentation says, by the standard library and not by the interpreter.
"""

import base64
import hashlib
import hmac
import json

import pytest

from gateway.accounts import DescribedAccount
from tests.gateway.channels.channel_contract import ChannelContract
from tests.gateway.platform import T5_NOW_S, Post

SECRET = "a secret of the account"
NOW_MS = T5_NOW_S * 1000


def line_account(**changes) -> DescribedAccount:
    secrets = {"channel_secret": lambda: SECRET, "channel_token": lambda: "token"}
    given = {"channel": "line", "account": "friends", "secrets": secrets, "fields": {"bot_id": "Ubot"}}
    return DescribedAccount(**(given | changes))


def line_event(number: int, kind: str = "message", **changes) -> dict:
    event = {
        "type": kind,
        "message": {"type": "text", "id": str(number), "text": f"text {number}"},
        "timestamp": NOW_MS,
        "source": {"type": "user", "userId": "Ucustomer"},
        "webhookEventId": f"event{number}",
        "mode": "active",
    }
    return event | changes


def line_post(*events: dict, bot: str = "Ubot", secret: str = SECRET) -> Post:
    return line_signed(json.dumps({"destination": bot, "events": events}).encode(), secret)


def line_signed(body: bytes, secret: str = SECRET) -> Post:
    digest = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
    return Post({}, body, {"x-line-signature": digest})


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


@pytest.mark.parametrize("wrong", [{"secrets": {}}, {"fields": {}}, {"origins": {"other": "https://x.example"}}])
def test_account_that_lacks_what_its_spec_asks_for_is_refused(wrong):
    from crdt_sync.errors import Malformed
    from gateway.registry import channel_of

    with pytest.raises(Malformed, match="disagree"):
        channel_of(line_account(**wrong), 300)
