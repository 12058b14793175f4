import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from crdt_sync.errors import Forbidden, Malformed, Unauthenticated
from crdt_sync.server import auth
from crdt_sync.server.auth import NoAuthenticator, TokenAuthenticator, VerificationKey, bearer, issue
from crdt_sync.server.keys import DevelopmentKey
from crdt_sync.wire import limits
from tests.fakes import ManualClock

SECRET = b"k" * 32
KEY = VerificationKey(SECRET, "HS256")
NOW_S = 1_800_000_000
GOOD = {"sub": "ann", "department": "sales", "roles": ["sales", "sales_lead"], "exp": NOW_S + 60}


def signed(claims, *, key=SECRET, algorithm="HS256", headers=None):
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


async def identify(token, **chosen):
    return await TokenAuthenticator(DevelopmentKey(KEY), ManualClock(NOW_S * 1000), **chosen).authenticate(token, {})


async def refusal(token, **chosen):
    with pytest.raises(Unauthenticated) as caught:
        await identify(token, **chosen)
    assert "eyJ" not in str(caught.value)
    return caught.value.code


async def test_a_good_token_names_its_principal_and_its_end():
    identity = await identify(signed(GOOD))

    assert ("ann", "sales", ("sales", "sales_lead")) == (
        identity.principal.actor,
        identity.principal.department,
        identity.principal.roles,
    )
    assert (None, ()) == (identity.principal.tickets, identity.principal.accounts)
    assert (NOW_S + 60) * 1000 == identity.expires_at_ms


async def test_tickets_and_accounts_narrow_the_principal():
    identity = await identify(signed(GOOD | {"tickets": ["a" * 52], "accounts": ["wechat-main"]}))

    assert (("a" * 52,), ("wechat-main",)) == (identity.principal.tickets, identity.principal.accounts)


async def test_an_empty_list_of_tickets_is_not_no_restriction():
    identity = await identify(signed(GOOD | {"tickets": []}))

    assert () == identity.principal.tickets


@pytest.mark.parametrize("token", [None, ""])
async def test_no_token_is_told_apart(token):
    assert "token_missing" == await refusal(token)


@pytest.mark.parametrize("ends_s", [NOW_S, NOW_S - 1, 1])
async def test_an_expired_token_is_told_apart(ends_s):
    assert "token_expired" == await refusal(signed(GOOD | {"exp": ends_s}))


async def test_a_token_for_later_is_refused_beyond_the_skew_of_clocks():
    await identify(signed(GOOD | {"nbf": NOW_S + auth.CLOCK_SKEW_S}))

    assert "token_invalid" == await refusal(signed(GOOD | {"nbf": NOW_S + auth.CLOCK_SKEW_S + 1}))


@pytest.mark.parametrize("missing", ["sub", "department", "roles", "exp"])
async def test_every_claim_is_needed(missing):
    assert "token_invalid" == await refusal(signed({k: v for k, v in GOOD.items() if k != missing}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"sub": ""},
        {"sub": "a" * 129},
        {"sub": "安"},
        {"sub": "a\n"},
        {"sub": 7},
        {"department": "Sales"},
        {"department": "sales\n"},
        {"department": "../sales"},
        {"department": ""},
        {"roles": "sales"},
        {"roles": ["sales"] * 17},
        {"roles": ["Sales"]},
        {"roles": [None]},
        {"exp": "1900000000"},
        {"exp": True},
        {"exp": 10**30},
        {"tickets": ["x"]},
        {"tickets": "a" * 52},
        {"accounts": [""]},
        {"nbf": "soon"},
    ],
    ids=str,
)
async def test_a_claim_of_another_form_is_refused(wrong):
    assert "token_invalid" == await refusal(jwt.api_jws.encode(json.dumps(GOOD | wrong).encode(), SECRET, "HS256"))


@pytest.mark.parametrize(
    ("most", "more"),
    [
        ({"roles": ["r"] * auth.ROLES_MAX}, {"roles": ["r"] * (auth.ROLES_MAX + 1)}),
        ({"tickets": ["a" * 52] * auth.TICKETS_MAX}, {"tickets": ["a" * 52] * (auth.TICKETS_MAX + 1)}),
        ({"accounts": ["a"] * auth.ACCOUNTS_MAX}, {"accounts": ["a"] * (auth.ACCOUNTS_MAX + 1)}),
        ({"exp": auth.SECONDS_MAX}, {"exp": auth.SECONDS_MAX + 1}),
        ({"else": "x" * 4_000}, {"else": "x" * limits.TOKEN_BYTES_MAX}),
    ],
    ids=["roles", "tickets", "accounts", "seconds", "characters"],
)
async def test_a_token_says_so_much_and_no_more(most, more):
    assert "ann" == (await identify(signed(GOOD | most))).principal.actor
    assert "token_invalid" == await refusal(signed(GOOD | more))


async def test_a_token_of_another_key_is_refused():
    assert "token_invalid" == await refusal(signed(GOOD, key=b"x" * 32))


@pytest.mark.parametrize("name", ["none", "None", "NONE", ""])
async def test_a_token_without_a_signature_is_refused(name):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    assert "token_invalid" == await refusal(f"{part({'alg': name, 'typ': 'JWT'})}.{part(GOOD)}.")


async def test_a_token_does_not_choose_its_algorithm():
    """HS512 with the right key is as wrong as any other."""
    assert "token_invalid" == await refusal(signed(GOOD, key=b"k" * 64, algorithm="HS512"))
    assert "token_invalid" == await refusal(jwt.api_jws.encode(json.dumps(GOOD).encode(), b"k" * 64, "HS384"))


async def test_a_public_key_does_not_do_as_a_secret():
    """The old confusion: HS256 with the bytes of an RSA key that everybody knows."""
    public = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    forged = hmac_token(pem)
    keys = DevelopmentKey(VerificationKey(public, "RS256"))

    with pytest.raises(Unauthenticated) as caught:
        await TokenAuthenticator(keys, ManualClock()).authenticate(forged, {})

    assert "token_invalid" == caught.value.code


def hmac_token(secret):
    """An HS256 token made by hand: PyJWT itself refuses to sign with a PEM."""
    import hashlib
    import hmac

    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    body = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(GOOD).encode())
    return (body + b"." + part(hmac.digest(secret, body, hashlib.sha256))).decode()


async def test_the_hand_made_token_is_good_with_its_own_secret():
    """So that the test above refuses it for the right reason."""
    await identify(hmac_token(SECRET))


@pytest.mark.parametrize(
    "junk",
    ["x", "a.b.c", "..", "é.é.é", "\ud800", "a" * 8193, base64.urlsafe_b64encode(b"[" * 5000).decode() + ".e30.e30"],
    ids=range(7),
)
async def test_junk_is_refused(junk):
    assert "token_invalid" == await refusal(junk)


@pytest.mark.parametrize("more", ["=", "====", "!", "\n"])
async def test_a_token_is_written_in_one_way(more):
    """PyJWT takes any padding: each spelling would be another token to whoever counts by tokens."""
    assert "token_invalid" == await refusal(hmac_token(SECRET) + more)


async def test_a_token_for_another_service_of_the_issuer_is_refused():
    mine = signed(GOOD | {"iss": "https://i", "aud": "desk"})

    await identify(mine, issuer="https://i", audience="desk")

    assert "token_invalid" == await refusal(mine)
    assert "token_invalid" == await refusal(mine, issuer="https://i", audience="other")
    assert "token_invalid" == await refusal(mine, issuer="https://j", audience="desk")
    assert "token_invalid" == await refusal(signed(GOOD), issuer="https://i")
    assert "token_invalid" == await refusal(signed(GOOD), audience="desk")


async def test_what_the_command_line_issues_is_taken():
    token = issue(
        KEY, actor="gw", department="gateway", roles=["gateway"], expires_at_ms=(NOW_S + 5) * 1000, accounts=["main"]
    )

    identity = await identify(token)

    assert ("gateway", ("main",)) == (identity.principal.department, identity.principal.accounts)


def test_a_token_that_would_be_refused_is_not_issued():
    with pytest.raises(Malformed, match="department"):
        issue(KEY, actor="a", department="Sales", roles=[], expires_at_ms=NOW_S * 1000)


@pytest.mark.parametrize("host", [None, "127.0.0.1:8000", "[::1]:8000", "localhost"])
async def test_without_tokens_everybody_is_the_same_stranger_with_no_ticket(host):
    identity = await NoAuthenticator().authenticate("whatever", {"host": host} if host else {})

    assert ("", (), ()) == (identity.principal.department, identity.principal.roles, identity.principal.tickets)
    assert identity.expires_at_ms is None


@pytest.mark.parametrize("header", ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"])
async def test_without_tokens_what_came_through_a_proxy_is_refused(header):
    with pytest.raises(Forbidden) as caught:
        await NoAuthenticator().authenticate(None, {header: "x"})

    assert "forwarded" == caught.value.code


@pytest.mark.parametrize("host", ["desk.example", "127.0.0.1.desk.example", "192.168.1.4:8000", "", "[::"])
async def test_without_tokens_a_name_that_somebody_pointed_here_is_refused(host):
    with pytest.raises(Forbidden):
        await NoAuthenticator().authenticate(None, {"host": host})


@pytest.mark.parametrize(("header", "token"), [(None, None), ("Bearer abc", "abc"), ("bearer  abc ", "abc")])
def test_a_bearer_token_is_read(header, token):
    assert token == bearer(header)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "abc"])
def test_another_scheme_is_refused(header):
    with pytest.raises(Unauthenticated):
        bearer(header)
