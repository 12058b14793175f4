"""People sign in by a provider that runs here over real HTTP: an OpenID provider, and DingTalk."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import jwt
import pytest
import pytest_asyncio

from crdt_sync.errors import Malformed
from crdt_sync.server import keys
from crdt_sync.server.provider_api import PENDING_COOKIE
from crdt_sync.server.providers import Pending
from crdt_sync.server.session_api import COOKIE
from tests.server.conftest import run_service
from tests.server.dingtalk_login_server import CORP, DingTalkLoginServer
from tests.server.oidc_issuer import CLIENT, Key, OidcIssuer, query_of

LABEL = {"en": "Firm", "zh": "公司"}
PEOPLE = [
    {"claim": "email", "value": "boss@firm.example", "department": "sales", "roles": ["sales_lead"]},
    {"claim": "groups", "value": "desk-sales", "department": "sales"},
    {"claim": "groups", "value": "desk-tech", "department": "tech", "roles": ["tech_lead"]},
]
OIDC = {"kind": "oidc", "name": "firm", "label": LABEL, "client_id": CLIENT, "people": PEOPLE}
DINGTALK = {"kind": "dingtalk", "name": "ding", "label": LABEL, "client_id": "dingdesk", "corp_id": CORP}
DING_PEOPLE = [
    {"claim": "userid", "value": "manager4220", "department": "sales", "roles": ["sales_lead"]},
    {"claim": "dept_id", "value": 4711, "department": "tech"},
]


pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRETS = {"DESK_SECRET": "a secret/with:signs", "DING_SECRET": "this is secret"}


@pytest.fixture(scope="module", autouse=True)
def _secrets():
    with pytest.MonkeyPatch.context() as patch:
        for name, secret in SECRETS.items():
            patch.setenv(name, secret)
        yield


@asynccontextmanager
async def office(tmp_path, *providers, **chosen):
    """A service whose own origin people come back to, which is known once it has a port."""
    async with run_service(tmp_path / "data", open_documents=False, sign_in=list(providers), **chosen) as running:
        origin = f"http://127.0.0.1:{running.service.port}"
        sessions = running.service.sessions
        object.__setattr__(sessions, "origins", (origin,))
        running.service._audit._writing.cancel()  # what it notes stays to be read
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    """One issuer and one service for all: what a test does to either, the next does not see."""
    issuer = OidcIssuer(Key("first"))
    async with issuer.serving():
        provider = OIDC | {"issuer": issuer.url, "client_secret": "env:DESK_SECRET", "scopes": ["email", "groups"]}
        async with office(tmp_path_factory.mktemp("firm"), provider) as running:
            yield issuer, running


@pytest_asyncio.fixture(loop_scope="module")
async def issuer(shared):
    issuer, _ = shared
    kept, key_name = dict(issuer.__dict__), issuer.key.name
    issuer.person = dict(issuer.person)
    yield issuer
    issuer.__dict__.update(kept)
    issuer.key.name = key_name


@pytest_asyncio.fixture(loop_scope="module")
async def firm(shared, issuer):
    _, running = shared
    running.service.sessions.providers["firm"].provider._keys = None  # it has asked for nothing yet
    running.service._audit._unwritten.clear()
    running.http.cookies.clear()
    yield running


@pytest_asyncio.fixture(loop_scope="module")
async def platform():
    server = DingTalkLoginServer()
    async with server.serving() as server.url:
        yield server


@asynccontextmanager
async def ding(tmp_path, platform, people=DING_PEOPLE, **chosen):
    api = dict.fromkeys(("login", "api", "former_api"), platform.url)
    provider = DINGTALK | api | {"client_secret": "env:DING_SECRET", "people": people}
    async with office(tmp_path, provider, **chosen) as running:
        yield running


async def leave(running, name="firm", next_="/"):
    """Go to the provider and be sent back: the address to come back to."""
    away = await running.http.get(f"/api/session/providers/{name}", params={"next": next_})
    assert 303 == away.status_code, away.text
    async with httpx.AsyncClient(trust_env=False) as browser:
        return (await browser.get(away.headers["location"])).headers["location"]


async def come_back(running, address):
    answer = await running.http.get(address)
    assert 303 == answer.status_code, answer.text
    return answer.headers["location"]


async def enter(running, name="firm", next_="/"):
    return await come_back(running, await leave(running, name, next_))


async def got(running):
    return (await running.http.post("/api/session/token")).json()


async def test_an_open_id_provider_vouches_for_somebody_whom_the_settings_let_in(firm, issuer):
    shown = (await firm.http.get("/api/session")).json()["ways"]
    assert [{"name": "firm", "label": LABEL, "url": "/api/session/providers/firm"}] == shown["providers"]
    assert [] == shown["development"], "once there is a provider"

    assert "/console/sales" == await enter(firm, next_="/console/sales")
    told = await got(firm)
    assert ("firm:248289761001", "sales", ["sales"], "firm") == (
        told["actor"],
        told["department"],
        told["roles"],
        told["way"],
    )
    headers = {"authorization": f"Bearer {told['token']}"}
    assert 200 == (await firm.http.get("/api/tickets", headers=headers)).status_code
    asked = issuer.asked[0]
    assert {"openid", "email", "groups"} == set(asked["scope"].split())
    assert 43 <= len(asked["code_challenge"])
    assert 3 == len({asked["state"], asked["nonce"], asked["code_challenge"]})
    assert PENDING_COOKIE not in firm.http.cookies


@pytest.mark.parametrize(
    ("person", "department", "roles"),
    [
        ({"email": "boss@firm.example"}, "sales", ["sales", "sales_lead"]),
        ({"groups": ["desk-tech"]}, "tech", ["tech", "tech_lead"]),
        ({"groups": "desk-tech"}, "tech", ["tech", "tech_lead"]),
    ],
)
async def test_the_first_rule_that_fits_counts(firm, issuer, person, department, roles):
    issuer.person |= person
    await enter(firm)
    told = await got(firm)

    assert (department, roles) == (told["department"], told["roles"])


@pytest.mark.parametrize("groups", [["desk"], [], None, "desk-sales,desk-tech", {"desk-sales": 1}, [["desk-sales"]]])
async def test_whom_no_rule_fits_does_not_come_in(firm, issuer, groups):
    issuer.person["groups"] = groups

    assert "/?refused=not_admitted" == await enter(firm)
    assert COOKIE not in firm.http.cookies
    audited = [(kind.subject, kind.code) for kind in firm.service._audit._unwritten]
    assert [("GET /api/session/providers/firm/callback", "not_admitted")] == audited


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"aud": [CLIENT, "another"]},
        {"iss": "https://another.example"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 100_000_000_000},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 200},
        {"sub": "王"},
        {"sub": 7},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_this_sign_in_lets_nobody_in(firm, issuer, claims):
    issuer.claims = claims

    assert "/?refused=provider_refused" == await enter(firm)
    assert COOKIE not in firm.http.cookies


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": "RS512"}, {"kid": "another"}], ids=str)
async def test_a_token_that_is_not_signed_as_it_must_be_lets_nobody_in(firm, issuer, header):
    issuer.header = header

    assert (await enter(firm)).startswith("/?refused=")
    assert COOKIE not in firm.http.cookies


async def test_a_token_that_is_signed_with_the_public_key_as_a_secret_lets_nobody_in(firm, issuer, monkeypatch):
    monkeypatch.setattr(
        issuer.key, "token", lambda claims, **_: jwt.encode(claims, "k" * 32, "HS256", headers={"kid": "first"})
    )

    assert "/?refused=provider_refused" == await enter(firm)


async def test_a_state_that_is_another_browsers_lets_nobody_in(firm):
    address = await leave(firm)
    mine = firm.http.cookies[PENDING_COOKIE]
    wrong = address.replace("state=", "state=0")
    assert "/?refused=sign_in_not_begun" == await come_back(firm, wrong)
    assert "/?refused=sign_in_not_begun" == await come_back(firm, address), "a try ends it"

    others = await leave(firm)
    firm.http.cookies.clear()
    assert "/?refused=sign_in_not_begun" == await come_back(firm, others), "a browser that has begun none"
    headers = {"cookie": f"{PENDING_COOKIE}={mine}"}
    answer = await firm.http.get(others, headers=headers)
    assert "/?refused=sign_in_not_begun" == answer.headers["location"], "one that has begun another"
    forged = jwt.encode({**jwt.decode(mine, options={"verify_signature": False})}, "k" * 32, "HS256")
    answer = await firm.http.get(address, headers={"cookie": f"{PENDING_COOKIE}={forged}"})
    assert "/?refused=sign_in_not_begun" == answer.headers["location"]


async def test_a_code_is_good_once(firm):
    address = await leave(firm)
    pending = firm.http.cookies[PENDING_COOKIE]
    assert "/" == await come_back(firm, address)
    firm.http.cookies.clear()
    answer = await firm.http.get(address, headers={"cookie": f"{PENDING_COOKIE}={pending}"})

    assert ("/?refused=provider_refused", False) == (answer.headers["location"], COOKIE in answer.cookies)


async def test_a_sign_in_that_takes_too_long_ends(firm):
    key = firm.service.sessions.pending_key
    for expires_ms, there in ((2**50, "/"), (1, "/?refused=sign_in_not_begun")):
        address = await leave(firm)
        pending = replace(Pending.read(firm.http.cookies[PENDING_COOKIE], key), expires_ms=expires_ms)
        firm.http.cookies.clear()
        answer = await firm.http.get(address, headers={"cookie": f"{PENDING_COOKIE}={pending.signed(key)}"})
        assert there == answer.headers["location"]


async def test_a_key_that_was_rotated_is_found(firm, issuer, monkeypatch):
    monkeypatch.setattr(keys, "JWKS_ASK_AGAIN_MS", 0)
    assert "/" == await enter(firm)
    issuer.key = await asyncio.to_thread(Key, "second")
    assert "/" == await enter(firm)
    issuer.key.name = "first"  # which it withdrew
    issuer.header = {"kid": "first"}
    monkeypatch.setattr(type(issuer.key), "public", {"kty": "RSA"})
    monkeypatch.setattr(keys, "JWKS_LIFETIME_MS", 0)
    assert (await enter(firm)).startswith("/?refused=")


@pytest.mark.parametrize("answer", ["denied", "nothing"])
async def test_who_is_let_in_by_nobody_is_told(firm, answer):
    address = (await leave(firm)).partition("?")
    query = query_of("".join(address))
    more = "&error=access_denied" if answer == "denied" else ""

    assert "/?refused=provider_denied" == await come_back(firm, f"{address[0]}?state={query['state']}{more}")


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://another.example"},
        {"token_endpoint": "http://another.example/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
async def test_a_provider_that_describes_itself_wrongly_is_not_asked(firm, issuer, metadata):
    issuer.metadata = metadata
    answer = await firm.http.get("/api/session/providers/firm")

    assert (303, "/?refused=provider_unreachable") == (answer.status_code, answer.headers["location"])
    assert [("GET /api/session/providers/firm", "provider_unreachable")] == [
        (kind.subject, kind.code) for kind in firm.service._audit._unwritten
    ]


async def test_a_provider_that_is_away_is_asked_again(firm, issuer):
    issuer.down = True
    away = await firm.http.get("/api/session/providers/firm")
    assert "/?refused=provider_unreachable" == away.headers["location"]
    issuer.down = False
    assert "/" == await enter(firm)


@pytest.mark.parametrize(
    "next_", ["https://evil.example/", "//evil.example", "/\\evil.example", "/api/session", "/console/../x", ""]
)
async def test_nobody_is_sent_to_another_place(firm, next_):
    assert "/" == await enter(firm, next_=next_)


async def test_people_come_back_to_origins_that_are_listed_alone(firm):
    answer = await firm.http.get("/api/session/providers/firm", headers={"host": "desk.evil.example"})

    assert (403, "redirect") == (answer.status_code, answer.json()["code"])
    assert 404 == (await firm.http.get("/api/session/providers/other")).status_code


async def test_dingtalk_vouches_for_its_people_by_id_and_by_department(tmp_path, platform):
    async with ding(tmp_path, platform) as running:
        assert "/" == await enter(running, "ding")
        told = await got(running)
        assert ("ding:manager4220", "sales", ["sales", "sales_lead"]) == (
            told["actor"],
            told["department"],
            told["roles"],
        )
        platform.person["userid"] = "worker1"
        assert "/" == await enter(running, "ding")
        told = await got(running)
        assert ("ding:worker1", "tech", ["tech"]) == (told["actor"], told["department"], told["roles"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"corp": "another"}, "provider_refused"),
        ({"strange": True}, "provider_refused"),
        ({"person": {"userid": "manager4220", "contact_type": 1}}, "provider_refused"),
        ({"person": {"userid": "x", "contact_type": 0, "dept_id_list": [2], "name": "x"}}, "not_admitted"),
        ({"person": {"userid": "x", "contact_type": 0, "dept_id_list": ["4711"], "name": "x"}}, "not_admitted"),
        ({"person": {"userid": "x", "contact_type": 0, "dept_id_list": None, "name": "x"}}, "not_admitted"),
    ],
)
async def test_who_is_none_of_the_organisations_people_does_not_come_in(tmp_path, platform, change, code):
    for name, value in change.items():
        setattr(platform, name, value)
    async with ding(tmp_path, platform) as running:
        assert f"/?refused={code}" == await enter(running, "ding")
        assert COOKIE not in running.http.cookies


async def test_what_is_kept_of_an_encrypted_page_while_it_is_away_is_the_hosts_alone(tmp_path, platform):
    async with ding(tmp_path, platform, proxies=("127.0.0.1",)) as running:
        object.__setattr__(running.service.sessions, "origins", ("https://desk.example",))
        answer = await running.http.get(
            "/api/session/providers/ding", headers={"host": "desk.example", "x-forwarded-proto": "https"}
        )
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"__Host-{PENDING_COOKIE}=")
        assert all(each in cookie for each in ("Secure", "HttpOnly", "Path=/;"))
        assert "Domain" not in cookie


async def test_a_code_of_dingtalks_is_good_once(tmp_path, platform):
    async with ding(tmp_path, platform) as running:
        address = await leave(running, "ding")
        pending = running.http.cookies[PENDING_COOKIE]
        assert "/" == await come_back(running, address)
        answer = await running.http.get(address, headers={"cookie": f"{PENDING_COOKIE}={pending}"})
        assert "/?refused=provider_refused" == answer.headers["location"]


async def test_a_secret_that_is_not_there_is_heard_of_at_the_start(tmp_path, monkeypatch):
    monkeypatch.delenv("DESK_SECRET")
    provider = OIDC | {"issuer": "https://issuer.example", "client_secret": "env:DESK_SECRET"}
    with pytest.raises(Malformed, match="DESK_SECRET"):
        async with run_service(tmp_path / "data", sign_in=[provider]):
            pass
