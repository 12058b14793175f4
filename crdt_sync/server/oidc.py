"""OpenID Connect Core 1.0: the authorization code with PKCE (RFC 7636), state and nonce, by discovery."""

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import jwt

from crdt_sync.ports import Clock
from crdt_sync.server.addresses import is_safe
from crdt_sync.server.auth import CLOCK_SKEW_S
from crdt_sync.server.keys import IssuerKeys
from crdt_sync.server.provider_settings import OidcSettings
from crdt_sync.server.providers import Pending, ask, refused, unreachable

DISCOVERY_MS = 3_600_000  # how long it counts
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_NEEDED = ["iss", "sub", "aud", "exp", "iat", "nonce"]


class OidcProvider:
    """One issuer, and the client that we are to it."""

    def __init__(self, settings: OidcSettings, clock: Clock, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._clock = clock
        self._client = client
        self._asking = asyncio.Lock()
        self._metadata: Mapping[str, Any] = {}
        self._asked_ms = 0
        self._keys: IssuerKeys | None = None

    async def address(self, pending: Pending) -> str:
        """Return the issuer's page, with the digest of what only the browser that begins here will have."""
        metadata, _ = await self._discovered()
        digest = hashlib.sha256(pending.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": pending.redirect_uri,
            "scope": " ".join(dict.fromkeys(("openid", *self._settings.scopes))),
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        endpoint = str(metadata["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def vouch(self, code: str, pending: Pending) -> Mapping[str, object]:
        """Exchange the code for an ID token, and verify that."""
        metadata, keys = await self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": pending.redirect_uri,
            "client_id": self._settings.client_id,
            "code_verifier": pending.verifier,
        }
        auth = None
        if self._settings.client_secret is not None:
            secret = self._settings.client_secret()
            offered = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            if "client_secret_basic" in offered:  # each part is form-encoded first (RFC 6749, 2.3.1)
                auth = httpx.BasicAuth(quote(self._settings.client_id, safe=""), quote(secret, safe=""))
            else:
                form["client_secret"] = secret
        status, answer = await ask(self._client, "POST", metadata["token_endpoint"], data=form, auth=auth)
        token = answer.get("id_token")
        if status != 200 or not isinstance(token, str):
            raise refused("it does not take the code")
        claims = await self._verified(token, keys, pending.nonce)
        person = claims.get(self._settings.person)
        if not isinstance(person, str) or not person:
            raise refused(f"it does not say {self._settings.person}")
        return {**claims, "sub": person}

    async def _verified(self, token: str, keys: IssuerKeys, nonce: str) -> Mapping[str, Any]:
        try:
            key = await keys.find(jwt.get_unverified_header(token).get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                issuer=self._settings.issuer,
                audience=self._settings.client_id,
                # Times are read from the clock port below, as everywhere.
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": _NEEDED},
            )
        except (jwt.PyJWTError, UnicodeError, TypeError) as error:
            raise refused("its token is not valid") from error
        now_s = self._clock.now_ms() / 1000
        begins, ends = claims.get("nbf", 0), claims["exp"]
        if not all(isinstance(each, int | float) for each in (begins, ends)) or ends <= now_s:
            raise refused("its token has expired")
        if begins > now_s + CLOCK_SKEW_S:
            raise refused("its token is not valid yet")
        if claims["nonce"] != nonce:
            raise refused("its token is for another sign-in")
        of_several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1  # which of them asked, `azp` says
        if claims.get("azp", None if of_several else self._settings.client_id) != self._settings.client_id:
            raise refused("its token is for another application")
        return claims

    async def _discovered(self) -> tuple[Mapping[str, Any], IssuerKeys]:
        async with self._asking:
            if self._keys is None or self._clock.now_ms() - self._asked_ms > DISCOVERY_MS:
                await self._discover()
            assert self._keys is not None, "it was discovered"
            return self._metadata, self._keys

    async def _discover(self) -> None:
        issuer = self._settings.issuer
        url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        status, found = await ask(self._client, "GET", url)
        endpoints = [found.get(name) for name in _ENDPOINTS]
        safe = all(isinstance(each, str) and is_safe(each) for each in endpoints)
        if status != 200 or found.get("issuer") != issuer or not safe:
            raise unreachable()
        if self._keys is None or self._metadata.get("jwks_uri") != found["jwks_uri"]:
            self._keys = IssuerKeys(found["jwks_uri"], self._clock, self._client)
        self._metadata, self._asked_ms = found, self._clock.now_ms()
