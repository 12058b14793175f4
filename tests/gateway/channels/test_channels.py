"""Every channel passes the one suite."""

import json

import pytest

from gateway.channels import web, wxbizmsgcrypt
from tests.gateway.channels.channel_contract import TOLERANCE_S, ChannelContract
from tests.gateway.dingtalk_server import dingtalk_account, said, signed
from tests.gateway.platform import T5, T5_NOW_S, Platform, Post, notice, text
from tests.gateway.rig import account
from tests.gateway.visitor import PAGE, page, visitor_token, web_account
from tests.gateway.wecom_server import WeComServer, hint, message, sealed, wecom_account


class TestWeChatSafe(ChannelContract):
    @pytest.fixture(autouse=True)
    def fresh(self):
        self.sent = 0

    def account(self):
        return account()

    def post(self, content, *, age_s=0, **changes):
        self.sent += 1  # each delivery is sealed anew, as a retry is
        return Platform(now_s=T5_NOW_S - age_s, _sent=self.sent, **changes).post(content)

    def text(self, number, *, age_s=0):
        return self.post(text(number), age_s=age_s)

    def for_another(self):
        return self.post(text(1), app_id="wx0000000000000000")

    def unreadable(self):
        return self.post(b'{"FromUserName": :mycreate"}')

    def unknown(self):
        return self.post(notice(kind="hologram", MsgId="9"))

    def tampered(self):
        post = self.text(1)
        unsigned = {name: value for name, value in post.query.items() if name != "msg_signature"}
        place = post.body.rindex(b"CDATA[") + 30
        changed = post.body[:place] + bytes([post.body[place] ^ 1]) + post.body[place + 1 :]
        queries = [post.query | {name: "0" + post.query[name]} for name in ("nonce", "timestamp", "msg_signature")]
        return [Post(unsigned, post.body), Post(post.query, changed), *(Post(query, post.body) for query in queries)]

    def handshake(self):
        query = {"timestamp": str(T5_NOW_S), "nonce": "n"}
        signature = wxbizmsgcrypt.sign(T5["token"], *query.values())
        return Post(query | {"signature": signature, "echostr": "4375120948345356249"}, b""), b"4375120948345356249"


class TestWeChatCompatible(TestWeChatSafe):
    """The same ciphertext with the plain fields beside it, which anybody can change and nobody reads."""

    def post(self, content, *, age_s=0, **changes):
        sealed = super().post(content, age_s=age_s, **changes)
        plain = notice(sender="somebody-else", Content="forged", MsgId="666")
        return Post(sealed.query, plain.replace(b"</xml>", sealed.body.partition(b"</ToUserName>")[2]))


class TestWeChatPlain(TestWeChatSafe):
    def account(self):
        return account(aes_key=None, plain=True)

    def post(self, content, *, age_s=0, app_id=None):
        self.sent += 1
        token = "another token" if app_id else T5["token"]
        return Platform(token=token, now_s=T5_NOW_S - age_s, _sent=self.sent).plain(content)

    def tampered(self):
        post = self.text(1)
        unsigned = {name: value for name, value in post.query.items() if name != "signature"}
        queries = [post.query | {name: "0" + post.query[name]} for name in ("nonce", "timestamp", "signature")]
        return [Post(query, post.body) for query in (unsigned, *queries)]


class TestWeCom(ChannelContract):
    """What a hint leads to is what the simulated server lets be pulled."""

    @pytest.fixture(autouse=True)
    async def platform(self):
        self.server = WeComServer()
        self.sent = 0
        async with self.server.serving() as url:
            self.url = url
            yield

    def account(self):
        return wecom_account(self.url)

    def callbacks(self, channel, received):
        if received.hint is None:
            return received.callbacks
        return [channel.pulled("kf1", self.server.messages["kf1"][-1])]

    def text(self, number, *, age_s=0):
        self.sent += 1
        self.server.messages.setdefault("kf1", []).append(message(number))
        return hint(now_s=T5_NOW_S - age_s, nonce=f"n{self.sent}")

    def for_another(self):
        return hint(corp_id="wx0000000000000000")

    def unreadable(self):
        return sealed('{"FromUserName": :mycreate"}')

    def unknown(self):
        return sealed("<xml><FromUserName>mycreate</FromUserName><MsgType>hologram</MsgType></xml>")

    def tampered(self):
        post = self.text(1)
        unsigned = {name: value for name, value in post.query.items() if name != "msg_signature"}
        place = post.body.index(b"<Encrypt><![CDATA[") + 40
        changed = post.body[:place] + bytes([post.body[place] ^ 1]) + post.body[place + 1 :]
        queries = [post.query | {name: "0" + post.query[name]} for name in ("nonce", "timestamp", "msg_signature")]
        return [Post(unsigned, post.body), Post(post.query, changed), *(Post(query, post.body) for query in queries)]

    def handshake(self):
        body = sealed("1616140317555161061")
        encrypted = body.body.partition(b"<Encrypt><![CDATA[")[2].partition(b"]]>")[0].decode()
        return Post(body.query | {"echostr": encrypted}, b""), b"1616140317555161061"


class TestDingTalk(ChannelContract):
    def account(self):
        return dingtalk_account(mode="http")

    def text(self, number, *, age_s=0):
        return signed(json.dumps(said(number)).encode(), now_s=T5_NOW_S - age_s)

    def for_another(self):
        return signed(json.dumps(said(1, robotCode="other")).encode())

    def unreadable(self):
        return signed(b'{"msgId": :1}')

    def unknown(self):
        return signed(json.dumps(said(9, msgtype="hologram")).encode())

    def tampered(self):
        post = self.text(1)
        changed = [post.headers | {name: "0" + post.headers[name]} for name in post.headers]
        missing = [{other: post.headers[other] for other in post.headers if other != name} for name in post.headers]
        return [Post({}, post.body, headers) for headers in (*changed, *missing, {})]

    def handshake(self):
        return None


class TestWeb(ChannelContract):
    """A frame on a visitor's socket, with what the socket showed: its page, and the token of its hello."""

    body_bytes_max = web.FRAME_BYTES_MAX

    def account(self):
        return web_account()

    def frame(self, body, *, age_s=0, **changes):
        """A token is over when its life is: that is how what was signed long ago is known here."""
        issued_s = T5_NOW_S - age_s - (web.TOKEN_MS // 1000 - TOLERANCE_S if age_s > 0 else 0)
        token = visitor_token(issued_s, **changes)
        return Post({}, body, {"origin": PAGE, "authorization": f"Bearer {token}"})

    def text(self, number, *, age_s=0):
        frame = {"t": "msg", "cid": f"number-{number}", "text": f"text {number}"}
        return self.frame(json.dumps(frame).encode(), age_s=age_s)

    def for_another(self):
        return self.frame(self.text(1).body, account="another-site")

    def unreadable(self):
        return self.frame(b'{"t": :msg}')

    def unknown(self):
        return self.frame(b'{"t": "hologram"}')

    def tampered(self):
        post = self.text(1)
        head, claims, signature = post.headers["authorization"].split(".")
        forged = "A" if claims[20] != "A" else "B"
        tokens = [f"{head}.{claims[:20]}{forged}{claims[21:]}.{signature}", f"{head}.{claims}.", f"{head}.{claims}"]
        tokens += [self.frame(b"", secret="another secret of sufficient length").headers["authorization"], ""]
        return [Post({}, post.body, post.headers | {"authorization": token}) for token in tokens]

    def handshake(self):
        return None

    async def test_unreadable_content_is_acknowledged_and_set_aside(self, rig):
        """Nobody would send it again: the page is our own."""
        assert [200, 200] == [(await self.deliver(rig, self.unreadable())).status_code for _ in range(2)]
        assert [] == rig.rows("id")

    async def deliver(self, rig, post):
        token = post.headers["authorization"].removeprefix("Bearer ")
        async with page(rig.url, origin=post.headers["origin"], token=token or "none") as visitor:
            return await visitor.delivered(post.body.decode())
