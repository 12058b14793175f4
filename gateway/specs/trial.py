"""Runs a spec's own samples: each must come to what it says, and together they must show all that the spec maps."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Envelope
from gateway.channels.base import Callback, Request, Unverified
from gateway.specs import samples
from gateway.specs.bodies import unread
from gateway.specs.calls import ACCOUNT, fetching_faults, granting_faults, sending_faults
from gateway.specs.channel import Described
from gateway.specs.coverage import unshown
from gateway.specs.differences import differences
from gateway.specs.model import Spec
from gateway.specs.reading import Finding, Lines
from gateway.specs.signature import Signed, Verifier
from gateway.specs.walk import Place

_RECEIVED_MIN = 3  # fewer show too little to be trusted
_PATIENT_S = 86_400
_MADE_UP = "bWFkZSB1cA=="  # in place of a secret that the samples lack; some keys are base64
_SAID = ("idempotency_key", "channel", "account", "conversation")  # of an envelope, by the callback already


@dataclass(frozen=True, slots=True)
class Shown:
    """What a recorded request came to, for a person and for comparing."""

    refused: str | None
    answer: str | None
    ignored: int
    callbacks: tuple[Mapping[str, object], ...]

    def as_json(self) -> str:
        """As `expect` has it."""
        told = {"refused": self.refused, "answer": self.answer, "ignored": self.ignored, "callbacks": self.callbacks}
        shown = {name: value for name, value in told.items() if value}
        return json.dumps(_as_written(shown), ensure_ascii=False, indent=2)


def _as_written(value: object) -> object:
    """As a spec has it, where a number that is not whole is a text."""
    if isinstance(value, Mapping):
        return {name: _as_written(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_as_written(each) for each in value]
    return str(value) if isinstance(value, float) else value


def sample_channel(spec: Spec, digest: str = "") -> Described:
    """The channel of the account that the samples are of."""
    fields = {**spec.samples.fields, "id": ACCOUNT}
    secrets = {**dict.fromkeys(spec.secrets, _MADE_UP), **spec.samples.secrets}
    return Described(ACCOUNT, spec, digest, (secrets,), fields, _PATIENT_S)


def tried(spec: Spec, lines: Lines) -> list[Finding]:
    """What is wrong with a spec's samples, or with the spec as they show it."""
    if (count := len(spec.samples.received)) < _RECEIVED_MIN:
        return [
            Finding(lines.of(("samples",)), "sample", f"{_RECEIVED_MIN} `received` are needed, and there are {count}.")
        ]
    missing = {*spec.secrets} - {*spec.samples.secrets} | {*spec.fields} - {*spec.samples.fields}
    if missing:
        line = lines.of(("samples",))
        return [Finding(line, "sample", f"the samples have no {name}.") for name in sorted(missing)]
    channel = sample_channel(spec)
    found: list[tuple[Place, str, str]] = []
    for number, received in enumerate(spec.samples.received):
        place = ("samples", "received", number)
        found += [(place, "sample", f"{received.name}: {fault}") for fault in islice(_faults(channel, received), 1)]
    for number, sent in enumerate(spec.samples.sent):
        place = ("samples", "sent", number)
        found += [(place, "sample", f"{sent.name}: {fault}") for fault in islice(sending_faults(spec, sent), 1)]
    if (granted := spec.samples.token) is not None:
        found += [(("samples", "token"), "sample", f"the token: {fault}") for fault in granting_faults(spec, granted)]
    for number, fetched in enumerate(spec.samples.fetched):
        place = ("samples", "fetched", number)
        found += [(place, "sample", f"{fetched.name}: {fault}") for fault in islice(fetching_faults(spec, fetched), 1)]
    if spec.outbound is not None and not spec.samples.sent:
        found.append((("samples",), "sample", "no sample shows an answer that is sent."))
    found += unshown(channel)
    return [Finding(lines.of(place), code, message) for place, code, message in found]


def shown(channel: Described, received: samples.Received) -> Shown:
    """What a recorded request comes to."""
    request = received.request
    try:
        if received.method == "GET":
            return Shown(None, channel.handshake(request, now_ms=received.at_ms).decode(), 0, ())
        told = channel.receive(request, now_ms=received.at_ms)
    except Unverified as error:
        return Shown(error.reason, None, 0, ())
    answer = told.answer.decode() if not told.callbacks and not told.ignored else None
    return Shown(None, answer, told.ignored, tuple(_callback(channel, one) for one in told.callbacks))


def unsigned(channel: Described, received: samples.Received) -> Shown:
    """What a recorded body would come to if its signature held."""
    greeting = channel.greeting(received.request)
    if greeting is not None:
        return Shown(None, greeting.answer.decode(), 0, ())
    told = channel.read_again(unread(received.request.headers, received.body.encode()))
    return Shown(None, None, 0, tuple(_callback(channel, one) for one in told))


def signature_hint(channel: Described, received: samples.Received) -> str:
    """What the signature of a sample would be under its secrets, for whoever writes one."""
    verifier = Verifier(channel.spec.inbound.verify, channel.secrets, _PATIENT_S)
    try:
        body = json.loads(received.body)
    except ValueError:
        body = None
    expected = verifier.expected(Signed(received.request, channel.fields, body), channel.secrets[0])
    return channel.spec.inbound.verify.signature.prefix + expected.decode(errors="replace")


def _callback(channel: Described, callback: Callback) -> Mapping[str, object]:
    told: dict[str, object] = {"keys": list(callback.keys), "conversation": callback.conversation}
    if callback.reply_to is not None:
        told["reply"] = json.loads(callback.reply_to)
    if callback.code is not None:
        return {**told, "code": callback.code}
    envelope = MessageToDict(channel.envelope(callback.content), preserving_proto_field_name=True)
    return {**told, "envelope": {name: value for name, value in envelope.items() if name not in _SAID}}


def _faults(channel: Described, received: samples.Received) -> Iterator[str]:
    try:
        came, expected = shown(channel, received), received.expect
    except Malformed as error:
        yield error.message
        return
    if came.refused != expected.refused:
        if came.refused == "signature":
            yield f"its signature does not hold; it would be {signature_hint(channel, received)}."
        else:
            yield f"refused: expected {expected.refused}, came to {came.refused}."
        return
    if expected.answer is not None:
        yield from differences(expected.answer, came.answer, "answer")
    yield from differences(expected.ignored, came.ignored, "ignored")
    try:
        wanted = [_expected(one) for one in expected.callbacks]
    except (ParseError, TypeError, ValueError) as error:
        yield f"an envelope: {error}"
        return
    yield from differences(wanted, came.callbacks, "callbacks")
    if received.method == "POST" and came.callbacks and _passes_unsigned(channel, received):
        yield "it passes without its headers and its query: anybody could send it."


def _passes_unsigned(channel: Described, received: samples.Received) -> bool:
    if channel.spec.inbound.verify.signature.source.place not in {"header", "query"}:
        return False
    bare = Request({}, {}, received.body.encode())
    try:
        return bool(channel.receive(bare, now_ms=received.at_ms).callbacks)
    except Unverified:
        return False


def _expected(callback: samples.ExpectedCallback) -> Mapping[str, object]:
    """What a sample says of a callback, in the form in which it comes; raises where its envelope is none."""
    told = callback.model_dump(exclude_none=True, exclude_defaults=True)
    if callback.envelope is not None:
        envelope = ParseDict(dict(callback.envelope), Envelope())
        told["envelope"] = MessageToDict(envelope, preserving_proto_field_name=True)
    return told
