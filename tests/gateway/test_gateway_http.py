"""Callbacks over real HTTP, into real SQLite, and over real gRPC to a fake service."""

import asyncio
import json
import sqlite3
from collections import deque
from contextlib import closing

import grpc
import httpx
import pytest
from wechatpy.crypto import WeChatCrypto

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import INGEST_STATUS_REJECTED
from gateway.bootstrap import Gateway
from gateway.channels.base import Unverified
from gateway.http import problem
from tests.gateway.fakes import FakeIngress, FixedChance, SteppingClock
from tests.gateway.platform import T5, T5_NOW_S, VECTORS, Platform, Post, notice, recorded, text
from tests.gateway.rig import NO_SERVICE, TOKEN, account, free_port, http, rows, running, settings

REFUSED = {"type": "about:blank", "title": "Unauthorized", "status": 401, "code": "unauthenticated"}


async def test_recorded_callback_reaches_the_service(tmp_path):
    ingress = FakeIngress()
    async with ingress.serving() as port, running(tmp_path, port) as rig:
        answer = await rig.post(recorded(T5))
        assert (200, "success") == (answer.status_code, answer.text)

        await rig.forwarded()
        assert [("forwarded", "ticket")] == rig.rows("state, ticket")

    (envelope,) = ingress.taken.values()
    assert "oyORnuP8q7ou2gfYjqLzSIWZf0rs:6054768590064713728" == envelope.idempotency_key
    assert ("shop", "wechat", "oyORnuP8q7ou2gfYjqLzSIWZf0rs") == (
        envelope.account,
        envelope.channel,
        envelope.conversation,
    )
    assert ["abcdteT"] == [part.text for part in envelope.customer.parts]
    assert f"00-{'a5' * 16}-{'a5' * 8}-01" == envelope.traceparent
    assert f"Bearer {TOKEN}" == ingress.metadata[0]["authorization"]


async def test_callback_that_wechatpy_encrypted_reaches_the_service(tmp_path):
    crypto = WeChatCrypto(T5["token"], T5["aes_key"], T5["app_id"])
    body = crypto.encrypt_message(text(7).decode(), "nonce", str(T5_NOW_S))
    signature = body.partition("<MsgSignature><![CDATA[")[2].partition("]]>")[0]
    query = {"msg_signature": signature, "timestamp": str(T5_NOW_S), "nonce": "nonce", "encrypt_type": "aes"}
    ingress = FakeIngress()
    async with ingress.serving() as port, running(tmp_path, port) as rig:
        assert 200 == (await rig.post(Post(query, body.encode()))).status_code
        await rig.forwarded()

    assert ["openid-1:7"] == list(ingress.taken)


async def test_handshake_is_answered_in_plain_text(tmp_path):
    (vector,) = VECTORS["handshakes"]
    query = {name: vector[name] for name in ("signature", "timestamp", "nonce", "echostr")}
    changes = {"accounts": (account(token=lambda: vector["token"]),), "timestamp_tolerance_s": 10**9}
    async with running(tmp_path, NO_SERVICE, **changes) as rig:
        answer = await rig.client.get("/channels/shop", params=query)
        assert (200, vector["echostr"]) == (answer.status_code, answer.text)
        assert ("text/plain; charset=utf-8", "nosniff") == (
            answer.headers["content-type"],
            answer.headers["x-content-type-options"],
        )

        refused = await rig.client.get("/channels/shop", params=query | {"signature": "0" * 40})
        assert (401, REFUSED) == (refused.status_code, refused.json())


async def test_replayed_callback_is_one_envelope(tmp_path):
    ingress = FakeIngress()
    platform = Platform()
    async with ingress.serving() as port, running(tmp_path, port) as rig:
        for post in (platform.post(text(1)), platform.post(text(1))):
            assert 200 == (await rig.post(post)).status_code
            await rig.forwarded()

        assert [("forwarded", 1)] == rig.rows("state, duplicates")
    assert [["openid-1:1"]] == ingress.calls


async def test_text_that_comes_again_under_another_id_is_acknowledged_and_set_aside(tmp_path):
    def said(number, words="yes", second=0):
        return notice(Content=words, MsgId=str(number), CreateTime=str(T5_NOW_S + second))

    ingress = FakeIngress()
    async with ingress.serving() as port, running(tmp_path, port) as rig:
        for content in (said(1), said(2), said(3, "no"), said(4, second=1)):
            assert 200 == (await rig.post(Platform().post(content))).status_code
        await rig.forwarded()

        dead = ("dead", "suspected_duplicate")
        assert [("forwarded", None), dead, ("forwarded", None), ("forwarded", None)] == rig.rows("state, code")
    assert ["openid-1:1", "openid-1:3", "openid-1:4"] == list(ingress.taken)


async def test_twenty_at_once_are_one_row_and_one_envelope(tmp_path):
    ingress = FakeIngress()
    platform = Platform()
    async with ingress.serving() as port, running(tmp_path, port) as rig:
        answers = await asyncio.gather(*(rig.post(platform.post(text(1))) for _ in range(20)))
        assert {200} == {answer.status_code for answer in answers}

        await rig.forwarded()
        assert 1 == len(rig.rows("id"))
        assert (1, 19) == (rig.gateway.counts["callback.accepted"], rig.gateway.counts["callback.duplicate"])
    assert [["openid-1:1"]] == ingress.calls


async def test_tampered_callbacks_are_refused_alike_counted_apart_and_leave_no_row(tmp_path):
    post = recorded(T5)
    middle = post.body.index(b"hyzAe4")
    tampered = {
        "signature": Post(post.query, post.body[:middle] + b"H" + post.body[middle + 1 :]),
        "unsigned": Post({}, post.body),
        "body": Post(post.query, b"<xml>"),
        "timestamp": Platform(now_s=T5_NOW_S - 90_000).post(text(1)),
        "encrypt": Platform(app_id="wx0000000000000000").post(text(1)),
    }
    async with running(tmp_path, NO_SERVICE) as rig:
        for reason, wrong in tampered.items():
            answer = await rig.post(wrong)
            assert (401, REFUSED) == (answer.status_code, answer.json())
            assert 1 == rig.gateway.counts[f"callback.refused.{reason}"]

        assert [] == rig.rows("id")
        assert 200 == (await rig.post(post)).status_code


async def test_callback_under_the_previous_key_is_taken_while_it_is_configured(tmp_path):
    new_key = "B" * 43
    rotated = account(aes_key=lambda: new_key, previous_aes_key=lambda: T5["aes_key"])
    async with running(tmp_path, NO_SERVICE, accounts=(rotated,)) as rig:
        assert 200 == (await rig.post(Platform().post(text(1)))).status_code
        assert 200 == (await rig.post(Platform(encoding_aes_key=new_key).post(text(2)))).status_code


async def test_accounts_do_not_share_keys_or_secrets(tmp_path):
    other = account(account="other", token=lambda: "other token")
    async with running(tmp_path, NO_SERVICE, accounts=(account(), other)) as rig:
        assert 200 == (await rig.post(Platform().post(text(1)), "shop")).status_code
        assert 401 == (await rig.post(Platform().post(text(1)), "other")).status_code
        assert 200 == (await rig.post(Platform(token="other token").post(text(1)), "other")).status_code
        assert [("shop",), ("other",)] == rig.rows("account")


async def test_unknown_account_is_not_found(tmp_path):
    async with running(tmp_path, NO_SERVICE) as rig:
        answer = await rig.post(recorded(T5), "nobody")
        assert (404, "not_found") == (answer.status_code, answer.json()["code"])
        assert 404 == (await rig.client.get("/elsewhere")).status_code


async def test_body_over_the_limit_is_refused_declared_or_not(tmp_path):
    async def chunks():
        for _ in range(5):
            yield b"a" * 1024

    async with running(tmp_path, NO_SERVICE, body_bytes_max=4096) as rig:
        declared = await rig.post(Post(recorded(T5).query, b"a" * 4097))
        assert (413, "size") == (declared.status_code, declared.json()["code"])

        undeclared = await rig.client.post("/channels/shop", params=recorded(T5).query, content=chunks())
        assert 413 == undeclared.status_code


async def test_sender_that_goes_away_in_mid_body_disturbs_nobody(tmp_path):
    async with running(tmp_path, NO_SERVICE) as rig:
        url = httpx.URL(str(rig.client.base_url))
        _, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(b"POST /channels/shop HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n<xml>")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

        assert 200 == (await rig.post(recorded(T5))).status_code


async def test_unreadable_content_is_acknowledged_kept_dead_and_not_forwarded(tmp_path):
    ingress = FakeIngress()
    async with ingress.serving() as port, running(tmp_path, port) as rig:
        for _ in range(2):
            assert 200 == (await rig.post(Platform().post(b'{"FromUserName": :mycreate"}'))).status_code
        assert 200 == (await rig.post(Platform().post(text(1)))).status_code
        await rig.forwarded()

        assert [("dead", "malformed", 1), ("forwarded", None, 0)] == rig.rows("state, code, duplicates")
    assert ["openid-1:1"] == list(ingress.taken)


async def test_store_that_fails_is_never_acknowledged(tmp_path):
    async with running(tmp_path, NO_SERVICE) as rig:
        with closing(sqlite3.connect(tmp_path / "inbox.db")) as other:
            other.execute("ALTER TABLE inbox_key RENAME TO away")
            answer = await rig.post(recorded(T5))
            assert (503, "unavailable", "2") == (
                answer.status_code,
                answer.json()["code"],
                answer.headers["retry-after"],
            )
            assert [] == rig.rows("id")

            other.execute("ALTER TABLE away RENAME TO inbox_key")
        assert 200 == (await rig.post(recorded(T5))).status_code
        assert 1 == len(rig.rows("id"))


async def test_full_spool_answers_503_until_it_drains(tmp_path):
    ingress = FakeIngress()
    ingress.gate.clear()
    async with ingress.serving() as port, running(tmp_path, port, spool_rows_max=1, call_timeout_ms=60_000) as rig:
        assert 200 == (await rig.post(Platform().post(text(1)))).status_code
        assert 503 == (await rig.post(Platform().post(text(2)))).status_code

        ingress.gate.set()
        await rig.forwarded()
        assert 200 == (await rig.post(Platform().post(text(2)))).status_code


async def test_nothing_is_acknowledged_before_the_start_and_after_the_stop(tmp_path):
    gateway = Gateway(settings(tmp_path, NO_SERVICE), clock=SteppingClock(T5_NOW_S), chance=FixedChance())
    post = recorded(T5)
    async with http(gateway) as client:
        for _ in range(2):
            answer = await client.post("/channels/shop", params=post.query, content=post.body)
            assert 503 == answer.status_code

            await gateway.start()
            await gateway.stop()


async def test_service_that_is_down_is_invisible_to_the_platform(tmp_path):
    port = free_port()
    ingress = FakeIngress()
    async with running(tmp_path, port, call_timeout_ms=100) as rig:
        for number in (1, 2, 3):
            assert 200 == (await rig.post(Platform().post(text(number)))).status_code
        async with asyncio.timeout(20):
            await rig.clock.slept.wait()
        assert {"received"} == {state for (state,) in rig.rows("state")}

        async with ingress.serving(port):
            await rig.forwarded()
    assert ["openid-1:1", "openid-1:2", "openid-1:3"] == list(ingress.taken)


async def test_service_that_fails_some_calls_gets_each_text_in_order(tmp_path):
    ingress = FakeIngress()
    ingress.failures.extend([grpc.StatusCode.UNAVAILABLE] * 3)
    platform = Platform()
    async with ingress.serving() as port, running(tmp_path, port) as rig:
        for number in range(5):
            await rig.post(platform.post(text(number, "openid-1")))
            await rig.post(platform.post(text(number, "openid-2")))
        await rig.forwarded()

    for sender in ("openid-1", "openid-2"):
        expected = [f"{sender}:{number}" for number in range(5)]
        assert expected == [key for key in ingress.taken if key.startswith(sender)]


async def test_next_gateway_forwards_what_the_one_before_left(tmp_path):
    ingress = FakeIngress()
    async with running(tmp_path, NO_SERVICE) as rig:
        await rig.post(Platform().post(text(1)))
    async with ingress.serving() as port, running(tmp_path, port) as rig:
        await rig.forwarded()
        assert 200 == (await rig.post(Platform().post(text(1)))).status_code

    assert [["openid-1:1"]] == ingress.calls
    assert [("forwarded", 1)] == rows(tmp_path, "state, duplicates")


async def test_rows_of_an_account_that_is_no_longer_configured_wait(tmp_path):
    async with running(tmp_path, NO_SERVICE) as rig:
        await rig.post(Platform().post(text(1)))
    ingress = FakeIngress()
    async with ingress.serving() as port, running(tmp_path, port, accounts=(account(account="other"),)) as rig:
        await rig.forwarded()
        assert [("received",)] == rig.rows("state")


async def test_platform_event_reaches_the_service_as_a_system_notice(tmp_path):
    ingress = FakeIngress()
    async with ingress.serving() as port, running(tmp_path, port) as rig:
        await rig.post(Platform().post(notice(kind="event", Event="subscribe")))
        await rig.forwarded()

    (envelope,) = ingress.taken.values()
    assert "subscribe" == envelope.system.event


async def test_logs_name_no_customer_and_no_words(tmp_path, capsys):
    ingress = FakeIngress()
    ingress.verdicts["openid-1:1"] = deque([INGEST_STATUS_REJECTED])
    async with ingress.serving() as port, running(tmp_path, port) as rig:
        await rig.post(Platform().post(text(1)))
        await rig.post(Platform().post(b"openid-1 {"))
        await rig.post(Post({}, text(1)))
        await rig.forwarded()

    written = "".join(capsys.readouterr())
    assert "callback set aside" in written
    assert "openid-1" not in written
    assert "text 1" not in written


def test_problem_tells_the_sender_its_code_and_nothing_else():
    answer = problem(Unverified("timestamp"))
    assert (401, REFUSED) == (answer.status_code, json.loads(answer.body))


def test_wrong_aes_key_is_found_at_the_start(tmp_path):
    with pytest.raises(Malformed, match="43 letters"):
        Gateway(settings(tmp_path, NO_SERVICE, accounts=(account(aes_key=lambda: "short"),)))
