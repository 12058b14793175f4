"""What hostile or broken callers send to the gateway, row by row: refused with one answer, or set aside, and counted.

Media that lies about its type and a forged visitor are in the tests of their own surfaces.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import CustomerMessage, Delivery, Envelope, Part
from gateway.channels.wecom import WeCom
from tests.gateway.channels.test_tencent import WECOM
from tests.gateway.dingtalk_server import DingTalkServer, dingtalk_account, said, signed
from tests.gateway.fakes import FakeIngress, HeldClock
from tests.gateway.platform import T5_NOW_S, Platform, Post, text
from tests.gateway.rig import NO_SERVICE, account, running
from tests.gateway.wecom_server import wecom_account

T12 = next(vector for vector in WECOM["callbacks"] if vector["name"] == "T12")
WECHAT, PLAIN, ROBOT, KF = "shop", "plain", "robot", "kf"
BODY_BYTES_MAX = 65_536
BOMB = b'{"a":' + b"[" * 50_000
ENTITY = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>'


@dataclass(frozen=True)
class Row:
    """Posts to one account, and what the last of them is: refused with a status for a counted reason, or set aside."""

    account: str
    posts: Sequence[Post]
    status: int
    reason: str  # of `callback.refused`; or the code of the row that is dead, where the status is 200


def t12() -> Post:
    query = {name: T12[name] for name in ("timestamp", "nonce", "msg_signature")}
    body = json.dumps({"Encrypt": T12["encrypt"]}) if T12["format"] == "json" else xml(T12["encrypt"])
    return Post(query, body.encode())


def xml(encrypt: str) -> str:
    return f"<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"


def with_last_byte(change: int) -> Post:
    """Signed by who knows the token, with the last byte of the ciphertext changed: what a padding oracle would ask."""
    platform = Platform()
    sealed = platform.post(text(1)).body.split(b"<Encrypt><![CDATA[")[1].split(b"]]>")[0]
    data = bytearray(base64.b64decode(sealed))
    data[-1] ^= change
    return platform.signed(base64.b64encode(data).decode())


def of_robot(**changes: object) -> bytes:
    return json.dumps(said(1, **changes)).encode()


SEALED = Platform().post(text(1))
PLAIN_POST = Platform().plain(text(1))
ROWS = {
    "bad signature, WeChat": Row(WECHAT, [Post(SEALED.query | {"nonce": "another"}, SEALED.body)], 401, "signature"),
    "bad signature, DingTalk": Row(ROBOT, [signed(of_robot(), secret="another")], 401, "signature"),
    "no signature": Row(WECHAT, [Post({}, text(1))], 401, "unsigned"),
    "stale time, WeChat": Row(WECHAT, [Platform(now_s=T5_NOW_S - 90_000).post(text(1))], 401, "timestamp"),
    "stale time, DingTalk": Row(ROBOT, [signed(of_robot(), now_s=T5_NOW_S - 3_700)], 401, "timestamp"),
    "signature of one body with another": Row(PLAIN, [PLAIN_POST, Post(PLAIN_POST.query, text(2))], 401, "replay"),
    "signature with too many bodies": Row(ROBOT, [signed(of_robot(msgId=f"m{n}")) for n in range(21)], 401, "replay"),
    "receiver of another account": Row(WECHAT, [Platform(app_id="wx0000000000000000").post(text(1))], 401, "encrypt"),
    "robot of another": Row(ROBOT, [signed(of_robot(robotCode="another"))], 401, "receiver"),
    "XML with entities": Row(WECHAT, [Post(SEALED.query, ENTITY)], 401, "body"),
    "XML with entities, sealed": Row(WECHAT, [Platform().post(ENTITY)], 200, "malformed"),
    "padding, not valid": Row(WECHAT, [with_last_byte(0x55)], 401, "encrypt"),
    "padding, perhaps valid": Row(WECHAT, [with_last_byte(0x01)], 401, "encrypt"),
    "T12, signed and sealed and broken": Row(KF, [t12()], 200, "malformed"),
    "JSON bomb": Row(WECHAT, [Post(SEALED.query, BOMB)], 401, "body"),
    "JSON bomb, sealed": Row(WECHAT, [Platform().post(BOMB[:20_000])], 200, "malformed"),
    "JSON bomb, DingTalk": Row(ROBOT, [signed(BOMB)], 200, "malformed"),
    "ten megabytes": Row(WECHAT, [Post(SEALED.query, b" " * 10_000_000)], 413, "size"),
}  # fmt: skip


def accounts(dingtalk: str = "http://127.0.0.1:1"):
    secrets = {name: (lambda value=T12[name]: value) for name in ("token", "aes_key")}
    return (
        account(),
        account(account=PLAIN, aes_key=None, plain=True),
        dingtalk_account(dingtalk, mode="http", webhook_origins=[dingtalk]),
        wecom_account(corp_id=T12["corp_id"], **secrets),
    )


def settings(row: Row) -> dict[str, object]:
    """T12 is of another year than T5."""
    now_s = int(T12["timestamp"]) if row.account == KF else T5_NOW_S
    return {"accounts": accounts(), "clock": HeldClock(now_s), "body_bytes_max": BODY_BYTES_MAX}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_bad_input_is_refused_or_set_aside_and_counted(tmp_path, row):
    async with running(tmp_path, NO_SERVICE, **settings(row)) as rig:
        *before, answer = [await rig.post(post, row.account) for post in row.posts]
        dead = rig.rows("state, code")[len(before) :]
        counts = rig.gateway.counts.all()

    assert {200} >= {one.status_code for one in before}
    assert row.status == answer.status_code
    if row.status == 200:
        assert ([("dead", row.reason)], 1) == (dead, counts["callback.dead"])
    else:
        code = {401: "unauthenticated", 413: "size"}[row.status]
        assert ([], 1, code) == (dead, counts[f"callback.refused.{row.reason}"], answer.json()["code"])


async def test_every_refusal_of_a_sealed_body_is_the_same_to_its_sender(tmp_path):
    row = ROWS["padding, not valid"]
    async with running(tmp_path, NO_SERVICE, **settings(row)) as rig:
        answers = [await rig.post(with_last_byte(change)) for change in range(1, 256)]
    assert {(401, answers[0].content, answers[0].headers["content-length"])} == {
        (one.status_code, one.content, one.headers["content-length"]) for one in answers
    }


async def test_what_was_set_aside_is_forwarded_once_the_reading_is_mended(tmp_path, monkeypatch):
    def mended(self, content):
        given = {"idempotency_key": "mended", "channel": "wecom", "account": self.account, "conversation": "c"}
        return Envelope(**given, customer=CustomerMessage(sender="c", parts=[Part(text=content.decode())]))

    ingress, row = FakeIngress(), ROWS["T12, signed and sealed and broken"]
    async with ingress.serving() as port, running(tmp_path, port, **settings(row)) as rig:
        assert 200 == (await rig.post(row.posts[0], row.account)).status_code
        for _ in range(2):
            (dead,) = await rig.gateway.inbox.dead(limit=10)
            assert [] == await rig.gateway.inbox.replay([dead.id])
            rig.gateway.forwarder.wake()
            await rig.forwarded()
            monkeypatch.setattr(WeCom, "envelope", mended)

        assert [("forwarded",)] == rig.rows("state")
    assert ["mended"] == list(ingress.taken)


async def test_session_webhook_of_an_internal_address_is_never_called(tmp_path):
    """The message is taken; an answer goes to the robot's interface instead."""
    internal, dingtalk = DingTalkServer(), DingTalkServer()
    async with internal.serving() as inside, dingtalk.serving() as api:
        given = {"sessionWebhook": f"{inside}/robot/sendBySession?session=s", "sessionWebhookExpiredTime": 10**14}
        async with running(tmp_path, NO_SERVICE, accounts=accounts(api), clock=HeldClock(T5_NOW_S)) as rig:
            assert 200 == (await rig.post(signed(of_robot(**given)), ROBOT)).status_code
            await rig.gateway.senders[ROBOT].send(
                Delivery(id="d", account=ROBOT, conversation="cid1==", part=Part(text="hello"))
            )
    assert (0, 1) == (len(internal.sends), len(dingtalk.sends))
