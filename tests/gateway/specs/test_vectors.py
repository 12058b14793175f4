"""Recorded signatures are ours, and each byte of what they cover counts: T14 to T20, and every sample that ships."""

import json

import pytest

from crdt_sync.errors import Malformed
from gateway.channels.base import Request, Unverified
from gateway.specs.book import shipped, shipped_texts
from gateway.specs.codecs import opened
from gateway.specs.trial import sample_channel

# What the platforms, or a tool that is not ours, say: where they stand among the samples of a spec.
PUBLISHED = {
    "T15": ("feishu", "6eaec02189b9656660b57fc99f5a3c394903d7dcd7d22ac546a7aed5db86151a"),
    "T16": ("slack", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
    "T17": ("standard-webhooks", "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="),
    "T18": ("whatsapp", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
    "T18, generic": ("generic-hmac", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
    "T19": ("dingtalk-http", "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="),
    "T20": ("douyin", "277df63c0efb431eccf64a233b0eee5ea94b6c4a"),
}
NOT_COVERED = {"dingtalk-http", "email", "mattermost", "telegram"}  # by a signature: a header, or a word, is all


@pytest.mark.parametrize("vector", PUBLISHED)
def test_published_signature_is_among_the_samples_and_passes(vector):
    channel, signature = PUBLISHED[vector]
    received = [
        one
        for one in shipped(channel).spec.samples.received
        if signature in one.headers.values() and not one.expect.refused
    ]
    assert received
    sampled = sample_channel(shipped(channel).spec)
    assert sampled.receive(received[0].request, now_ms=received[0].at_ms)


def accepted(channel):
    """Posts that the channel's own signature lets in."""
    spec = shipped(channel).spec
    handshakes = any(rule.verify is not None for rule in spec.inbound.handshake)
    for one in spec.samples.received:
        asked = handshakes and one.expect.answer is not None
        if one.method == "POST" and one.expect.refused is None and not asked:
            yield one


def outcome(channel, request, now_ms) -> str:
    try:
        channel.receive(request, now_ms=now_ms)
    except Unverified as error:
        return error.reason
    return "accepted"


@pytest.mark.parametrize("name", sorted(set(shipped_texts()) - NOT_COVERED))
def test_each_byte_of_a_signed_body_counts(name):
    channel = sample_channel(shipped(name).spec)
    judged = 0
    for received in accepted(name):
        request = received.request
        for place, byte in enumerate(request.body):
            changed = request.body[:place] + bytes([byte ^ 1]) + request.body[place + 1 :]
            assert "signature" == outcome(channel, Request(request.query, request.headers, changed), received.at_ms)
            judged += 1
    assert judged > 100


def covered(name) -> list[str]:
    """The headers that a signature covers: times, nonces, names of messages."""
    return [one.name.lower() for one in shipped(name).spec.inbound.verify.over if one.place == "header"]


@pytest.mark.parametrize("name", [name for name in sorted(shipped_texts()) if covered(name)])
def test_each_byte_of_a_header_that_is_covered_counts_whatever_stands_in_its_place(name):
    channel = sample_channel(shipped(name).spec)
    received = next(accepted(name))
    request = received.request
    for header in covered(name):
        given = request.headers[header]
        for place in range(len(given)):
            for other in {chr(code) for code in range(256)} - {given[place]}:
                value = given[:place] + other + given[place + 1 :]
                changed = Request(request.query, {**request.headers, header: value}, request.body)
                assert "signature" == outcome(channel, changed, received.at_ms), (header, value)
        for value in (given[:-1], given[1:], given + "0", ""):
            changed = Request(request.query, {**request.headers, header: value}, request.body)
            assert "signature" == outcome(channel, changed, received.at_ms), (header, value)


def test_which_headers_are_covered():
    assert {
        "dingtalk-http": ["timestamp"],
        "feishu": ["x-lark-request-timestamp", "x-lark-request-nonce"],
        "slack": ["x-slack-request-timestamp"],
        "standard-webhooks": ["webhook-id", "webhook-timestamp"],
    } == {name: covered(name) for name in sorted(shipped_texts()) if covered(name)}


@pytest.mark.parametrize("name", sorted(shipped_texts()))
def test_each_byte_of_a_signature_counts(name):
    channel = sample_channel(shipped(name).spec)
    source = channel.spec.inbound.verify.signature.source
    for received in accepted(name):
        request = received.request
        if source.place == "body":
            given = str(json.loads(request.body)[source.name])
            others = {request.body.replace(given.encode(), one.encode()) for one in damaged(given)}
            requests = [Request({}, request.headers, body) for body in others]
        else:
            header = source.name.lower()
            given = request.headers[header]
            requests = [Request({}, {**request.headers, header: one}, request.body) for one in damaged(given)]
            requests.append(
                Request({}, {key: one for key, one in request.headers.items() if key != header}, request.body)
            )
        for changed in requests:
            assert "signature" == outcome(channel, changed, received.at_ms)
        assert len(requests) > 5


def damaged(signature: str) -> list[str]:
    """Without its beginning or its end, with more, and with each character of its last word changed."""
    first = signature.rindex(" ") + 1 if signature.startswith("v1,AAAA") else 0
    changed = [
        signature[:place] + ("B" if signature[place] == "A" else "A") + signature[place + 1 :]
        for place in range(first, len(signature))
    ]
    return [*changed, signature[:first], signature[:-1], signature + "A"]


def test_feishus_own_ciphertext_opens_and_no_other_does():
    sealed = "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="
    assert b"hello world" == opened("feishu", sealed, "test key")
    wrong = ["", "AAAA", sealed[:-4], "!" + sealed, sealed.replace("P37w", "P37w" * 5)]
    for one in wrong:
        with pytest.raises(Malformed, match="cannot be opened"):
            opened("feishu", one, "test key")
    refusals = 0
    for place in range(len(sealed) - 1):
        changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        try:
            assert b"hello world" != opened("feishu", changed, "test key")
        except Malformed:
            refusals += 1
    assert refusals > 20
