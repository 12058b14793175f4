"""How a described channel's request proves itself: digests, HMACs and equal words, over what the spec names.

The only place where anything is compared with a secret. Owns no clock.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import jmespath

from gateway.channels.base import Request, Unverified
from gateway.channels.replays import Replays
from gateway.specs.expressions import Source, text_of
from gateway.specs.model import Key, SignedTime, Taken, Verify

_NUMBER = re.compile(r"[0-9]{1,14}")
_MS = {"s": 1000, "ms": 1}


@dataclass(frozen=True, slots=True)
class Signed:
    """A request with what may be asked of it: `body` is its data, where that had to be read first."""

    request: Request
    account: Mapping[str, str]
    body: object = None

    def bytes_of(self, source: Source, secrets: Mapping[str, str]) -> bytes:
        """Return the value of a source, nothing where there is none."""
        match source.place:
            case "raw_body":
                return self.request.body
            case "text":
                found: object = source.name
            case "secret":
                found = secrets[source.name]
            case "account":
                found = self.account.get(source.name)
            case "header":
                found = self.request.headers.get(source.name.lower())
            case "query":
                found = self.request.query.get(source.name)
            case _:
                found = jmespath.search(source.name, self.body)
        return (text_of(found) or "").encode()


@dataclass(frozen=True, slots=True)
class Verifier:
    """One rule of a spec, for one account. `secrets` are sets of its secrets, the current one first."""

    rule: Verify
    secrets: Sequence[Mapping[str, str]] = field(repr=False)
    tolerance_s: int
    _replays: Replays = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rule = self.rule
        window_s = rule.timestamp.tolerance_s if rule.timestamp is not None else 3_600
        object.__setattr__(self, "_replays", Replays(window_s=window_s, bodies_max=rule.bodies_max or 1))

    def check(self, signed: Signed, *, now_ms: int) -> None:
        """Return if the request is the platform's and fresh; raises `Unverified`."""
        given = list(_taken(self.rule.signature, signed))
        matches = [
            hmac.compare_digest(self.expected(signed, secrets), one) for secrets in self.secrets for one in given if one
        ]
        if not any(matches):
            raise Unverified("signature")
        if self.rule.timestamp is not None:
            self._check_time(self.rule.timestamp, signed, now_ms)
        if self.rule.bodies_max is not None:
            bound = b"\0".join(given).decode(errors="replace")
            if not self._replays.admit(bound, signed.request.body, now_ms=now_ms):
                raise Unverified("replay")

    def expected(self, signed: Signed, secrets: Mapping[str, str]) -> bytes:
        """The signature that such a request would have, without a prefix."""
        rule = self.rule
        parts = [signed.bytes_of(source, secrets) for source in rule.over]
        joined = rule.join.encode().join(sorted(parts) if rule.sort else parts)
        match rule.how:
            case "equals":
                digest = joined
            case "sha256" | "sha1":
                digest = hashlib.new(rule.how, joined).digest()
            case _:
                assert rule.key is not None
                digest = hmac.digest(_key(rule.key, secrets), joined, rule.how.removeprefix("hmac-"))
        match rule.encoding:
            case "hex":
                return digest.hex().encode()
            case "base64":
                return base64.b64encode(digest)
            case "text":
                return digest

    def _check_time(self, rule: SignedTime, signed: Signed, now_ms: int) -> None:
        tolerance_ms = min(self.tolerance_s, rule.tolerance_s) * 1000
        for one in _taken(rule, signed):
            text = one.decode(errors="replace")
            if _NUMBER.fullmatch(text) and abs(int(text) * _MS[rule.unit] - now_ms) <= tolerance_ms:
                return
        raise Unverified("timestamp")


def key_of(key: Key, secret: str) -> bytes:
    """The bytes of a secret that keys an HMAC; raises `ValueError` if it has not the form that the spec says."""
    text = secret.removeprefix(key.prefix)
    if key.encoding == "text":
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("the secret is not base64") from None


def _key(key: Key, secrets: Mapping[str, str]) -> bytes:
    return key_of(key, secrets[key.secret])


def _taken(taken: Taken, signed: Signed) -> Iterator[bytes]:
    """The candidates in a value of the request, without their prefix."""
    value = signed.bytes_of(taken.source, {})
    prefix = taken.prefix.encode()
    for piece in value.split(taken.split.encode()) if taken.split else [value]:
        stripped = piece.strip() if taken.split else piece
        if stripped.startswith(prefix):
            yield stripped.removeprefix(prefix)
