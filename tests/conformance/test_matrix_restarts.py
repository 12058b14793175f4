"""Rows of the conformance matrix in which the service stops, is killed and comes back.

That takes seconds, so each is done once, for all kinds of client at the same time; the cells tell how each fared.
"""

import asyncio
import subprocess
from pathlib import Path

import pytest

from tests.conformance import matrix
from tests.conformance.matrix import Site, Together, check, ends_of, saved
from tests.conformance.node_client import NodeClient
from tests.conformance.offline_story import opened
from tests.conformance.server_process import ROOT, SERVE, ServerProcess


def lines(count: int) -> list[str]:
    return [f"line {index}\n" for index in range(count)]


async def write(client: NodeClient, document: str, some: list[str]) -> None:
    for line in some:
        await client.tell("write", document=document, root="text", text=line)


async def text_of(site: Site, document: str) -> str:
    """What a client that comes fresh is given."""
    async with site.client() as fresh:
        await site.open(fresh, document)
        return fresh.contents[document]["text"]


async def restart_in_mid_edit(site: Site, together: Together) -> None:
    document, written = f"restart {site.kind.name}", lines(30)
    async with site.client() as author, site.client() as other:
        for client in (author, other):
            await site.open(client, document)
        await write(author, document, written[:10])
        await asyncio.gather(together.once(site.server.stop), write(author, document, written[10:20]))
        await write(author, document, written[20:])
        await together.once(site.server.start)
        await other.until(lambda held: "".join(written) == held[document]["text"])
        await saved(author, document)
    assert "".join(written) == await text_of(site, document)


async def kill_9_after_ack(site: Site, together: Together) -> None:
    document, written = f"kill {site.kind.name}", lines(20)
    async with site.client() as author:
        await site.open(author, document)
        await write(author, document, written)
        await saved(author, document)
        await together.once(site.server.kill)
    await together.once(site.server.start)
    assert "".join(written) == await text_of(site, document)


async def reset(site: Site, together: Together) -> None:
    backup = site.server.data / "backup.db"

    def stop_and_restore() -> None:
        site.server.kill()
        admin(site.server, "restore", backup)

    async with site.client() as author, site.client() as reader, site.server.client("sales") as rest:
        names = await opened(rest)
        form = names.form("sales")
        for client in (author, reader):
            await site.open(client, form)
        await author.tell("write", document=form, root="notes", text="kept\n")
        await saved(author, form)
        await together.once(lambda: admin(site.server, "backup", backup))
        await author.tell("write", document=form, root="notes", text="after the backup\n")
        await saved(author, form)
        await together.once(stop_and_restore)
        await together.once(site.server.start)
        for client in (author, reader):
            denied = await client.hear("denied", document=form)
            assert "reset" == denied["reason"].partition(":")[0]
    async with site.client() as fresh, site.client() as other:
        for client in (fresh, other):
            await site.open(client, form)
        await fresh.tell("write", document=form, root="notes", text="after the restore\n")
        await other.until(lambda held: "kept\nafter the restore\n" == held[form]["notes"])


def admin(server: ServerProcess, command: str, file: Path) -> None:
    """Run `crdt-sync admin`."""
    subprocess.run([*SERVE, "admin", "--data", server.data, command, file], check=True, capture_output=True, cwd=ROOT)


@pytest.fixture(scope="module")
def ends(node, tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("restarts"), settings=matrix.OPEN_DOCUMENTS) as server:
        stories = (restart_in_mid_edit, kill_9_after_ack, reset)
        return {story: asyncio.run(ends_of(story, node, server)) for story in stories}


@matrix.kinds
def test_restart_in_mid_edit(ends, kind):
    """The service stops while somebody writes and comes back: every line is there once, and in order."""
    check(ends[restart_in_mid_edit][kind.name])


@matrix.kinds
def test_kill_9_after_ack(ends, kind):
    """What is acknowledged survives the service and its author."""
    check(ends[kill_9_after_ack][kind.name])


@matrix.kinds
def test_reset(ends, kind):
    """After a restore who has a former copy is turned away by its code, and nothing of it comes back."""
    check(ends[reset][kind.name])
