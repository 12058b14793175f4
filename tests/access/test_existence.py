"""Who may not know of a ticket is told the same on every wire, whether or not there is such a ticket."""

import pytest
import pytest_asyncio

from crdt_sync.adapters import lifecycle_files
from tests.access.matrix import GATEWAY, NARROW, NOBODY, STRANGER
from tests.access.site import filled_site
from tests.access.wires import WIRES
from tests.server.conftest import run_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOTHING = "c" * 51 + "a"  # no ticket has this id
KINDS = ("log", "talk", "card", "form/sales", "submit/sales", "submit/marketing")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    async with filled_site(tmp_path_factory.mktemp("existence")) as site:
        yield site


async def told(running, wire, document, token):
    """The answer, and every byte that said it, without the document's own name."""
    heard = []
    answer = await WIRES[wire](running, document, token, b"\x00\x00", heard)
    return answer, [part.replace(document.encode(), b"") for part in map(_bytes, heard)]


def _bytes(part):
    return part if isinstance(part, bytes) else str(part).encode()


@pytest.mark.parametrize("caller", [STRANGER, NARROW, GATEWAY, NOBODY])
@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_stranger_hears_the_same_of_what_is_and_of_what_is_not(shared, caller, wire, kind):
    token = shared.tokens[caller]
    there = await told(shared.running, wire, f"ticket/{shared.ticket}/{kind}", token)

    assert there == await told(shared.running, wire, f"ticket/{NOTHING}/{kind}", token)
    assert there[0] not in {"read", "write"}


@pytest.mark.parametrize("wire", WIRES)
async def test_who_takes_part_in_other_tickets_alone_hears_that_there_is_none_yet(tmp_path, wire):
    """A ticket of a lifecycle in which marketing has no lane, beside one in which it has."""
    text = lifecycle_files.shipped()["connect-order"]
    assert "marketing" not in text
    file = tmp_path / "with-marketing.yaml"
    file.write_text(text.replace("backoffice", "marketing"), "utf-8")
    async with run_service(tmp_path / "data", open_documents=False) as running:
        ticket = await running.ticket()
    async with run_service(tmp_path / "data", open_documents=False, lifecycle=str(file)) as running:
        token = running.token("marketing")
        for kind in ("log", "card", "form/sales"):
            there = await told(running, wire, f"ticket/{ticket}/{kind}", token)

            assert "not_there_yet" == there[0]
            assert there == await told(running, wire, f"ticket/{NOTHING}/{kind}", token)
