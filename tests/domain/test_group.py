"""Which group stands where, which lane is its department's, and which ticket a text names."""

import pytest

from crdt_sync.adapters import lifecycle_files
from crdt_sync.domain.delivery import Conversation
from crdt_sync.domain.group import NO_GROUPS, Group, Groups, Notice, code_in, short_code

ID = "abcdefgh" + "2" * 43 + "a"
OFFICE = Group(Conversation("dingtalk", "robot", "cid-1"), "backoffice", frozenset({Notice.RED}))
SILENT = Group(Conversation("dingtalk", "robot", "cid-2"), "tech", frozenset())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("#abcdefgh: done", "abcdefgh"),
        ("看一下＃ABCDEFGH谢谢", "abcdefgh"),
        (f"see #{ID}.", ID),
        ("first #abcdefgh then #hgfedcba", "abcdefgh"),
        ("#abcdefg", None),  # too short
        ("#abcdefg1 #abcdefgh1", None),  # no id has these digits
        (f"#{ID}a", None),  # longer than an id
        ("abcdefgh", None),
        ("", None),
    ],
)
def test_a_text_names_a_ticket_by_the_first_code_in_it(text, code):
    assert code == code_in(text)


def test_what_a_ticket_is_called_names_it():
    assert "#abcdefgh" == short_code(ID)
    assert "abcdefgh" == code_in(short_code(ID))


@pytest.mark.parametrize(
    ("account", "conversation", "found"),
    [("robot", "cid-1", OFFICE), ("robot", "cid-2", SILENT), ("robot", "cid-3", None), ("other", "cid-1", None)],
)
def test_a_conversation_is_bound_by_account_and_name_together(account, conversation, found):
    assert Groups((OFFICE, SILENT)).bound(account, conversation) is found
    assert NO_GROUPS.bound(account, conversation) is None


def test_a_group_hears_if_it_is_told_anything_and_its_department_takes_part():
    lifecycle = lifecycle_files.load(lifecycle_files.shipped()["connect-order"])
    small = lifecycle_files.load(lifecycle_files.shipped()["support-only"])

    assert [OFFICE] == Groups((SILENT, OFFICE)).hearing(lifecycle)
    assert [] == Groups((OFFICE,)).hearing(small)
    assert ("case", None) == (OFFICE.lane(lifecycle), OFFICE.lane(small))
