"""`crdt-sync user` against a running service: who is disabled is out within two seconds, open sockets included."""

import asyncio
import time

import argon2
import pytest
from typer.testing import CliRunner
from websockets.asyncio.client import connect

from crdt_sync.adapters.passwords import Argon2Passwords
from crdt_sync.cli import user
from crdt_sync.cli.main import app
from tests.access.wires import PATIENCE_S
from tests.cli.test_cli_access import SOON_S, admin, closed
from tests.server.conftest import run_service

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    cheap = Argon2Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    for module in ("crdt_sync.cli.user", "crdt_sync.server.ways"):
        monkeypatch.setattr(f"{module}.Argon2Passwords", lambda: cheap)


@pytest.fixture
async def running(tmp_path):
    async with run_service(tmp_path / "data", open_documents=False) as running:
        yield running


def invoke(data, *arguments, typed=""):
    return CliRunner().invoke(app, ["user", *arguments, "--data", str(data)], input=typed)


async def run(running, *arguments, typed=""):
    """The command in a thread: it has an event loop of its own."""
    return await asyncio.to_thread(invoke, running.service.settings.data, *arguments, typed=typed)


async def add(running, name="ann", *roles, password=PASSWORD):
    options = [each for role in roles for each in ("--role", role)]
    return await run(running, "add", name, "--department", "sales", *options, "--stdin", typed=f"{password}\n")


async def sign_in(running, password=PASSWORD):
    answer = await running.http.post("/api/session", json={"name": "ann", "password": password})
    return answer.json().get("code", "ok")


async def test_a_user_is_added_listed_and_signs_in(running):
    assert "ann: of sales, roles sales, sales_lead\n" == (await add(running, "ann", "sales_lead")).output
    typed = f"{PASSWORD}\n{PASSWORD}\n"
    added = await run(running, "add", "bob", "--department", "tech", typed=typed)
    assert 0 == added.exit_code, added.output
    assert PASSWORD not in added.output

    assert "ann: of sales, roles sales, sales_lead\nbob: of tech, roles tech\n" == (await run(running, "list")).output
    assert "ok" == await sign_in(running)
    assert PASSWORD not in repr(await running.service._store.users())


async def test_a_name_is_taken_once(running):
    await add(running)
    again = await add(running, password="another password")

    assert "user_exists" == again.exception.code
    assert "ok" == await sign_in(running)


async def test_who_is_disabled_is_out_within_two_seconds_and_comes_back_with_a_new_sign_in(running):
    await add(running)
    await sign_in(running)
    got = (await running.http.post("/api/session/token")).json()["token"]
    ticket = await running.ticket()
    async with connect(running.ws(f"/sync/ticket/{ticket}/card?token={got}")) as socket:
        await socket.recv()
        assert "ann: of sales, roles sales, disabled\n" == (await run(running, "disable", "ann")).output
        began_s = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            assert (4401, "signed_out") == await closed(socket)
        assert SOON_S > time.monotonic() - began_s
    answer = await running.http.get("/api/tickets", headers={"authorization": f"Bearer {got}"})
    assert (401, "signed_out") == (answer.status_code, answer.json()["code"])
    assert 401 == (await running.http.post("/api/session/token")).status_code
    assert "user_disabled" == await sign_in(running)

    assert "ann: of sales, roles sales\n" == (await run(running, "enable", "ann")).output
    assert 401 == (await running.http.post("/api/session/token")).status_code, "the session of before has ended"
    assert "ok" == await sign_in(running)


async def test_another_password_and_another_department_end_what_was_before(running):
    await add(running)
    for arguments, typed, password in (
        (("set-password", "ann", "--stdin"), "another password\n", "another password"),
        (("move", "ann", "--department", "tech", "--role", "tech_lead"), "", "another password"),
    ):
        before = await sign_in(running, PASSWORD if arguments[0] == "set-password" else password)
        assert "ok" == before
        assert 0 == (await run(running, *arguments, typed=typed)).exit_code
        assert 401 == (await running.http.post("/api/session/token")).status_code
        assert "ok" == await sign_in(running, password)
    got = (await running.http.post("/api/session/token")).json()
    assert ("tech", ["tech", "tech_lead"]) == (got["department"], got["roles"])
    assert "password_wrong" == await sign_in(running)


async def test_the_operator_reads_who_came_in(running):
    await add(running)
    await sign_in(running)
    await running.http.delete("/api/session")
    await sign_in(running)
    data = running.service.settings.data
    shown = await asyncio.to_thread(admin, data, "sign-ins")

    last, first = shown.output.splitlines()
    assert " 'ann' of 'sales' by password from " in last
    assert ", until " in last
    assert ", signed out " in first
    assert "" == (await asyncio.to_thread(admin, data, "sign-ins", "--actor", "bob")).output


@pytest.mark.parametrize(
    ("arguments", "typed", "code"),
    [
        (("add", "Ann", "--department", "sales"), PASSWORD, "name"),
        (("add", "a:b", "--department", "sales"), PASSWORD, "name"),
        (("add", "ann", "--department", "gateway"), PASSWORD, "department"),
        (("add", "ann", "--department", "Sales"), PASSWORD, "department"),
        (("add", "ann", "--department", "sales", "--role", "x y"), PASSWORD, "role"),
        (("add", "ann", "--department", "sales"), "short", "password"),
        (("add", "ann", "--department", "sales"), "", "password"),
        (("add", "ann", "--department", "sales"), "x" * 1025, "password"),
        (("add", "annabelle", "--department", "sales"), "my Annabelle 2026", "password"),
        (("set-password", "nobody"), PASSWORD, "unknown_user"),
    ],
)
async def test_what_will_not_do_is_refused(running, arguments, typed, code):
    result = await run(running, *arguments, "--stdin", typed=typed)

    assert code == result.exception.code
    assert not typed or typed not in str(result.exception)


@pytest.mark.parametrize("command", ["disable", "enable"])
async def test_who_is_not_there_is_told_of(running, command):
    assert "unknown_user" == (await run(running, command, "nobody")).exception.code


def test_no_password_is_an_argument():
    for command in user.app.registered_commands:
        assert not [name for name in command.callback.__annotations__ if "password" in name]
