import json

import pytest

from crdt_sync.domain.event import EventType
from crdt_sync.errors import Malformed
from crdt_sync.wire import cloudevents
from crdt_sync.wire.cloudevents import CloudEvent
from tests.wire import schemas, vectors

TICKET = "a" * 52
ROWS = vectors.load("events")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["type"])
def test_a_golden_event_is_written_and_read_byte_for_byte(row):
    text = cloudevents.encode(
        position=int(row["position"]),
        type_=row["type"],
        ticket=row["ticket"],
        data=row["data"],
        at_ms=row["at_ms"],
        traceparent=row["traceparent"],
    )

    assert row["text"] == text
    assert CloudEvent(int(row["position"]), row["type"], row["ticket"], row["data"]) == cloudevents.decode(text)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["type"])
def test_a_golden_event_has_its_schema(row):
    assert [] == schemas.faults(json.loads(row["text"]))


def test_every_type_has_a_golden_event_and_a_schema():
    assert set(EventType) == {row["type"] for row in ROWS}
    assert {*EventType, "event"} == {path.name.removesuffix(".v1.json") for path in schemas.FOLDER.glob("*.json")}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"position": 5}, "position: is no string"),
        ({"id": "05"}, "id: does not match ^[1-9][0-9]*$"),
        ({"more": 1}, "more: is not known"),
        ({"subject": None}, "subject: is no string"),
        ({"data": {"transition": TICKET, "lane": "sales"}}, "data.name: is missing"),
        ({"data": {"transition": TICKET, "lane": "sales", "name": "x" * 65}}, "data.name: is too long"),
    ],
)
def test_the_check_of_schemas_sees_a_fault(change, fault):
    """The proof of the proof: what it says of an event of another form."""
    event = json.loads(next(row["text"] for row in ROWS if row["type"] == "transitioned"))

    assert [fault] == schemas.faults(event | change)


def test_a_heartbeat_says_where_a_watcher_stands():
    text = cloudevents.encode_heartbeat(7)

    assert '{"position":"7"}' == text
    assert 7 == cloudevents.decode(text)


def test_attributes_that_a_reader_does_not_know_are_left_alone():
    event = json.loads(ROWS[0]["text"]) | {"later": {"x": 1}, "type": "ticketsync.ticket.later.v1"}

    assert "later" == cloudevents.decode(json.dumps(event)).type


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        '{"position":7}',
        '{"position":"07"}',
        '{"position":"-1"}',
        '{"position":"' + "9" * 30 + '"}',
    ]
    + ["[" * 100_000]
    + [
        json.dumps(json.loads(ROWS[0]["text"]) | change)
        for change in ({"subject": "x"}, {"subject": 5}, {"data": []}, {"type": 1}, {"position": None})
    ],
    ids=range(15),
)
def test_another_text_is_malformed(text):
    with pytest.raises(Malformed):
        cloudevents.decode(text)
