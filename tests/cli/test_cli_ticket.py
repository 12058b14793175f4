"""The commands `ticket` and `replica`, as a person types them."""

import asyncio

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from crdt_sync.cli import replica, ticket
from crdt_sync.replica import Replica
from tests.replica.loopback import token_of
from tests.server.conftest import run_service
from tests.world import SALES


@pytest.fixture
def offline(tmp_path):
    """Run a command on an offline replica; the exit code and what was printed."""

    def invoke(app, *args, code=0, options=("--offline",)):
        environment = {"CRDT_SYNC_REPLICA": str(tmp_path / "replica.db"), "CRDT_SYNC_TOKEN": token_of(SALES)}
        result = CliRunner().invoke(app, [*args, *options], env=environment)
        assert code == result.exit_code, result.output
        return result.output

    return invoke


def test_a_day_offline(offline, tmp_path):
    id_ = offline(ticket.app, "open", "Fibre for the bakery", "--subject", "order 7").splitlines()[0]
    short = id_[:10]
    said = offline(ticket.app, "do", short, "sales", "quote", "--payload", "price=100.00")
    assert "Kept here; it goes out once the service answers.\nFibre for the bakery: presale.\n" == said
    offline(ticket.app, "do", short, "sales", "sign", "--payload", "contract=A-17")
    offline(ticket.app, "say", short, "Signed, thank you.")
    offline(ticket.app, "set", short, "priority=high", "customer=Ms Li", "tags=")
    offline(ticket.app, "take", short, "sales")
    offline(ticket.app, "note", short, "sales", "calls back")

    shown = offline(ticket.app, "show", short)
    for line in (
        "Fibre for the bakery  [ready_to_start]",
        "  priority: high",
        "  assignee.sales: sales-1",
        "sales: signed",
        "note sales: calls back",
        "agent: Signed, thank you.",
        "pending: sales.sign",
    ):
        assert line in shown
    assert f"{id_[:12]}  ready_to_start      Fibre for the bakery  (4 pending)\n" == offline(ticket.app, "list")
    assert "Ready to start" in offline(ticket.app, "explain", short)
    assert "可以开工" in offline(ticket.app, "explain", short, "--language", "zh")
    status = offline(replica.app, "status")
    assert status.startswith("sales-1 of sales: offline\n1 tickets, 0 of 5 documents in sync\n")
    assert 4 == status.count("pending")

    kept = tmp_path / "kept.jsonl"
    assert str(kept) in offline(replica.app, "reset", "--export", str(kept))
    assert 4 == kept.read_text().count('"record"')
    assert "" == offline(ticket.app, "list")


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("show", "zzz"), 1, "[not_found]"),
        (("do", "zzz", "sales", "quote"), 1, "[not_found]"),
        (("do",), 2, "Missing argument"),
        (("fly",), 2, "No such command"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_an_exit_code(offline, args, code, says):
    assert says in offline(ticket.app, *args, code=code)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("do", "sales", "quote", "--payload", "price"), "KEY=VALUE"),
        (("do", "sales", "sign", "--payload", "contract=A"), "sales.sign is not possible while sales is 'lead'."),
        (("do", "tech", "start"), "[lane_owner]"),
        (("do", "moon", "fly"), "Lanes are"),
        (("set", "colour=red"), "[key]"),
    ],
)
def test_a_wrong_command_says_what_would_be_right(offline, args, says):
    id_ = offline(ticket.app, "open", "Fibre").splitlines()[0]

    assert says in offline(ticket.app, args[0], id_, *args[1:], code=1)


def test_options_of_the_group_may_stand_anywhere_but_not_in_a_text(offline):
    id_ = offline(ticket.app, "open", "Fibre", options=("--wait=1", "--offline")).splitlines()[0]
    offline(ticket.app, "say", "--offline", "--", id_, "--offline", options=())

    assert "agent: --offline" in offline(ticket.app, "show", id_)


def test_without_a_service_the_command_says_so_and_works(offline):
    unreachable = ("--url", "ws://127.0.0.1:9", "--wait", "0.1")
    said = offline(ticket.app, "open", "Fibre", options=unreachable)

    assert "did not sync within 0.1 s" in said
    assert "Kept here" in said
    assert "[not_synced]" in offline(replica.app, "sync", "--timeout", "0.1", code=1, options=unreachable)


def test_a_replica_without_a_token_says_what_to_do(tmp_path):
    result = CliRunner().invoke(ticket.app, ["list", "--replica", str(tmp_path / "replica.db")])

    assert (1, True) == (result.exit_code, "Give --token" in result.output)


@pytest.mark.parametrize("scheme", ["ws", "grpc"])
async def test_a_day_online(tmp_path, scheme):
    with capture_logs():  # the service's lines would stand among the command's
        await _day_online(tmp_path, scheme)


async def _day_online(tmp_path, scheme):
    async with run_service(tmp_path / "data") as running:
        port = running.service.port if scheme == "ws" else running.service.grpc_port
        options = ["--replica", str(tmp_path / "r.db"), "--url", f"{scheme}://127.0.0.1:{port}"]
        options += ["--token", running.token(), "--wait", "10"]

        async def invoke(app, *args):
            result = await asyncio.to_thread(CliRunner().invoke, app, [*args, *options])
            return result.exit_code, result.output.splitlines()

        code, (id_, said) = await invoke(ticket.app, "open", "Fibre")
        assert (0, "Delivered.") == (code, said)
        done = await invoke(ticket.app, "do", id_[:9], "sales", "quote", "--payload", "price=1.00")
        assert (0, ["Delivered.", "Fibre: presale."]) == done
        assert (0, ["Delivered.", "Fibre: presale."]) == await invoke(ticket.app, "set", id_, "priority=high")
        in_sync = ["sales-1 of sales: connected", "1 tickets, 5 of 5 documents in sync"]
        assert (0, in_sync) == await invoke(replica.app, "sync")
        answer = await running.http.get(f"/api/tickets/{id_}", headers=running.headers("tech"))
        assert ("quoted", "high") == (answer.json()["lanes"]["sales"], answer.json()["card"]["priority"])

        token = running.token(roles=["sales", "sales_lead"])  # a role that the service's tokens no longer grant
        async with Replica.open(tmp_path / "r.db", token=token) as alone:
            await (await alone.ticket(id_)).do("sales", "lose")
        code, lines = await invoke(replica.app, "status")
        assert 0 == code
        assert any("refused (role_not_held): sales.lose" in line for line in lines)
