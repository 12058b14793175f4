"""The vendors' own libraries sign and ours verifies, ours signs and theirs verify, whatever the secret and the body.

Lark's is asked beforehand, see lark.py.
"""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pywa.utils import webhook_updates_validator
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook

from gateway.channels.base import Request, Unverified
from gateway.specs.book import shipped
from gateway.specs.codecs import opened
from gateway.specs.signature import Signed, Verifier
from tests.gateway.specs import lark

NOW_S = 1_731_705_121
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
BODIES = st.text(max_size=200)  # the libraries take texts


def verifier(channel: str, **secrets: str) -> Verifier:
    return Verifier(shipped(channel).spec.inbound.verify, (secrets,), 86_400)


def passes(ours: Verifier, headers: dict[str, str], body: bytes) -> bool:
    try:
        ours.check(Signed(Request({}, headers, body), {}), now_ms=NOW_S * 1000)
    except Unverified:
        return False
    return True


def signed_by_us(ours: Verifier, headers: dict[str, str], body: bytes) -> str:
    signature = ours.expected(Signed(Request({}, headers, body), {}), ours.secrets[0]).decode()
    return ours.rule.signature.prefix + signature


@settings(max_examples=20, deadline=None)
@given(secret=TEXTS, body=BODIES)
def test_slack(secret, body):
    class Now:
        def now(self):
            return NOW_S

    theirs, ours = SignatureVerifier(secret, Now()), verifier("slack", signing_secret=secret)
    stamp = {"x-slack-request-timestamp": str(NOW_S)}
    signature = theirs.generate_signature(timestamp=str(NOW_S), body=body)
    assert passes(ours, {**stamp, "x-slack-signature": signature}, body.encode())
    assert not passes(ours, {**stamp, "x-slack-signature": signature}, body.encode() + b" ")
    assert theirs.is_valid(body=body, timestamp=str(NOW_S), signature=signed_by_us(ours, stamp, body.encode()))


@settings(max_examples=20, deadline=None)
@given(secret=st.binary(min_size=1, max_size=64), body=BODIES)
def test_standard_webhooks(secret, body):
    whole = f"whsec_{base64.b64encode(secret).decode()}"
    theirs, ours = Webhook(whole), verifier("standard-webhooks", signing_secret=whole)
    at = datetime.fromtimestamp(NOW_S, UTC)
    stamp = {"webhook-id": "msg_1", "webhook-timestamp": str(NOW_S)}
    signature = theirs.sign("msg_1", at, body)
    assert passes(ours, {**stamp, "webhook-signature": f"v1,AAAA v1a,BBBB {signature}"}, body.encode())
    assert not passes(ours, {**stamp, "webhook-id": "msg_2", "webhook-signature": signature}, body.encode())
    assert signature == signed_by_us(ours, stamp, body.encode())


@pytest.mark.parametrize("header", ["", "v1", "v1,", "v1,é", "v1,====", ",", " ", "v2,AAAA", "v1," + "A" * 10_000])
def test_malformed_signature_is_refused_and_never_a_fault(header):
    ours = verifier("standard-webhooks", signing_secret="whsec_AAAA")
    headers = {"webhook-id": "m", "webhook-timestamp": str(NOW_S), "webhook-signature": header}
    assert not passes(ours, headers, b"{}")


@settings(max_examples=20, deadline=None)
@given(secret=TEXTS, body=BODIES)
def test_whatsapp(secret, body):
    ours = verifier("whatsapp", app_secret=secret)
    signature = signed_by_us(ours, {}, body.encode())
    assert passes(ours, {"x-hub-signature-256": signature}, body.encode())
    assert webhook_updates_validator(app_secret=secret, request_body=body.encode(), x_hub_signature=signature)
    for changed in (body.encode() + b" ", b""):
        theirs = webhook_updates_validator(app_secret=secret, request_body=changed, x_hub_signature=signature)
        assert theirs == passes(ours, {"x-hub-signature-256": signature}, changed)


LARK = json.loads(lark.VECTORS.read_text(encoding="utf-8"))


def test_what_larks_sdk_judged_is_what_ours_would_send_it_today():
    """If this fails: python -m tests.gateway.specs.lark."""
    judged = {
        "sealed": [{name: value for name, value in one.items() if name != "plain"} for one in LARK["sealed"]],
        "signed": [{name: value for name, value in one.items() if name != "read"} for one in LARK["signed"]],
        "changed": LARK["changed"],
    }
    assert lark.cases() == judged


def test_lark_what_its_sdk_opens_ours_opens():
    assert len(LARK["sealed"]) > 5
    for one in LARK["sealed"]:
        assert one["plain"] == opened("feishu", one["sealed"], one["key"]).decode()


def heard(case: dict) -> dict | None:
    """What ours hears of a request, in the words of the vectors; None if it is refused."""
    at_ms = int(case["headers"]["x-lark-request-timestamp"]) * 1000
    request = Request({}, case["headers"], case["body"].encode())
    try:
        (callback,) = lark.channel_of(case).receive(request, now_ms=at_ms).callbacks
    except Unverified:
        return None
    event = json.loads(callback.content)["body"]["event"]
    if "message" not in event:
        return {"chat_id": event["chat_id"], "person": event["operator_id"]["open_id"]}
    said = {name: event["message"][name] for name in ("message_id", "chat_id", "content")}
    return {**said, "person": event["sender"]["sender_id"]["open_id"]}


def test_lark_what_its_sdk_takes_is_taken_and_reads_the_same():
    assert len(LARK["signed"]) > 10
    for one in LARK["signed"]:
        read = dict(one["read"])
        if "content" in read:
            read["content"] = json.loads(read["content"])
        assert read == heard(one)


def test_lark_whatever_byte_is_changed_both_refuse():
    changed = lark.changes(LARK)
    assert len(changed) > 200
    assert [] == [one for one in changed if heard(one) is not None]
