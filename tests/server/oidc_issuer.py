"""A small OpenID provider over real HTTP, written apart from what is tested. What it does wrong, a test chooses."""

import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.gateway.rig import serving

CLIENT, SECRET = "desk", "a secret/with:signs"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """An RSA key and its id."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.private = rsa.generate_private_key(65537, 2048)

    @property
    def public(self) -> dict[str, str]:
        numbers = self.private.public_key().public_numbers()
        size = (numbers.n.bit_length() + 7) // 8
        return {"kty": "RSA", "kid": self.name, "n": b64(numbers.n.to_bytes(size, "big")), "e": "AQAB", "use": "sig"}

    def token(self, claims: dict[str, object], **header: object) -> str:
        head = {"alg": "RS256", "kid": self.name} | header
        body = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
        if head["alg"] == "none":
            return f"{body}."
        return f"{body}.{b64(self.private.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class OidcIssuer:
    """Gives each code once, to whoever shows the verifier. `claims` and `header` of its tokens may be changed."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.url = ""
        self.person = {"sub": "248289761001", "email": "ann@firm.example", "groups": ["everybody", "desk-sales"]}
        self.claims: dict[str, object] = {}
        self.header: dict[str, object] = {}
        self.metadata: dict[str, object] = {}
        self.down = False
        self.asked: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        routes = [
            Route("/.well-known/openid-configuration", self._configuration),
            Route("/keys", self._keys),
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
        ]
        async with serving(Starlette(routes=routes)) as self.url:
            yield self.url

    async def _configuration(self, _: Request) -> Response:
        if self.down:
            return JSONResponse({"error": "down"}, 503)
        found = {"issuer": self.url, "authorization_endpoint": f"{self.url}/authorize"}
        return JSONResponse(
            found | {"token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/keys"} | self.metadata
        )

    async def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self.key.public]})

    async def _authorize(self, request: Request) -> Response:
        """Whoever comes is signed in already."""
        asked = dict(request.query_params)
        assert {"response_type": "code", "client_id": CLIENT, "code_challenge_method": "S256"}.items() <= asked.items()
        assert "openid" in asked["scope"].split()
        self.asked.append(asked)
        code = f"code-{len(self.asked)}"
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?code={code}&state={asked['state']}", 302)

    async def _token(self, request: Request) -> Response:
        form = {name: each[0] for name, each in parse_qs((await request.body()).decode()).items()}
        name, _, secret = base64.b64decode(request.headers["authorization"].split()[1]).decode().partition(":")
        assert (CLIENT, SECRET) == (unquote(name), unquote(secret))
        asked = self._codes.pop(form["code"], None)
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now_s = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "exp": now_s + 60,
            "iat": now_s,
            "nonce": asked["nonce"],
            **self.person,
        }
        claims = {name: each for name, each in (claims | self.claims).items() if each is not None}
        return JSONResponse(
            {"access_token": "x", "token_type": "Bearer", "id_token": self.key.token(claims, **self.header)}
        )


def query_of(location: str) -> dict[str, str]:
    return {name: each[0] for name, each in parse_qs(urlsplit(location).query).items()}
