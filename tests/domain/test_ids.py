import pytest

from crdt_sync.domain.ids import DocumentKind, DocumentName, TicketId, is_plain_name
from crdt_sync.errors import NotFound

ID = TicketId("4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbka")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"ticket/{ID}/log", DocumentName(ID, DocumentKind.LOG)),
        (f"ticket/{ID}/talk", DocumentName(ID, DocumentKind.TALK)),
        (f"ticket/{ID}/card", DocumentName(ID, DocumentKind.CARD)),
        (f"ticket/{ID}/submit/sales", DocumentName(ID, DocumentKind.SUBMIT, "sales")),
        (f"ticket/{ID}/form/tech_2", DocumentName(ID, DocumentKind.FORM, "tech_2")),
    ],
)
def test_name_is_read_as_it_is_written(text, name):
    assert name == DocumentName.parse(text)
    assert text == str(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ticket",
        f"ticket/{ID}",
        f"ticket/{ID}/",
        f"tickets/{ID}/log",
        f"ticket/{ID}/logs",
        f"ticket/{ID}/log/sales",
        f"ticket/{ID}/log/",
        f"ticket/{ID}/submit",
        f"ticket/{ID}/submit/",
        f"ticket/{ID}/submit/Sales",
        f"ticket/{ID}/submit/sales/x",
        f"ticket/{ID}/form/../log",
        f"ticket/{ID}\n/log",
        f"ticket/{ID[:-1]}/log",
        f"ticket/{ID[:-1]}b/log",
        f"ticket/{ID.upper()}/log",
    ],
)
def test_name_that_can_never_be_is_not_found(text):
    with pytest.raises(NotFound) as caught:
        DocumentName.parse(text)
    assert "unknown_document" == caught.value.code


def test_refused_name_is_shown_in_part_only():
    with pytest.raises(NotFound) as caught:
        DocumentName.parse("x" * 10_000)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("text", ["a", "заявка 签 🧵", "a/b", "x" * 256])
def test_a_plain_name_may_be_any_short_text(text):
    assert is_plain_name(text)


@pytest.mark.parametrize("text", ["", " \t", "a\0b", "\0", "x" * 257, "é" * 129, "not \ufffd UTF-8"])
def test_a_plain_name_is_neither_blank_nor_long_nor_undecodable(text):
    assert not is_plain_name(text)
