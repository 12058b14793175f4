"""A browser signs in, gets tokens and signs out, against the real service."""

import time
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import argon2
import httpx
import jwt
import pytest

from crdt_sync.adapters.passwords import Argon2Passwords
from crdt_sync.domain.ids import ActorId, Role
from crdt_sync.ports.users import User
from crdt_sync.server import handshake_rate
from crdt_sync.server.session_api import COOKIE, SECURE_COOKIE
from crdt_sync.wire import limits
from tests.server.conftest import run_service

CHEAP = Argon2Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
PASSWORD = "correct horse battery"
ANN = User(ActorId("ann"), "sales", (Role("sales"), Role("sales_lead")), CHEAP.hash(PASSWORD))


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    monkeypatch.setattr("crdt_sync.server.ways.Argon2Passwords", lambda: CHEAP)


@asynccontextmanager
async def served(tmp_path, *users, **chosen):
    async with run_service(tmp_path / "data", open_documents=False, **chosen) as running:
        running.service._audit._writing.cancel()  # what it notes stays to be read
        for user in users:
            await running.service._store.add_user(user)
        yield running


@pytest.fixture
async def office(tmp_path):
    """A service with one user."""
    async with served(tmp_path, ANN) as running:
        yield running


@pytest.fixture
async def fresh(tmp_path):
    """A service out of the box."""
    async with served(tmp_path) as running:
        yield running


async def sign_in(running, name="ann", password=PASSWORD, **headers):
    return await running.http.post("/api/session", json={"name": name, "password": password}, headers=headers)


async def token(running):
    return await running.http.post("/api/session/token")


def told(answer):
    return answer.status_code, answer.json()["code"]


async def session(running):
    return (await running.http.get("/api/session")).json()["session"]


async def works(running, given):
    answer = await running.http.get("/api/tickets", headers={"authorization": f"Bearer {given}"})
    return answer.status_code if answer.status_code == 200 else answer.json()["code"]


async def test_a_password_is_exchanged_for_tokens_that_every_wire_takes(office):
    answer = await sign_in(office)
    assert 200 == answer.status_code, answer.text
    cookie = answer.headers["set-cookie"]
    assert all(each in cookie for each in (f"{COOKIE}=", "HttpOnly", "SameSite=strict", "Max-Age=43200", "Path=/"))
    assert "Secure" not in cookie
    assert "Domain" not in cookie

    got = (await token(office)).json()
    claims = jwt.decode(got["token"], options={"verify_signature": False})
    assert ("ann", "sales", ["sales", "sales_lead"]) == (claims["sub"], claims["department"], claims["roles"])
    assert ("ann", "sales", ["sales", "sales_lead"]) == (got["actor"], got["department"], got["roles"])
    assert 290 < claims["exp"] - time.time() <= 300
    assert 200 == await works(office, got["token"])
    assert "ann" == (await session(office))["actor"]


async def test_nobody_is_told_which_ways_there_are(office):
    shown = (await office.http.get("/api/session")).json()

    assert {"session": None, "ways": {"password": True, "development": [], "providers": []}} == shown
    assert (401, "signed_out") == told(await token(office))


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong"), ("nobody", PASSWORD), ("ann", PASSWORD + " ")])
async def test_a_wrong_name_and_a_wrong_password_are_one_answer(office, name, password):
    answer = await sign_in(office, name, password)

    assert (401, "password_wrong") == told(answer)
    assert "The name or the password is wrong." == answer.json()["detail"]
    assert "set-cookie" not in answer.headers


async def test_for_a_name_that_is_not_there_the_same_work_is_done(office, monkeypatch):
    seen = []

    class Watched(argon2.PasswordHasher):
        def verify(self, password_hash, password):
            seen.append(argon2.extract_parameters(password_hash))
            return super().verify(password_hash, password)

    monkeypatch.setattr(CHEAP, "_hasher", Watched(time_cost=1, memory_cost=8, parallelism=1))
    for name in ("ann", "nobody"):
        await sign_in(office, name, "wrong")

    assert 2 == len(seen)
    assert seen[0] == seen[1]


async def test_a_name_is_found_however_it_is_typed_and_a_password_in_either_form(office):
    await office.service._store.add_user(
        replace(ANN, name=ActorId("e"), password_hash=CHEAP.hash("\u00e9l\u00e8ve à demi"))
    )

    assert 200 == (await sign_in(office, " Ann ")).status_code
    assert 200 == (await sign_in(office, "e", "e\u0301le\u0300ve\u3000a\u0300\u00a0demi")).status_code


async def test_guesses_are_limited_by_name_and_by_address_and_a_right_one_counts_as_none(office, monkeypatch):
    monkeypatch.setattr(handshake_rate, "SECOND_NS", 10**15)
    rate = office.service._http._sockets._rate
    rate.__init__()
    for _ in range(2 * limits.NAME_SIGN_INS_MAX):
        assert 200 == (await sign_in(office)).status_code
    for name in ("ann", "nobody"):
        wrong = [(await sign_in(office, name, "wrong")).status_code for _ in range(limits.NAME_SIGN_INS_MAX)]
        assert [401] * limits.NAME_SIGN_INS_MAX == wrong
        answer = await sign_in(office, name, "wrong")
        assert (429, "too_many_sign_ins") == told(answer)
        assert int(answer.headers["retry-after"]) > 0
    assert (429, "too_many_sign_ins") == told(await sign_in(office)), "the right one, too"

    left = limits.SOURCE_SIGN_INS_MAX - 2 * limits.NAME_SIGN_INS_MAX
    codes = [(await sign_in(office, f"name{index}", "wrong")).status_code for index in range(left + 1)]
    assert [401] * left + [429] == codes


async def test_a_hash_of_other_parameters_is_made_anew_at_a_sign_in(tmp_path, monkeypatch):
    today = Argon2Passwords(argon2.PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    monkeypatch.setattr("crdt_sync.server.ways.Argon2Passwords", lambda: today)
    async with served(tmp_path, ANN) as running:
        for _ in range(2):
            assert 200 == (await sign_in(running)).status_code
            kept = (await running.service._store.user(ANN.name)).password_hash
            assert 2 == argon2.extract_parameters(kept).time_cost


async def test_who_signs_out_is_out_for_good(office):
    await sign_in(office)
    secret = office.http.cookies[COOKIE]
    answer = await office.http.delete("/api/session")
    assert (204, "") == (answer.status_code, office.http.cookies.get(COOKIE, ""))

    office.http.cookies.set(COOKIE, secret)
    assert (401, "signed_out") == told(await token(office))
    assert await session(office) is None
    assert 204 == (await office.http.delete("/api/session")).status_code


async def test_a_session_ends(office, monkeypatch):
    await sign_in(office)
    monkeypatch.setattr(office.service.sessions.sign_in, "_clock", Later(12 * 3600))

    assert (401, "signed_out") == told(await token(office))


class Later:
    def __init__(self, by_s):
        self._by_ms = by_s * 1_000

    def now_ms(self):
        return int(time.time() * 1000) + self._by_ms


@pytest.mark.parametrize("change", [{"disabled": True}, {"department": "tech", "roles": (Role("tech"),)}])
async def test_what_becomes_of_a_user_becomes_of_the_session(office, change):
    await sign_in(office)
    await office.service._store.amend_user(ANN.name, partial(replace, **change))
    answer = await token(office)

    if "disabled" in change:
        assert (401, "user_disabled") == told(answer)
        assert (401, "user_disabled") == told(await sign_in(office))
        assert (401, "password_wrong") == told(await sign_in(office, password="wrong"))
    else:
        assert ("tech", ["tech"]) == (answer.json()["department"], answer.json()["roles"])


@pytest.mark.parametrize("taken", [{"revoked": True}, {"valid_from_ms": 10**13}], ids=["revoked", "signed out"])
async def test_what_an_operator_takes_ends_a_session_before_anybody_has_looked(office, taken):
    await sign_in(office)
    await office.service._store.restrict(ANN.name, partial(replace, **taken), 1)

    assert 401 == (await token(office)).status_code
    assert 401 == (await sign_in(office)).status_code


async def test_a_page_of_another_origin_does_nothing_here_even_one_that_may_open_sockets(tmp_path):
    async with served(tmp_path, ANN, origins=("https://elsewhere.example",)) as running:
        await sign_in(running)
        for origin in ("https://elsewhere.example", "null", "http://127.0.0.1:1"):
            for method, path in (("POST", ""), ("DELETE", ""), ("GET", ""), ("POST", "/token")):
                body = {"name": "ann", "password": PASSWORD} if (method, path) == ("POST", "") else None
                answer = await running.http.request(
                    method, f"/api/session{path}", json=body, headers={"origin": origin}
                )
                assert (403, "origin") == told(answer)
        own = {"origin": f"http://127.0.0.1:{running.service.port}"}
        assert 200 == (await running.http.post("/api/session/token", headers=own)).status_code


async def test_over_tls_the_cookie_is_the_hosts_alone(tmp_path, pair, trusting):
    async with served(tmp_path, ANN, gateway=False, **pair) as running:
        base = f"https://127.0.0.1:{running.service.port}"
        async with httpx.AsyncClient(base_url=base, verify=trusting) as client:
            answer = await client.post("/api/session", json={"name": "ann", "password": PASSWORD})
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith(f"{SECURE_COOKIE}=")
            assert all(each in cookie for each in ("Secure", "HttpOnly", "SameSite=strict", "Path=/"))
            assert "Domain" not in cookie
            assert 200 == (await client.post("/api/session/token")).status_code
            for origin, status in ((base, 200), (base.replace("https", "http"), 403)):
                page = {"origin": origin}
                assert status == (await client.post("/api/session/token", headers=page)).status_code, "made in between"
            plain = {"cookie": f"{COOKIE}={client.cookies[SECURE_COOKIE]}"}
            client.cookies.clear()
            assert 401 == (await client.post("/api/session/token", headers=plain)).status_code, "anybody could set it"


@pytest.mark.parametrize(("proxies", "name"), [(("127.0.0.1",), SECURE_COOKIE), ((), COOKIE)])
async def test_a_believed_proxy_that_encrypts_makes_the_cookie_secure(tmp_path, proxies, name):
    async with served(tmp_path, ANN, proxies=proxies) as running:
        answer = await sign_in(running, **{"x-forwarded-proto": "https"})

    assert answer.headers["set-cookie"].startswith(f"{name}=")


async def test_out_of_the_box_one_enters_as_somebody_of_each_department(fresh):
    people = (await fresh.http.get("/api/session")).json()["ways"]["development"]
    assert {"backoffice", "sales", "tech", "support"} == {person["department"] for person in people}
    [lead] = [person for person in people if person["name"] == "sales_lead"]
    assert {
        "sales": {"en": "Sales", "zh": "销售"},
        "sales_lead": {"en": "Sales lead", "zh": "销售主管"},
    } == lead["labels"]
    assert ("sales", "sales_lead") == (lead["department"], lead["role"])
    for person in people:
        answer = await fresh.http.post("/api/session", json={"development": person["name"]})
        assert (person["department"], person["roles"], "development") == (
            answer.json()["department"],
            answer.json()["roles"],
            answer.json()["way"],
        )
        assert 200 == await works(fresh, (await token(fresh)).json()["token"])
    assert (404, "unknown_person") == told(await fresh.http.post("/api/session", json={"development": "root"}))


@pytest.mark.parametrize(
    "headers",
    [{"x-forwarded-for": "127.0.0.1"}, {"forwarded": "for=x"}, {"via": "1.1 x"}, {"host": "desk.example"}],
    ids=lambda headers: next(iter(headers)),
)
async def test_nobody_enters_without_a_password_through_a_proxy_or_by_another_name(fresh, headers):
    shown = (await fresh.http.get("/api/session", headers=headers)).json()
    answer = await fresh.http.post("/api/session", json={"development": "sales"}, headers=headers)

    assert [] == shown["ways"]["development"]
    assert (403, "no_development") == told(answer)


@pytest.mark.parametrize("chosen", [{"proxies": ("10.0.0.1",)}, {"jwks_url": "http://127.0.0.1:9/keys"}])
async def test_nobody_enters_without_a_password_where_it_is_not_for_this_machine_alone(tmp_path, chosen):
    async with served(tmp_path, **chosen) as running:
        answer = await running.http.post("/api/session", json={"development": "sales"})

    assert (403, "no_development") == told(answer)


async def test_nobody_enters_without_a_password_once_somebody_has_one(office):
    assert (403, "no_development") == told(await office.http.post("/api/session", json={"development": "sales"}))


async def test_who_entered_without_a_password_is_out_once_somebody_has_one(fresh):
    await fresh.http.post("/api/session", json={"development": "sales"})
    proxied = await fresh.http.post("/api/session/token", headers={"via": "1.1 x"})
    assert (401, "signed_out") == told(proxied)
    assert 200 == (await token(fresh)).status_code
    await fresh.service._store.add_user(ANN)

    assert (401, "signed_out") == told(await token(fresh))
    assert await session(fresh) is None


@pytest.mark.parametrize("chosen", [{"proxies": ("10.0.0.1",)}, {"jwks_url": "http://127.0.0.1:9/keys"}])
async def test_who_entered_without_a_password_is_out_after_a_start_for_more_than_this_machine(tmp_path, chosen):
    async with served(tmp_path) as before:
        await before.http.post("/api/session", json={"development": "sales"})
        secret = before.http.cookies[COOKIE]
    async with served(tmp_path, **chosen) as running:
        running.http.cookies.set(COOKIE, secret)

        assert (401, "signed_out") == told(await token(running))


async def test_without_tokens_nobody_signs_in(tmp_path):
    async with served(tmp_path, auth="none") as running:
        assert (403, "no_sign_in") == told(await running.http.get("/api/session"))
        assert (403, "no_sign_in") == told(await sign_in(running))


async def test_beside_an_issuer_the_own_key_signs_and_names_no_issuer(tmp_path):
    issuer = {"jwks_url": "http://127.0.0.1:9/keys", "jwt_issuer": "https://i.example", "jwt_audience": "desk"}
    async with served(tmp_path, ANN, **issuer) as running:
        await sign_in(running)
        assert 200 == await works(running, (await token(running)).json()["token"])
        assert "issuer_unreachable" == await works(running, running.token()), "the development key's is not good"


async def test_the_record_tells_who_came_in_and_whom_it_was_guessed_for(office):
    await sign_in(office, password="wrong")
    await sign_in(office, "nobody", "wrong")
    await sign_in(office)

    (kept,) = await office.service._store.sessions()
    assert ("ann", "password", 16) == (kept.actor, kept.way, len(kept.source))
    assert office.http.cookies[COOKIE] not in repr(kept)
    guessed = [(kind.subject, kind.code, kind.actor) for kind in office.service._audit._unwritten]
    assert [("POST /api/session", "password_wrong", "ann"), ("POST /api/session", "password_wrong", "")] == guessed
    assert 'crdt_sync_sign_ins_total{way="password"} 1.0' in (await office.http.get("/metrics")).text


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "x",
        {"name": "ann"},
        {"name": 1, "password": "x"},
        {"name": "ann", "password": "x" * 1025},
        {"name": "a\x00", "password": "x"},
    ],
)
async def test_a_body_of_another_form_is_refused_and_not_repeated(office, body):
    answer = await office.http.post("/api/session", json=body)

    assert answer.status_code in {400, 401, 422}
    assert "x" * 1025 not in answer.text


@pytest.mark.parametrize("secret", ["", "x", "0" * 64, "\u00ff", "a" * 5_000])
async def test_a_cookie_that_nobody_got_is_nobodys(office, secret):
    headers = {"cookie": f"{COOKIE}={secret}".encode("latin-1")}
    answer = await office.http.post("/api/session/token", headers=headers)

    assert (401, "signed_out") == told(answer)
