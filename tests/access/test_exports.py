"""What the command line prints and keeps of tickets, run by every caller that has a token against the real service."""

import asyncio

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from crdt_sync.cli.main import app
from tests.access.matrix import EXPORTS, GATEWAY, NARROW, OTHER, OWNER, READER, STRANGER, TALKER
from tests.access.site import WORDS, filled_site

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRINTED = {"wordtitle", "wordcard", "wordanswer", "wordfield_sales", "wordnote_sales"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    async with filled_site(tmp_path_factory.mktemp("exports")) as site:
        yield site


async def everything_that(site, caller, directory, scheme, port):
    """Run every command that prints something of tickets; return what it printed, and every file that it left."""
    replica, export = directory / "replica.db", directory / "export.jsonl"
    environment = {
        "CRDT_SYNC_URL": f"{scheme}://127.0.0.1:{port}",
        "CRDT_SYNC_TOKEN": site.tokens[caller],
        "CRDT_SYNC_REPLICA": str(replica),
        "COLUMNS": "500",
    }
    told = []
    for row in EXPORTS:
        if row.arguments:
            group, *rest = row.arguments
            filled = [each.replace("{ticket}", site.ticket).replace("{export}", str(export)) for each in rest]
            arguments = [group, "--wait", "2", *filled]
            result = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=environment)
            assert "Usage:" not in result.output, f"{row.command} was not asked as it is to be asked"
            told += [result.output.encode(), str(result.exception).encode()]
            if row.command == "replica sync":  # the last before the copy is dropped
                told += [path.read_bytes() for path in sorted(directory.iterdir())]
    told += [path.read_bytes() for path in sorted(directory.iterdir())]
    return b"\n".join(told)


@pytest.mark.parametrize("scheme", ["ws", "grpc"])
@pytest.mark.parametrize("caller", [OWNER, OTHER, READER, TALKER, STRANGER, NARROW, GATEWAY])
async def test_no_command_prints_or_keeps_a_word_that_is_not_its_callers(shared, tmp_path, caller, scheme):
    service = shared.running.service
    port = service.port if scheme == "ws" else service.grpc_port
    told = await everything_that(shared, caller, tmp_path, scheme, port)
    words = {word for word in WORDS if word.encode() in told}

    assert set() == {word for word in words if caller not in WORDS[word]}
    assert {word for word in PRINTED if caller in WORDS[word]} <= words, "what is the caller's does arrive"
