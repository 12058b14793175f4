"""Transitions made to confuse, put into a submit document: the service refuses each with the code that a decoder gives.

The codes are those of the vectors, which TypeScript is held to as well, and those of the fold.
"""

import pycrdt
import pytest

from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.domain.transition import decode, entry_key
from crdt_sync.wire import ysync
from property_tests.model import canonical
from property_tests.strategies import shipped
from tests.access.wires import sync_socket
from tests.console import hostile, vectors
from tests.integration.test_bad_input import bystander, kept, lifecycle_of, refused_in_log, rows, state
from tests.server.conftest import run_service

TEXTS = {row["text"]: row.get("code") for row in vectors.load("transitions") if "text" in row}


@pytest.fixture
async def running(tmp_path):
    async with run_service(tmp_path / "data", open_documents=False) as running:
        yield running


async def submit(running, document, records):
    """Put the records into the document, one update each, and hear each update back."""
    doc = SubmitDocument(9)
    async with sync_socket(running, document, running.token()) as socket:
        for record in records:
            update = doc.append_transition(record)
            await socket.say(ysync.encode_update(update))
            await socket.hear(ysync.Update, where=lambda frame, sent=update: frame.update == sent)


async def lines_of_log(running, ticket):
    document = pycrdt.Doc()
    async with sync_socket(running, f"ticket/{ticket}/log", running.token()) as socket:
        await socket.say(ysync.encode_step1(b"\x00"))
        document.apply_update((await socket.hear(ysync.Step2)).update)
    return [record.encode() for record in document.get("log", type=pycrdt.Array).to_py()]


async def test_every_text_that_is_no_record_is_refused_by_the_code_of_the_vectors(running):
    ticket = await running.ticket()
    document, before = f"ticket/{ticket}/submit/sales", await state(running, ticket)
    malformed = [text for text, code in TEXTS.items() if code == "malformed"]
    assert 100 < len(malformed)
    async with bystander(running, document):
        await submit(running, document, malformed)

    refused = await refused_in_log(running, ticket)
    expected = {entry_key(text.encode()): "malformed" for text in malformed}
    assert expected == {key: refused.get(key) for key in expected}
    assert before == await state(running, ticket)


async def test_a_text_of_4097_bytes_closes_its_document_with_size(running):
    document = f"ticket/{await running.ticket()}/submit/sales"
    (text,) = [row["text"] for row in vectors.load("transitions") if row["name"] == "move: 4097 bytes"]
    assert "size" == TEXTS[text]
    data = SubmitDocument(9).append_transition(text)
    async with bystander(running, document), sync_socket(running, document, running.token()) as socket:
        await socket.say(ysync.encode_update(data))
        assert (4422, "size") == await socket.end()
    assert ["size"] == [row[0] for row in kept(running, document)]
    assert data not in [
        row[0]
        for row in rows(
            running, "data", "updates", f"document_id = (SELECT id FROM documents WHERE name = '{document}')"
        )
    ]


async def test_a_record_that_can_have_no_effect_is_refused_by_the_code_of_the_fold(running):
    ticket = await running.ticket()
    document, before = f"ticket/{ticket}/submit/sales", await state(running, ticket)
    digest = await lifecycle_of(running, ticket)
    quote = hostile.MOVE | {"ticket": ticket, "after": [ticket], "actor": "sales-1", "lifecycle": digest}
    hostile_ones = {
        "a foreign ticket": quote | {"ticket": hostile.PARENTS[1]},
        "another lifecycle": quote | {"lifecycle": hostile.DIGEST},
        "a name that objects inherit": quote | {"name": "constructor"},
        "a state that is not there": quote | {"name": "withdraw"},
        "a second opening": hostile.OPENING | {"lifecycle": digest},
    }
    records = [decode(canonical(fields)) for fields in hostile_ones.values()]
    fold = Fold(vectors.lifecycle(shipped()), ticket)
    for line in await lines_of_log(running, ticket):
        fold.add(decode(line))
    async with bystander(running, document):
        await submit(running, document, [record.record for record in records])

    expected = ["ticket", "lifecycle", "unknown", "from", "ticket"]
    refused = await refused_in_log(running, ticket)
    assert expected == [fold.judge(record).code for record in records]
    assert expected == [refused.get(record.id) for record in records]
    assert before == await state(running, ticket)


async def test_a_record_above_a_parent_that_does_not_exist_waits_and_changes_nothing(running):
    ticket = await running.ticket()
    document, before = f"ticket/{ticket}/submit/sales", await state(running, ticket)
    digest, log = await lifecycle_of(running, ticket), await lines_of_log(running, ticket)
    orphan = hostile.MOVE | {"ticket": ticket, "after": [hostile.PARENTS[1]], "actor": "sales-1", "lifecycle": digest}
    async with bystander(running, document):
        await submit(running, document, [canonical(orphan).decode()])

    assert entry_key(canonical(orphan)) not in await refused_in_log(running, ticket)
    assert log == await lines_of_log(running, ticket)
    assert before == await state(running, ticket)
