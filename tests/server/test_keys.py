import json
import stat

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from crdt_sync.errors import Malformed, Unauthenticated, Unavailable
from crdt_sync.server import keys
from crdt_sync.server.auth import TokenAuthenticator
from crdt_sync.server.keys import IssuerKeys, development_key
from tests.fakes import ManualClock

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def described(algorithm, private, kid, **more):
    text = jwt.get_algorithm_by_name(algorithm).to_jwk(private.public_key())
    return json.loads(text) | {"kid": kid} | more


class Issuer:
    """An issuer that answers with `keys`, or with `failure` while that is set, and counts."""

    def __init__(self, *listed):
        self.body = {"keys": list(listed)}
        self.failure = None
        self.asked = 0
        self.clock = ManualClock()
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.keys = IssuerKeys("https://issuer.example/keys", self.clock, self.client)

    def _answer(self, request):
        self.asked += 1
        if isinstance(self.failure, Exception):
            raise self.failure
        if self.failure is not None:
            return self.failure
        return httpx.Response(200, json=self.body)

    async def authenticate(self, private, algorithm, kid):
        claims = {"sub": "ann", "department": "sales", "roles": [], "exp": self.clock.now_ms() // 1000 + 60}
        token = jwt.encode(claims, private, algorithm=algorithm, headers={"kid": kid})
        return await TokenAuthenticator(self.keys, self.clock).authenticate(token, {})


def test_the_development_key_is_made_once_for_the_owner_alone(tmp_path):
    first = development_key(tmp_path / "data")

    assert first.key == development_key(tmp_path / "data").key
    assert (32, "HS256") == (len(first.key.key), first.key.algorithm)
    assert ["dev.key"] == [path.name for path in (tmp_path / "data").iterdir()]
    assert 0o600 == stat.S_IMODE((tmp_path / "data" / "dev.key").stat().st_mode)
    assert first.key.key.hex() == (tmp_path / "data" / "dev.key").read_text().strip()


def test_of_two_makers_the_first_wins(tmp_path):
    keys._make(tmp_path / "dev.key")
    first = (tmp_path / "dev.key").read_text()
    keys._make(tmp_path / "dev.key")

    assert first == (tmp_path / "dev.key").read_text()
    assert ["dev.key"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("text", ["", "ab", "zz" * 32, "ab" * 33, "é"])
def test_a_file_that_is_no_key_is_refused(tmp_path, text):
    (tmp_path / "dev.key").write_text(text)
    (tmp_path / "dev.key").chmod(0o600)

    with pytest.raises(Malformed, match="64 hexadecimal"):
        development_key(tmp_path)


def test_a_key_that_others_may_read_is_refused(tmp_path):
    development_key(tmp_path)
    (tmp_path / "dev.key").chmod(0o640)

    with pytest.raises(Malformed, match="others may read"):
        development_key(tmp_path)


@pytest.mark.parametrize(("algorithm", "private"), [("RS256", RSA), ("ES256", EC), ("EdDSA", ED)])
async def test_an_issuers_key_verifies_with_its_one_algorithm(algorithm, private):
    issuer = Issuer(described(algorithm, private, "k1"))

    assert "ann" == (await issuer.authenticate(private, algorithm, "k1")).principal.actor


async def test_an_rsa_key_verifies_no_other_rsa_algorithm():
    issuer = Issuer(described("RS256", RSA, "k1"))

    with pytest.raises(Unauthenticated):
        await issuer.authenticate(RSA, "RS512", "k1")


@pytest.mark.parametrize(
    "unfit",
    [
        {"kty": "oct", "k": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s", "kid": "k1"},
        described("RS256", RSA, "k1", use="enc"),
        described("RS256", RSA, "k1", alg="RS512"),
        described("RS256", WEAK, "k1"),
        {"kty": "RSA", "kid": "k1"},
        {"kty": "EC", "crv": "P-256", "x": "?", "y": "?", "kid": "k1"},
        {"kty": ["RSA"], "kid": "k1"},
        {"kty": "RSA", "n": 1, "e": 1, "kid": "k1"},
        "k1",
        None,
    ],
    ids=range(10),
)
async def test_keys_that_will_not_do_are_as_if_not_there(unfit):
    issuer = Issuer(unfit, described("ES256", EC, "k2"))

    with pytest.raises(Unauthenticated):
        await issuer.keys.find("k1")
    assert "ES256" == (await issuer.keys.find("k2")).algorithm


async def test_keys_are_kept_for_their_lifetime():
    issuer = Issuer(described("ES256", EC, "k1"))
    await issuer.keys.find("k1")
    issuer.clock.advance(keys.JWKS_LIFETIME_MS - 1)
    await issuer.keys.find("k1")

    assert 1 == issuer.asked

    issuer.body = {"keys": []}
    issuer.clock.advance(1)
    with pytest.raises(Unauthenticated):
        await issuer.keys.find("k1")


async def test_a_new_key_is_found_and_invented_ones_do_not_hammer_the_issuer():
    issuer = Issuer(described("ES256", EC, "k1"))
    await issuer.keys.find("k1")
    for number in range(100):
        with pytest.raises(Unauthenticated):
            await issuer.keys.find(f"invented{number}")

    assert 1 == issuer.asked

    issuer.body["keys"].append(described("EdDSA", ED, "k2"))
    issuer.clock.advance(keys.JWKS_ASK_AGAIN_MS)

    assert "EdDSA" == (await issuer.keys.find("k2")).algorithm


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"location": "https://elsewhere.example"}),
        httpx.Response(200, text="no"),
        httpx.Response(200, json=[]),
        httpx.Response(200, content=b"[" * 10_000),
        httpx.Response(200, json={"keys": {}}),
        httpx.Response(200, content=b" " * (keys.JWKS_BYTES_MAX + 1)),
        httpx.ConnectError("down"),
    ],
    ids=range(8),
)
async def test_an_issuer_that_is_down_shuts_nobody_out_for_an_hour(failure):
    issuer = Issuer(described("ES256", EC, "k1"))
    issuer.failure = failure
    for _ in range(10):
        with pytest.raises(Unavailable) as caught:
            await issuer.keys.find("k1")
    assert ("issuer_unreachable", 1) == (caught.value.code, issuer.asked)

    issuer.failure = None
    issuer.clock.advance(keys.JWKS_ASK_AGAIN_MS)
    await issuer.keys.find("k1")
    issuer.failure = failure
    issuer.clock.advance(keys.JWKS_STALE_MAX_MS)
    await issuer.keys.find("k1")
    issuer.clock.advance(keys.JWKS_ASK_AGAIN_MS)

    with pytest.raises(Unavailable):
        await issuer.keys.find("k1")


async def test_a_token_without_a_key_id_means_the_only_key():
    issuer = Issuer(described("ES256", EC, "k1"))

    assert "ES256" == (await issuer.keys.find(None)).algorithm

    issuer = Issuer(described("ES256", EC, "k1"), described("EdDSA", ED, "k2"))

    with pytest.raises(Unauthenticated):
        await issuer.keys.find(None)
