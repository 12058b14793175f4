"""The channel of an account whose platform is described by a spec: the one interpreter of `inbound`. No I/O."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from crdt_sync.errors import Malformed
from crdt_sync.rpc.ticketsync.v1.gateway_pb2 import Envelope
from gateway.channels.base import Callback, Received, Request, Unverified
from gateway.specs.bodies import Body, Told, decoded, kept, taken_apart, unread, without
from gateway.specs.expressions import Expression, Scope, Source, text_of
from gateway.specs.mapping import Reading, mapped, scope_of
from gateway.specs.model import Handshake, Spec
from gateway.specs.signature import Signed, Verifier
from gateway.specs.walk import compiled, expressions

_ORDERED = {True: 0, False: 1}  # numbers before texts

_Place = list[tuple[int, float, str]]


@dataclass(frozen=True, slots=True)
class Described:
    """One account. `secrets` are sets of its secrets, the current one first; `digest` names the spec's text.

    `headers` are the names, in lower case, of those that are kept with each callback. Nothing of a body is read before
    its signature, unless that stands in it; then it is not kept.
    """

    account: str
    spec: Spec
    digest: str
    secrets: Sequence[Mapping[str, str]] = field(repr=False)
    fields: Mapping[str, str]
    tolerance_s: int
    headers: tuple[str, ...] = field(init=False)
    _proofs: tuple[str, ...] = field(init=False, repr=False)
    _receivers: tuple[Expression, ...] = field(init=False, repr=False)
    _verifier: Verifier = field(init=False, repr=False)
    _handshakes: tuple[tuple[Handshake, Verifier | None], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        inbound = self.spec.inbound
        handshakes = tuple(
            (rule, None if rule.verify is None else Verifier(rule.verify, self.secrets, self.tolerance_s))
            for rule in inbound.handshake
        )
        reads = inbound.model_copy(update={"handshake": (), "verify": None})
        roots = [root for _, one in expressions(reads) for root in one.roots()]
        headers = {root.field.lower() for root in roots if root.name == "headers" and root.field}
        needs = [inbound.verify, *(rule.verify for rule in inbound.handshake)]
        proofs = [one.name for _, one in compiled(needs) if isinstance(one, Source) and one.place == "body"]
        object.__setattr__(self, "headers", tuple(sorted(headers)))
        object.__setattr__(self, "_proofs", tuple(proofs))
        receivers = tuple(one for rule in inbound.accept for one in rule.compared_with("account"))
        object.__setattr__(self, "_receivers", receivers)
        object.__setattr__(self, "_verifier", Verifier(inbound.verify, self.secrets, self.tolerance_s))
        object.__setattr__(self, "_handshakes", handshakes)

    def handshake(self, request: Request, *, now_ms: int) -> bytes:
        """What the spec answers to a GET; raises `Unverified`."""
        answered = self._answered(request, "GET", {}, proven=False, now_ms=now_ms)
        if answered is None:
            self._verifier.check(Signed(request, self.fields), now_ms=now_ms)
            answered = self._answered(request, "GET", {}, proven=True, now_ms=now_ms)
        if answered is None:
            raise Unverified("handshake")
        return answered.answer

    def receive(self, request: Request, *, now_ms: int) -> Received:
        """The callbacks of a POST, or the answer of a handshake that is posted; raises `Unverified`."""
        body = self._decoded(request) if self._proofs else None
        if body is not None:
            answered = self._answered(request, "POST", body, proven=False, now_ms=now_ms)
            if answered is not None:
                return answered
        self._verifier.check(Signed(request, self.fields, body), now_ms=now_ms)
        body = self._decoded(request) if body is None else body
        headers = self._kept_headers(request)
        if body is None:
            return self._acknowledged([_dead(unread(headers, request.body), self.digest)])
        own = self._unproven(body)
        try:
            answered = self._answered(request, "POST", body, proven=True, now_ms=now_ms)
            return answered if answered is not None else self._read(headers, own)
        except Malformed:  # the platform changed what it sends: whoever mends the spec finds it
            return self._acknowledged([_dead(Told(headers, own, own).content(), self.digest)])

    def envelope(self, content: bytes) -> Envelope:
        """The typed envelope of a callback; raises `Malformed`."""
        headers, body = self._kept(content)
        (told,) = self._told(headers, body)[:1] or [Told(headers, body, None)]
        return self._mapped(told)[1]

    def read_again(self, content: bytes) -> tuple[Callback, ...]:
        """The callbacks of what was kept under another spec: several where that one could not take it apart."""
        headers, body = self._kept(content)
        try:
            self._check_receiver(headers, body)
        except Unverified:
            raise Malformed("What was kept is for another account.") from None
        for told in self._told(headers, body):
            if not self._is_ignored(told):
                self._place(told)
                self._mapped(told)  # says what is wrong
        return self._read(headers, body).callbacks

    def _is_ignored(self, told: Told) -> bool:
        return any(rule(self._scope(told)) for rule in self.spec.inbound.ignore)

    def _check_receiver(self, headers: Mapping[str, str], body: Body) -> None:
        """Raise `Unverified` if it names other accounts alone, and `Malformed` if ours or none."""
        scope = self._scope(Told(headers, body, body))
        if all(rule(scope) for rule in self.spec.inbound.accept):
            return
        named = {name for one in self._receivers for name in _texts(one(scope))}
        if named and named.isdisjoint(self.fields.values()):
            raise Unverified("receiver")
        raise Malformed("The rules under `accept` do not hold, and name no other account.")

    def told(self, request: Request) -> list[Told]:
        """What a request is taken apart into, without a look at its signature; raises `Malformed`."""
        body = decoded(self.spec.inbound.decode, request.body, self.secrets)
        return self._told(self._kept_headers(request), self._unproven(body))

    def greeting(self, request: Request) -> Received | None:
        """The answer of the handshake that a POST is, if any, without a look at its signature; raises `Malformed`."""
        body = decoded(self.spec.inbound.decode, request.body, self.secrets)
        scope = asking_scope(request, "POST", body, self.fields)
        return next((_greeted(rule, scope) for rule, _ in self._handshakes if rule.when.holds(scope)), None)

    def _unproven(self, body: Body) -> Body:
        for path in (*self._proofs, *self.spec.inbound.decode.forget):
            body = without(body, path)
        return body

    def _decoded(self, request: Request) -> Body | None:
        try:
            return decoded(self.spec.inbound.decode, request.body, self.secrets)
        except Malformed:
            return None

    def _kept_headers(self, request: Request) -> dict[str, str]:
        return {name: value for name in self.headers if (value := request.headers.get(name)) is not None}

    def _kept(self, content: bytes) -> tuple[Mapping[str, str], Body]:
        headers, body = kept(content)
        return headers, self._unproven(decoded(self.spec.inbound.decode, body, self.secrets))

    def _told(self, headers: Mapping[str, str], body: Body) -> list[Told]:
        return [Told(headers, one, item) for one, item in taken_apart(self.spec.inbound.iterate, body)]

    def _scope(self, told: Told) -> dict[str, object]:
        return scope_of(told, self.fields)

    def _mapped(self, told: Told) -> tuple[Reading, Envelope]:
        return mapped(self.spec.inbound, self._scope(told), channel=self.spec.channel, account=self.account)

    def _read(self, headers: Mapping[str, str], body: Body) -> Received:
        """The callbacks of a body; raises `Unverified` or `Malformed` where it is as a whole not for this account."""
        self._check_receiver(headers, body)
        told = self._told(headers, body)
        heard: list[tuple[_Place, Callback]] = []
        for one in told:
            try:
                if not self._is_ignored(one):
                    heard.append((self._place(one), self._callback(one)))
            except Malformed:
                heard.append(([], _dead(one.content(), self.digest)))
        heard.sort(key=itemgetter(0))
        return self._acknowledged([callback for _, callback in heard], ignored=len(told) - len(heard))

    def _callback(self, told: Told) -> Callback:
        """The callback of one thing; raises `Malformed`.

        It is mapped whole, so that what cannot be is known before the acknowledgement.
        """
        reading, _ = self._mapped(told)
        return Callback(
            told.content(),
            reading.keys,
            reading.conversation,
            reply_to=json.dumps(reading.reply) if reading.reply else None,
            fingerprint=reading.fingerprint,
            spec=self.digest,
        )

    def _place(self, told: Told) -> _Place:
        found = [one(self._scope(told)) for one in self.spec.inbound.order]
        numbers = [one if isinstance(one, int | float) else None for one in found]
        return [
            (_ORDERED[number is not None], number or 0, text_of(one) or "")
            for one, number in zip(found, numbers, strict=True)
        ]

    def _acknowledged(self, callbacks: Sequence[Callback], *, ignored: int = 0) -> Received:
        ack = self.spec.inbound.ack
        answer, media_type = _answer(ack.text, ack.json_.value({}) if ack.json_ is not None else None)
        return Received(answer, tuple(callbacks), media_type=media_type, ignored=ignored)

    def _answered(self, request: Request, method: str, body: Body, *, proven: bool, now_ms: int) -> Received | None:
        """The answer of the first handshake that the request is; raises `Unverified` if that is not proven.

        What was `proven` by the channel's own signature is asked of no rule that has one in its place, and the reverse.
        """
        scope = asking_scope(request, method, body, self.fields)
        for rule, verifier in self._handshakes:
            if (verifier is None) is proven and rule.when.holds(scope):
                if verifier is not None:
                    verifier.check(Signed(request, self.fields, body), now_ms=now_ms)
                return _greeted(rule, scope)
        return None


def asking_scope(request: Request, method: str, body: Body, account: Mapping[str, str]) -> Scope:
    """What the expressions of a handshake see."""
    told = {"query": dict(request.query), "headers": dict(request.headers), "body": body}
    return {"method": method, "account": account, **told}


def _texts(value: object) -> Iterator[str]:
    """The texts that were found: one, or those of a list."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and one:
            yield one


def _greeted(rule: Handshake, scope: Scope) -> Received:
    text = (rule.text.filled(scope) or "") if rule.text is not None else ""
    answer, media_type = _answer(text, rule.json_.value(scope) if rule.json_ is not None else None)
    return Received(answer, media_type=media_type)


def _answer(text: str, json_: object) -> tuple[bytes, str]:
    if json_ is None:
        return text.encode(), "text/plain"
    return json.dumps(json_, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"), "application/json"


def _dead(content: bytes, spec: str) -> Callback:
    key = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Callback(content, (key,), "", Malformed.default_code, spec=spec)
