"""The digest of a document's content: the same however the document came to be, and another for whatever differs."""

import random

import pycrdt
import pytest

from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.document import Document
from crdt_sync.documents.submit import SubmitDocument

VALUES = [1, 2.5, -0.0, 1e300, 2**52, True, None, "", "é票", b"\xff", [1, "2"], {"b": 1, "a": [{"z": 1, "y": 2.0}]}]


def story(seed: int, steps: int = 40) -> list[bytes]:
    """Updates of three people who type, set, insert, delete and format, and now and then read each other."""
    draw = random.Random(seed)
    people = [pycrdt.Doc(client_id=client) for client in (1, 2, 3)]
    for person in people:
        person["text"], person["map"], person["array"] = pycrdt.Text(), pycrdt.Map(), pycrdt.Array()
    server, told = Document(99), []
    for _ in range(steps):
        person = draw.choice(people)
        before = person.get_state()
        with person.transaction():
            for _ in range(draw.randint(1, 3)):
                change(person, draw)
        data = person.get_update(before)
        server.receive(data, actor="x")
        told.append(data)
        if draw.random() < 0.4:
            reader = draw.choice(people)
            reader.apply_update(server.diff(reader.get_state()))
    return told


def change(person: pycrdt.Doc, draw: random.Random) -> None:
    text, map_, array = person["text"], person["map"], person["array"]
    match draw.randrange(7):
        case 0 | 1:
            text.insert(draw.randint(0, len(text)), draw.choice(["a", "bc", "def"]))
        case 2 if len(text):
            at = draw.randrange(len(text))
            del text[at : min(len(text), at + draw.randint(1, 3))]
        case 3:
            map_[draw.choice("xyz")] = draw.choice([*VALUES, pycrdt.Map({"q": pycrdt.Text("hello")})])
        case 4:
            array.insert(draw.randint(0, len(array)), draw.choice([*VALUES, pycrdt.Array([1, pycrdt.Map({"e": 1})])]))
        case 5 if len(array):
            del array[draw.randrange(len(array))]
        case 6 if len(text) > 2:
            text.format(0, 2, {"bold": True, "color": {"b": 1, "a": 2}})


def loaded(snapshot: bytes | None, updates: list[bytes], client: int = 7) -> Document:
    document = Document(client)
    document.load(snapshot, [(data, None) for data in updates])
    return document


@pytest.mark.parametrize("seed", range(8))
def test_a_document_has_one_digest_however_it_came_to_be(seed):
    told = story(seed)
    replayed = loaded(None, told)
    half = loaded(loaded(None, told[:20]).snapshot(), told[20:])
    again = loaded(half.snapshot(), [], client=8)
    at_once = loaded(None, [pycrdt.merge_updates(*told)])

    assert {replayed.digest()} == {
        half.digest(),
        again.digest(),
        at_once.digest(),
        loaded(again.snapshot(), []).digest(),
    }


@pytest.mark.parametrize("seed", range(3))
def test_every_update_that_brings_something_changes_the_digest(seed):
    told = story(seed)
    document, grown = Document(7), 0
    digests = [document.digest()]
    for data in told:
        grown += document.receive(data, actor="x").kind == "applied"
        digests.append(document.digest())

    assert 1 + grown == len(set(digests))


def test_a_flipped_letter_changes_the_digest():
    data = CardDocument(1).set_fields({"title": "fibre"})
    flipped = data.replace(b"fibre", b"fibrf")

    assert loaded(None, [data]).digest() != loaded(None, [flipped]).digest()


def test_numbers_that_only_look_alike_have_other_digests():
    digests = set()
    for value in (1, "1", True, b"1", [1], None, "None"):
        doc = pycrdt.Doc(client_id=1)
        doc.get("map", type=pycrdt.Map)["key"] = value
        digests.add(loaded(None, [doc.get_update()]).digest())

    assert 7 == len(digests)


def test_who_writes_under_a_client_id_is_part_of_the_digest():
    data = SubmitDocument(1).append_message("hello")
    by = {}
    for actor in ("ann", "bob", None):
        document = SubmitDocument(2)
        document.load(None, [(data, actor)])
        by[document.digest()] = actor

    assert 3 == len(by)
