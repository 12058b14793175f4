"""The other platforms that ship as files pass the same suite; none of them is without it.

Each post is signed here as its platform's documentation says, by the standard library and not by the interpreter.
"""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from email.utils import format_datetime

from gateway.accounts import DescribedAccount
from gateway.specs.book import shipped_texts
from tests.gateway.channels import test_described_channels
from tests.gateway.channels.channel_contract import ChannelContract
from tests.gateway.dingtalk_server import ROBOT, said, signed
from tests.gateway.line import NOW_MS, SECRET
from tests.gateway.platform import T5_NOW_S, Post

NOW = datetime.fromtimestamp(T5_NOW_S, UTC)
KEY = base64.b64encode(SECRET.encode()).decode()


def described(channel: str, secrets: dict[str, str], **given) -> DescribedAccount:
    read = {name: lambda value=value: value for name, value in secrets.items()}
    return DescribedAccount(channel=channel, account="here", secrets=read, **given)


def without_each(post: Post) -> list[Post]:
    """The post without one of its headers, and with another beginning of one."""
    missing = [{other: post.headers[other] for other in post.headers if other != name} for name in post.headers]
    changed = [post.headers | {name: "0" + post.headers[name]} for name in post.headers]
    return [Post({}, post.body, headers) for headers in (*missing, *changed)]


class Told(ChannelContract):
    """A platform that is asked nothing, whose posts are a document and the headers that vouch for it."""

    def signed(self, body: bytes, **changes) -> Post:
        """A post with a body."""
        raise NotImplementedError

    def post(self, number: int, **changes) -> bytes:
        """The body of a text."""
        raise NotImplementedError

    def text(self, number, *, age_s=0):
        return self.signed(self.post(number), **({"age_s": age_s} if age_s else {}))

    def unreadable(self):
        return self.signed(b'{"id": :1}')

    def tampered(self):
        post = self.text(1)
        return [*without_each(post), Post({}, post.body.replace(b"text 1", b"text 2"), post.headers)]

    def handshake(self):
        return None


class TestTelegram(Told):
    """The secret stands in a header of its own: who has another is another bot."""

    signs_a_time = False

    def account(self):
        return described("telegram", {"webhook_secret": SECRET, "bot_token": "1:token"})

    def signed(self, body, *, secret=SECRET):
        return Post({}, body, {"x-telegram-bot-api-secret-token": secret})

    def post(self, number, **changes):
        person = {"id": 11, "first_name": "Ann"}
        message = {"message_id": number, "date": T5_NOW_S, "chat": {"id": 11}, "from": person, "text": f"text {number}"}
        return json.dumps({"update_id": 1000 + number, "message": message | changes}).encode()

    def for_another(self):
        return self.signed(self.post(1), secret="of another bot")

    def unknown(self):
        return self.signed(self.post(9, text=None, hologram={"file_id": "h"}))

    def tampered(self):
        return without_each(self.text(1))


class TestDouyin(Told):
    signs_a_time = False

    def account(self):
        return described("douyin", {"client_secret": SECRET}, fields={"client_key": "key", "open_id": "shop"})

    def signed(self, body):
        return Post({}, body, {"x-douyin-signature": hashlib.sha1(SECRET.encode() + body).hexdigest()})

    def post(self, number, *, key="key", **changes):
        content = {"conversation_short_id": "c1", "server_message_id": f"s{number}", "create_time": NOW_MS}
        content |= {"message_type": "text", "text": f"text {number}"} | changes
        told = {"event": "im_receive_msg", "client_key": key, "from_user_id": "ann", "to_user_id": "shop"}
        return json.dumps({**told, "content": json.dumps(content)}).encode()

    def for_another(self):
        return self.signed(self.post(1, key="other"))

    def unknown(self):
        return self.signed(self.post(9, message_type="hologram"))


class TestDingTalkHttp(Told):
    """The signature covers the time alone: within it a body may be another, so many times."""

    def account(self):
        return described(
            "dingtalk-http",
            {"client_secret": SECRET},
            fields={"client_id": "dingrobot", "robot_code": ROBOT},
        )

    def signed(self, body, *, age_s=0):
        return signed(body, now_s=T5_NOW_S - age_s, secret=SECRET)

    def post(self, number, **changes):
        return json.dumps(said(number, **changes)).encode()

    def for_another(self):
        return self.signed(self.post(1, robotCode="other"))

    def unknown(self):
        return self.signed(self.post(9, msgtype="hologram"))

    def tampered(self):
        return without_each(self.text(1))


class TestGenericHmac(Told):
    """Each system has a secret of its own: who signs with another is another."""

    signs_a_time = False

    def account(self):
        return described(
            "generic-hmac", {"signing_secret": SECRET, "token": "t"}, origins={"receiver": "https://crm.example"}
        )

    def signed(self, body, *, secret=SECRET):
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return Post({}, body, {"x-hub-signature-256": f"sha256={digest}"})

    def post(self, number, **changes):
        told = {"id": f"m{number}", "type": "message.created", "sent_at": NOW.isoformat(), "conversation": "c1"}
        return json.dumps({**told, "sender": "u1", "text": f"text {number}", **changes}).encode()

    def for_another(self):
        return self.signed(self.post(1), secret="of another system")

    def unknown(self):
        return self.signed(self.post(9, type="call.ended"))


class TestStandardWebhooks(Told):
    """As above; the signature covers the name and the time of the message, too."""

    def account(self):
        secrets = {"signing_secret": f"whsec_{KEY}", "token": "t"}
        return described("standard-webhooks", secrets, origins={"receiver": "https://crm.example"})

    def signed(self, body, *, age_s=0, secret=SECRET):
        stamp = str(T5_NOW_S - age_s)
        name = f"msg_{hashlib.sha256(body).hexdigest()[:8]}"
        digest = hmac.digest(secret.encode(), f"{name}.{stamp}.".encode() + body, hashlib.sha256)
        signature = f"v1,{base64.b64encode(digest).decode()}"
        return Post({}, body, {"webhook-id": name, "webhook-timestamp": stamp, "webhook-signature": signature})

    def post(self, number, **changes):
        data = {"conversation": "c1", "sender": "u1", "text": f"text {number}"}
        told = {"id": f"m{number}", "type": "message.created", "timestamp": NOW.isoformat(), "data": data}
        return json.dumps({**told, **changes}).encode()

    def for_another(self):
        return self.signed(self.post(1), secret="of another system")

    def unknown(self):
        return self.signed(self.post(9, type="call.ended"))


class TestEmail(Told):
    """The provider logs in: who has another login is another mailbox."""

    signs_a_time = False

    def account(self):
        secrets = {"login": "desk:password", "server_token": "t"}
        return described("email", secrets, fields={"address": "desk@shop.example"})

    def signed(self, body, *, login="desk:password"):
        return Post({}, body, {"authorization": f"Basic {base64.b64encode(login.encode()).decode()}"})

    def post(self, number, **changes):
        told = {"MessageID": f"mail{number}", "FromFull": {"Email": "ann@mail.example", "Name": "Ann"}}
        told |= {"Date": format_datetime(NOW), "TextBody": f"text {number}", "Headers": [], "Attachments": []}
        return json.dumps(told | changes).encode()

    def for_another(self):
        return self.signed(self.post(1), login="desk:of another mailbox")

    def unknown(self):
        return self.signed(self.post(9, TextBody="", HtmlBody="<p>hello</p>"))

    def tampered(self):
        return without_each(self.text(1))


def test_every_channel_that_ships_passes_the_suite():
    suites = [*vars(test_described_channels).values(), *globals().values()]
    classes = [one for one in suites if isinstance(one, type) and one.__name__.startswith("Test")]
    assert set(shipped_texts()) == {one().account().channel for one in classes}
