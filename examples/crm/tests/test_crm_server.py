import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from example_crm import crm_pb2 as pb
from example_crm.crm_pb2_grpc import CrmServiceStub
from example_crm.server import serving

PACKAGE = Path(__file__).parents[1]


@asynccontextmanager
async def crm(path):
    async with serving(path) as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield CrmServiceStub(channel)


def customer(position, stage="presale"):
    return pb.Customer(ticket="t", title="Fibre", stage=stage, version=f"v{position}", position=position)


async def test_older_news_of_a_ticket_changes_nothing(tmp_path):
    async with crm(tmp_path / "crm.db") as stub:
        for position, stage in ((2, "ready"), (1, "presale"), (2, "ready")):
            await stub.Upsert(customer(position, stage))
        (shown,) = (await stub.List(pb.ListRequest())).customers
        assert ("ready", "v2", 2) == (shown.stage, shown.version, shown.position)


async def test_status_is_one_change_under_its_key_and_is_given_until_it_is_settled(tmp_path):
    async with crm(tmp_path / "crm.db") as stub:
        await stub.Upsert(customer(7))
        first = [await stub.SetStatus(pb.SetStatusRequest(ticket="t", status="quoted", key="k")) for _ in range(2)]
        assert ([1, 1], "v7") == ([each.id for each in first], first[0].seen)
        await stub.Upsert(customer(8))
    async with crm(tmp_path / "crm.db") as stub:
        listening = stub.Changes(pb.ChangesRequest(), timeout=20)
        assert 1 == (await listening.read()).id
        second = await stub.SetStatus(pb.SetStatusRequest(ticket="t", status="lost", key="l"))
        assert second == await listening.read()
        for outcome in ("done", "another word"):
            await stub.Settle(pb.SettleRequest(id=1, outcome=outcome))
        assert second == await stub.Changes(pb.ChangesRequest(), timeout=20).read()
        (shown,) = (await stub.List(pb.ListRequest())).customers
        assert ("lost", "v8") == (shown.status, shown.version)


async def test_status_of_nobody_is_refused(tmp_path):
    async with crm(tmp_path / "crm.db") as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.SetStatus(pb.SetStatusRequest(ticket="t", status="lost", key="k"))
        assert grpc.StatusCode.NOT_FOUND is caught.value.code()


def test_committed_stubs_are_what_the_proto_file_says(tmp_path):
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PACKAGE}", *outputs, "example_crm/crm.proto"]
    subprocess.run(command, check=True)
    made = {path.name: path.read_text() for path in (tmp_path / "example_crm").iterdir()}
    assert {name: (PACKAGE / "example_crm" / name).read_text() for name in made} == made
    assert 3 == len(made)
