import os
import select
import subprocess
import sys

import httpx
import pytest

from tests.conformance.server_process import ROOT, START_S, ServerProcess

PARENT = """
import pathlib, sys
from tests.conformance.server_process import ServerProcess

with ServerProcess(pathlib.Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""


def test_service_comes_back_on_the_same_ports_with_its_data(tmp_path):
    with ServerProcess(tmp_path) as server:
        ports = server.port, server.grpc_port
        headers = {"authorization": f"Bearer {server.token('sales')}"}
        opened = httpx.post(f"{server.http}/api/tickets", json={"title": "Kept"}, headers=headers, trust_env=False)
        server.kill()
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.http, trust_env=False)
        server.start()
        shown = httpx.get(f"{server.http}/api/tickets/{opened.json()['id']}", headers=headers, trust_env=False)
        assert ports == (server.port, server.grpc_port)
        assert "Kept" == shown.json()["card"]["title"]


def test_service_that_does_not_start_shows_why(tmp_path):
    with pytest.raises(AssertionError, match=r"(?s)did not start.*No module named no_such_module"):
        ServerProcess(tmp_path, program=(sys.executable, "-m", "no_such_module")).__enter__()


def test_service_ends_with_a_parent_that_is_killed(tmp_path):
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe) as parent:
        service = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert [service] == select.select([service], [], [], START_S)[0]
    finally:
        os.close(service)
