"""A platform that changes what it sends, and signs it, loses nothing: all is taken, ignored, or kept for a mended spec.

Every field of every sample that ships is taken away, made null, and given another type, one at a time.
"""

import json
from collections.abc import Iterator

import pytest

from gateway.channels.base import Request, Unverified
from gateway.specs.bodies import decoded
from gateway.specs.book import shipped, shipped_texts
from gateway.specs.channel import Described
from gateway.specs.model import Spec
from gateway.specs.signature import Signed, Verifier
from gateway.specs.trial import sample_channel

GONE = object()
ANOTHER = ("of tomorrow", '"999"')  # the second is of a sample for two accounts at once
OTHERS = (GONE, None, 7, "of tomorrow", ["of tomorrow"], {"of": "tomorrow"}, [])


def changed(data: object, path: tuple = ()) -> Iterator[tuple[tuple, object, object]]:
    """Everything that differs from the data in one field: where, what stands there instead, and the whole."""
    if isinstance(data, dict):
        for name, value in data.items():
            for other in OTHERS:
                if other is GONE or other != value:
                    kept = {key: one for key, one in data.items() if key != name}
                    yield (*path, name), other, kept if other is GONE else {**data, name: other}
            for place, other, inner in changed(value, (*path, name)):
                yield place, other, {**data, name: inner}
    if isinstance(data, list):
        for number, value in enumerate(data):
            for place, other, inner in changed(value, (*path, number)):
                yield place, other, [*data[:number], inner, *data[number + 1 :]]


def signed(channel: Described, request: Request, data: object) -> Request:
    """A request with another body, under a signature that holds."""
    rule, (secrets,) = channel.spec.inbound.verify, channel.secrets
    request = Request(request.query, request.headers, json.dumps(data).encode())
    if rule.signature.source.place == "header":
        expected = Verifier(rule, channel.secrets, 0).expected(Signed(request, channel.fields, data), secrets)
        named = {rule.signature.source.name.lower(): rule.signature.prefix + expected.decode()}
        request = Request(request.query, {**request.headers, **named}, request.body)
    return request


def posts(channel: Described) -> Iterator[tuple[Request, dict, bool, int]]:
    """The samples that are taken, as plain JSON; whether the platform waits for an answer alone; and when they came.

    A handshake with a proof of its own is no message, and nothing of it is kept.
    """
    own_proof = any(rule.verify is not None for rule in channel.spec.inbound.handshake)
    for one in channel.spec.samples.received:
        unread = any(callback.code for callback in one.expect.callbacks)
        if unread or (own_proof and one.expect.answer is not None):
            continue
        request = one.request
        if one.method == "POST" and one.expect.refused is None and request.body.startswith(b"{"):
            plain = channel.spec.inbound.decode.model_copy(update={"json_strings": ()})
            data = decoded(plain, request.body, channel.secrets)
            yield request, data, one.expect.answer is not None, one.at_ms


def is_proof(channel: Described, path: tuple) -> bool:
    """Whether the field is what proves the request: there is no signing that anew."""
    source = channel.spec.inbound.verify.signature.source
    return source.place == "body" and ".".join(map(str, path)) == source.name


def kept_of(spec: Spec, request: Request, now_ms: int) -> int | str:
    """How many things are kept or ignored of a request, by a channel that heard none before, or why it is refused."""
    try:
        received = sample_channel(spec).receive(request, now_ms=now_ms)
    except Unverified as error:
        return error.reason
    return len(received.callbacks) + received.ignored


@pytest.mark.parametrize("name", sorted(shipped_texts()))
def test_whatever_field_a_platform_changes_nothing_is_lost(name):
    spec = shipped(name).spec
    channel = sample_channel(spec)
    judged = 0
    for request, data, answered, now_ms in posts(channel):
        for path, other, body in changed(data):
            if is_proof(channel, path):
                continue
            judged += 1
            kept = kept_of(spec, signed(channel, request, body), now_ms)
            if isinstance(kept, str):
                assert "receiver" == kept, (path, other)
                assert any(name in json.dumps(body) for name in ANOTHER), path
                continue
            # An empty list says of itself that there is nothing.
            assert kept or answered or [] == other, (path, other)
    assert judged > 20
