"""Where keys come from: files on this machine, or an issuer's JWKS. Verifies nothing itself."""

import asyncio
import hashlib
import json
import os
import secrets
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jwt
import structlog

from crdt_sync.errors import Malformed, Unauthenticated, Unavailable
from crdt_sync.ports import Clock
from crdt_sync.server.auth import Keys, VerificationKey

_log = structlog.get_logger(__name__)

KEY_FILE = "dev.key"
FORMER_KEY_FILE = "dev.key.former"  # still good, if it is there
SESSION_KEY_FILE = "session.key"  # signs what browsers get after a sign-in
SUBJECT_KEY_FILE = "subject.key"  # what stands for people and addresses is made with it
ID_DIGITS = 16  # of a key's digest: keys of one house do not collide
KEY_BYTES = 32  # HS256 gains nothing from more (RFC 7518, 3.2)

JWKS_BYTES_MAX = 256 * 1024  # a hundred RSA keys
JWKS_TIMEOUT_S = 5.0
JWKS_LIFETIME_MS = 300_000  # a withdrawn key is good for no longer
JWKS_STALE_MAX_MS = 3_600_000  # an issuer that is down shuts nobody out within the hour
JWKS_ASK_AGAIN_MS = 10_000  # tokens with invented key ids do not make us hammer the issuer

_ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
RSA_BITS_MIN = 2048


class DevelopmentKey:
    """The key of `DATA/dev.key`, and the one before it if the operator has kept it."""

    def __init__(self, key: VerificationKey, former: VerificationKey | None = None) -> None:
        self.key = key
        self.former = former

    async def find(self, key_id: str | None) -> VerificationKey:
        """Return the former key if a token names it, else the key."""
        return self.former if self.former is not None and key_id == self.former.id else self.key

    async def known(self) -> frozenset[str]:
        """Return both."""
        return frozenset(key.id for key in (self.key, self.former) if key is not None)


class DevelopmentKeyFiles:
    """The development key as its files say it now: an operator rotates it while the service runs."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._stamp: object = None
        self._key = self._read()

    async def find(self, key_id: str | None) -> VerificationKey:
        """Return the key that a token names."""
        return await self._read().find(key_id)

    async def known(self) -> frozenset[str]:
        """Return the keys that are good now."""
        return await self._read().known()

    def _read(self) -> DevelopmentKey:
        """Read the files again if they are others than before."""
        stamp = [_stamp(self._data / name) for name in (KEY_FILE, FORMER_KEY_FILE)]
        if stamp != self._stamp:
            self._key = development_key(self._data)
            self._stamp = [_stamp(self._data / name) for name in (KEY_FILE, FORMER_KEY_FILE)]
        return self._key


class KeysBeside:
    """The service's own key, and beside it those of whoever else may sign."""

    def __init__(self, own: VerificationKey, others: Keys) -> None:
        self._own = own
        self._others = others

    async def find(self, key_id: str | None) -> VerificationKey:
        """Return the own key if a token names it."""
        return self._own if key_id == self._own.id else await self._others.find(key_id)

    async def known(self) -> frozenset[str]:
        """Return all of them."""
        return await self._others.known() | {self._own.id}


def session_key(data: Path) -> VerificationKey:
    """Read the key that signs tokens after a sign-in, making it on first use.

    Raises:
        Malformed: the file is not such a key, or others may read it.

    """
    return replace(_symmetric(local_secret(data / SESSION_KEY_FILE)), here=True)


def development_key(data: Path) -> DevelopmentKey:
    """Read the development key, making it on first use.

    Raises:
        Malformed: a file is not such a key, or others may read it.

    """
    former = data / FORMER_KEY_FILE
    return DevelopmentKey(
        _symmetric(local_secret(data / KEY_FILE)), _symmetric(local_secret(former)) if former.exists() else None
    )


def rotate_development_key(data: Path, *, keep_former: bool) -> None:
    """Make a new development key. Tokens of the one before stay good with `keep_former`, until the next rotation.

    Raises:
        Malformed: a file is not such a key, or others may read it.

    """
    former, current = data / FORMER_KEY_FILE, data / KEY_FILE
    local_secret(current)
    former.unlink(missing_ok=True)
    if keep_former:
        former.hardlink_to(current)
    fresh = data / f".{KEY_FILE}.{secrets.token_hex(8)}"
    local_secret(fresh)
    fresh.replace(current)


def _symmetric(secret: bytes) -> VerificationKey:
    return VerificationKey(secret, "HS256", hashlib.sha256(b"key:" + secret).hexdigest()[:ID_DIGITS])


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def local_secret(path: Path) -> bytes:
    """Read a secret of this machine, making it on first use: 32 random bytes in hexadecimal, for the owner's eyes only.

    Raises:
        Malformed: the file is not such a secret, or others may read it.

    """
    if not path.exists():
        _make(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise _unfit(path, "others may read it", f"Run chmod 600 {path}.")
    try:
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise _unfit(path, "it is not 64 hexadecimal digits", "Bring back the file as it was.")
    return secret


def _make(path: Path) -> None:
    """Write aside and link into place: nobody ever reads half a key, and of two makers one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(aside)
        except FileExistsError:
            return
    finally:
        aside.unlink()


def _unfit(path: Path, why: str, advice: str) -> Malformed:
    return Malformed(f"{path} will not do as a secret: {why}.", code="secret_file", advice=advice)


class IssuerKeys:
    """The keys of an issuer, fetched when needed and kept for a while. RS256, ES256 and EdDSA only."""

    def __init__(self, url: str, clock: Clock, client: httpx.AsyncClient) -> None:
        self._url = url
        self._clock = clock
        self._client = client
        self._asking = asyncio.Lock()
        self._keys: dict[str | None, VerificationKey] = {}
        self._fetched_at_ms: int | None = None
        self._asked_at_ms: int | None = None

    async def find(self, key_id: str | None) -> VerificationKey:
        """Return the key of that id; a token without one means the issuer's only key."""
        async with self._asking:
            if self._due(known=self._known(key_id) is not None):
                await self._refresh()
        if self._fetched_at_ms is None:
            raise Unavailable(
                "The issuer's keys cannot be read now.", code="issuer_unreachable", advice="Try again shortly."
            )
        key = self._known(key_id)
        if key is None:
            raise Unauthenticated("The token is not valid.", code="token_invalid", advice="Get a new token.")
        return key

    async def known(self) -> frozenset[str]:
        """Return the keys of the newest answer, which is at most `JWKS_LIFETIME_MS` old while the issuer answers."""
        async with self._asking:
            if self._due(known=True):
                await self._refresh()
        if self._fetched_at_ms is None:
            raise Unavailable("The issuer's keys cannot be read now.", code="issuer_unreachable")
        return frozenset(key.id for key in self._keys.values())

    def _known(self, key_id: str | None) -> VerificationKey | None:
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def _due(self, *, known: bool) -> bool:
        now_ms = self._clock.now_ms()
        if self._asked_at_ms is not None and now_ms - self._asked_at_ms < JWKS_ASK_AGAIN_MS:
            return False
        return not known or self._fetched_at_ms is None or now_ms - self._fetched_at_ms >= JWKS_LIFETIME_MS

    async def _refresh(self) -> None:
        self._asked_at_ms = self._clock.now_ms()
        try:
            self._keys = _read(await self._fetch())
            self._fetched_at_ms = self._asked_at_ms
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            _log.warning("issuer keys not read", url=self._url, error=repr(error))
            if self._fetched_at_ms is not None and self._asked_at_ms - self._fetched_at_ms > JWKS_STALE_MAX_MS:
                self._keys, self._fetched_at_ms = {}, None

    async def _fetch(self) -> object:
        body = bytearray()
        async with self._client.stream("GET", self._url, timeout=JWKS_TIMEOUT_S) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > JWKS_BYTES_MAX:
                    raise ValueError("the JWKS is too large")
        return json.loads(body)


def _read(document: object) -> dict[str | None, VerificationKey]:
    """Pick the keys that we verify with; others, symmetric ones above all, are as if they were not there."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("the JWKS has no keys")  # noqa: TRY004 (what came from outside is a value)
    keys: dict[str | None, VerificationKey] = {}
    for each in listed:
        key = _verifier(each) if isinstance(each, dict) else None
        if key is not None:
            keys[each.get("kid")] = key
    return keys


def _verifier(described: dict[str, Any]) -> VerificationKey | None:
    kind = described.get("kty")
    algorithm = _ALGORITHMS.get((str(kind), None if kind == "RSA" else str(described.get("crv"))))
    if algorithm is None or described.get("use", "sig") != "sig" or described.get("alg", algorithm) != algorithm:
        return None
    try:
        key = jwt.PyJWK(described, algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError):
        return None
    return (
        None
        if getattr(key, "key_size", RSA_BITS_MIN) < RSA_BITS_MIN and kind == "RSA"
        else VerificationKey(key, algorithm, _thumbprint(described))
    )


def _thumbprint(described: dict[str, Any]) -> str:
    """Return what names a key whatever its `kid`: the members that make it, as RFC 7638 picks them."""
    members = {name: described[name] for name in ("crv", "e", "kty", "n", "x", "y") if name in described}
    return hashlib.sha256(json.dumps(members, sort_keys=True).encode()).hexdigest()[:ID_DIGITS]
