import asyncio
import signal
import socket
import stat

import grpc
import httpx
import pycrdt
import pytest
import websockets
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from crdt_sync.adapters import lifecycle_files
from crdt_sync.errors import Malformed, Unavailable
from crdt_sync.ports import StoreUnavailable
from crdt_sync.server import bootstrap, health
from crdt_sync.server.bootstrap import Service
from crdt_sync.server.listening import bind
from crdt_sync.server.settings import load
from crdt_sync.wire import ysync
from tests.adapters.test_desk_file import EXAMPLE
from tests.server.conftest import run_service


async def start(**chosen):
    service = Service(load(**{"port": 0, "grpc_port": 0} | chosen))
    await service.start()
    await service.stop()


@pytest.mark.parametrize(
    ("rule", "code", "named"),
    [
        ('lifecycle = "nowhere.yaml"', "lifecycle", "nowhere.yaml"),
        ('lane = "support"\nassign = "sticky"', "desk", "rules.0.lane"),
        ('colour = "red"', "desk", "rules.0.colour"),
    ],
)
async def test_a_service_desk_that_will_not_do_stops_the_start_by_its_key(tmp_path, rule, code, named):
    desk = tmp_path / "desk.toml"
    desk.write_text(f'version = 1\n[[rules]]\nname = "all"\n{rule}\n')
    with pytest.raises(Malformed) as caught:
        await start(data=tmp_path / "data", desk=desk)

    assert (code, True) == (caught.value.code, named in caught.value.message), caught.value.message


async def test_the_documented_service_desk_starts(tmp_path):
    (tmp_path / "desk.toml").write_text(EXAMPLE, "utf-8")
    await start(data=tmp_path / "data", desk=tmp_path / "desk.toml")


async def test_a_rule_may_name_a_lifecycle_by_its_path(tmp_path):
    own, desk = tmp_path / "own.yaml", tmp_path / "desk.toml"
    own.write_text(lifecycle_files.shipped()["support-only"].replace("version: 1", "version: 7"), "utf-8")
    desk.write_text(f'version = 1\n[[rules]]\nname = "all"\nlifecycle = "{own}"\n')
    async with run_service(tmp_path / "data", desk=desk) as running:
        assert 7 == running.service._lifecycles.given(str(own)).version
        assert "connect-order" == running.service.lifecycle.name


def test_what_is_said_on_the_port_waits_for_no_receipt():
    with bind("127.0.0.1", 0, "--port") as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("which", ["port", "grpc_port"])
async def test_a_busy_port_gives_one_clear_sentence(tmp_path, which):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable) as caught:
            await start(data=tmp_path, **{which: port})

    assert ("port_busy", f"Port {port} on 127.0.0.1 is taken by another program.") == (
        caught.value.code,
        caught.value.message,
    )
    assert f"--{which.replace('_', '-')}" in caught.value.advice


async def test_two_services_never_share_a_port(running, tmp_path):
    for which in ("port", "grpc_port"):
        with pytest.raises(Unavailable, match="taken"):
            await start(data=tmp_path / "other", **{which: getattr(running.service, which)})


async def test_an_address_of_another_machine_is_told(tmp_path):
    with pytest.raises(Malformed) as caught:
        await start(data=tmp_path, host="192.0.2.1", jwks_url="https://issuer.example/keys")

    assert "address" == caught.value.code


def test_an_unsafe_host_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(Malformed) as caught:
        Service(load(host="0.0.0.0", data=tmp_path / "data"))

    assert ("unsafe_host", False) == (caught.value.code, (tmp_path / "data").exists())


@pytest.mark.parametrize(("name", "text"), [("nowhere", None), ("bad.yaml", "lifecycle: x"), ("bad.yaml", "\xff")])
async def test_a_lifecycle_that_will_not_do_is_told(tmp_path, name, text):
    if text is not None:
        (tmp_path / name).write_text(text, "latin-1")
    with pytest.raises(Malformed) as caught:
        await start(data=tmp_path, lifecycle=str(tmp_path / name))

    assert "lifecycle" == caught.value.code


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.db", "nothing", "mysql+nothing://x/y"])
async def test_a_database_that_does_not_open_is_told(tmp_path, url):
    with pytest.raises(Unavailable) as caught:
        await start(data=tmp_path, database_url=url)

    assert "database" == caught.value.code


async def test_a_data_directory_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Malformed) as caught:
        await start(data=tmp_path / "file" / "data")

    assert "data" == caught.value.code


async def test_what_was_committed_is_there_after_a_restart_on_the_same_data(tmp_path):
    async with run_service(tmp_path) as running:
        ticket = await running.ticket()
    async with run_service(tmp_path) as running:
        answer = await running.http.get(f"/api/tickets/{ticket}", headers=running.headers())

    assert (200, "Fibre") == (answer.status_code, answer.json()["card"]["title"])


async def test_secrets_are_for_the_owner_alone(running):
    data = running.service.settings.data

    assert {0o600} == {stat.S_IMODE((data / name).stat().st_mode) for name in ("dev.key", "subject.key")}


async def test_signals_stay_their_callers(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    async with run_service(tmp_path):
        assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


async def test_stopping_twice_or_before_the_start_is_no_error(tmp_path):
    service = Service(load(port=0, grpc_port=0, data=tmp_path))
    await service.stop()
    await start(data=tmp_path)


async def test_after_the_stop_both_ports_are_free(tmp_path):
    async with run_service(tmp_path) as running:
        ports = running.service.port, running.service.grpc_port
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


async def test_what_was_sent_before_the_stop_is_committed_and_acknowledged_before_the_close(running, monkeypatch):
    store, entered, gate = running.service._store, asyncio.Event(), asyncio.Event()
    commit = store.commit

    async def held_back(batch):
        entered.set()
        await gate.wait()
        return await commit(batch)

    monkeypatch.setattr(store, "commit", held_back)
    document = pycrdt.Doc()
    document["t"] = pycrdt.Text("x")
    async with websockets.connect(running.ws(f"/sync/notes?token={running.token()}")) as socket:
        await socket.recv()
        await socket.send(ysync.encode_update(document.get_update()))
        await entered.wait()
        stopping = asyncio.ensure_future(running.service.stop())
        refused = await running.http.get("/readyz")
        gate.set()

        assert ysync.Update(document.get_update()) == ysync.decode(await socket.recv())
        await socket.wait_closed()
    await stopping

    assert ("stopping", 1012) == (refused.json()["code"], socket.close_code)
    with pytest.raises(httpx.ConnectError):
        await running.http.get("/healthz")


def test_the_program_runs_on_the_fast_loop():
    async def name():
        return type(asyncio.get_running_loop()).__module__

    assert "uvloop" == bootstrap.run(name()).partition(".")[0]


async def health_of(running, service=""):
    stub = health_pb2_grpc.HealthStub(running.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


async def test_every_grpc_service_is_serving_while_the_log_commits(running, monkeypatch):
    monkeypatch.setattr(health, "CHECK_LIFETIME_S", 0)
    names = ["", "ticketsync.v1.SyncService", "ticketsync.v1.TicketService", "ticketsync.v1.IngressService"]
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    assert [serving] * 4 == [await health_of(running, name) for name in names]

    async def check():
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(running.service._store, "check", check)

    assert [not_serving] * 4 == [await health_of(running, name) for name in names]
    assert 503 == (await running.http.get("/readyz")).status_code


async def test_an_unknown_service_has_no_health(running):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health_of(running, "nobody")

    assert grpc.StatusCode.NOT_FOUND is caught.value.code()


async def test_a_watcher_hears_that_the_log_commits(running):
    stub = health_pb2_grpc.HealthStub(running.channel)
    watching = stub.Watch(health_pb2.HealthCheckRequest(service=""))

    assert health_pb2.HealthCheckResponse.SERVING == (await watching.read()).status
    watching.cancel()


async def test_reflection_names_every_service(running):
    stub = reflection_pb2_grpc.ServerReflectionStub(running.channel)
    call = stub.ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    names = {each.name for each in (await call.read()).list_services_response.service}
    call.cancel()

    assert {"ticketsync.v1.SyncService", "ticketsync.v1.TicketService", "ticketsync.v1.IngressService"} < names
    assert "grpc.health.v1.Health" in names


async def test_without_tokens_open_documents_are_served_and_no_ticket(tmp_path):
    async with run_service(tmp_path, auth="none") as running:
        listed = await running.http.get("/api/tickets")
        opened = await running.http.post("/api/tickets", json={"title": "x"})
        forwarded = await running.http.get("/api/tickets", headers={"x-forwarded-for": "1.2.3.4"})

        again = await running.http.get("/api/tickets")

    assert ([], True, []) == (listed.json()["tickets"], opened.is_client_error, again.json()["tickets"])
    assert (403, "forwarded") == (forwarded.status_code, forwarded.json()["code"])
