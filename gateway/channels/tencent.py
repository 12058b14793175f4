"""The seal of Tencent's callbacks: a signature over time, nonce and ciphertext, and an encrypted body.

Owns the order of the checks. Never looks into a content.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from crdt_sync.errors import Malformed
from gateway.channels import flat, wxbizmsgcrypt
from gateway.channels.base import Request, Unverified

SECONDS = re.compile(r"[0-9]{1,11}")


@dataclass(frozen=True, slots=True)
class Seal:
    """What one platform account and we share.

    `receiver` is the app's id or the corporation's, which ends each plaintext. `aes_keys` have 32 bytes, the current
    one first; the one before stands beside it while a rotation lasts. `tolerance_s` bounds how far from now a signed
    timestamp may lie.
    """

    token: str = field(repr=False)
    aes_keys: tuple[bytes, ...] = field(repr=False)
    receiver: str
    tolerance_s: int

    def verify(
        self, query: Mapping[str, str], name: str, *covered: str, now_ms: int, tolerance_s: int | None = None
    ) -> None:
        """Raise `Unverified` unless parameter `name` signs time, nonce and what is `covered`, and the time is near."""
        timestamp = query.get("timestamp", "")
        parts = (self.token, timestamp, query.get("nonce", ""), *covered)
        if not wxbizmsgcrypt.signed(query.get(name, ""), *parts):
            raise Unverified("signature")
        tolerance_s = self.tolerance_s if tolerance_s is None else tolerance_s
        if not SECONDS.fullmatch(timestamp) or abs(int(timestamp) * 1000 - now_ms) > tolerance_s * 1000:
            raise Unverified("timestamp")

    def open(self, query: Mapping[str, str], encrypted: str, *, now_ms: int) -> bytes:
        """The plaintext of what `msg_signature` covers; raises `Unverified`."""
        self.verify(query, "msg_signature", encrypted, now_ms=now_ms)
        return wxbizmsgcrypt.decrypt(self.aes_keys, encrypted, self.receiver)

    def content(self, request: Request, *, now_ms: int) -> bytes:
        """The plaintext of a POST; its ciphertext alone counts, whatever else stands beside it. Raises `Unverified`."""
        if "msg_signature" not in request.query:
            raise Unverified("unsigned")
        try:
            encrypted = flat.fields(request.body)["Encrypt"]
        except (Malformed, KeyError):
            raise Unverified("body") from None
        return self.open(request.query, encrypted, now_ms=now_ms)
