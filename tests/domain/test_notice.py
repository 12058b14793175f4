"""The words of notices and notes, in both languages, and that no text of others becomes a line of ours."""

import pytest

from crdt_sync.adapters import lifecycle_files
from crdt_sync.domain import notice
from crdt_sync.domain.delivery import Conversation
from crdt_sync.domain.notice import Wording

LIFECYCLE = lifecycle_files.load(lifecycle_files.shipped()["connect-order"])
ID = "abcdefgh" + "2" * 43 + "a"
OWES = {"tech": ("halt", "confirm_halted"), "sales": ("rule_signed",)}


def wording(language, title="Fibre"):
    return Wording(LIFECYCLE, language, ID, title)


@pytest.mark.parametrize(
    ("language", "said", "either"),
    [
        (
            "en",
            "#abcdefgh Fibre: Still to be done after 90 minutes: Halt or Confirm the halt in Field engineering",
            "; or Rule that it is signed in Sales",
        ),
        ("zh", "#abcdefgh Fibre：已超过 90 分钟仍待办：技术：暂停施工 或 确认已暂停", "；或 销售：裁定为已签约"),
    ],
)
def test_what_is_red_is_said_with_its_age(language, said, either):
    assert said + either == wording(language).red(OWES, 90 * 60_000 + 59_000)


@pytest.mark.parametrize(
    ("title", "head"),
    [
        (None, "#abcdefgh"),
        (7, "#abcdefgh"),
        ("  a\n#hgfedcba:\tb\x00\u202e ", "#abcdefgh a #hgfedcba: b"),
        ("x" * 61, f"#abcdefgh {'x' * 59}…"),
    ],
)
def test_a_title_is_one_short_line(title, head):
    assert f"{head}: To be done: review in Sales" == wording("en", title).raised([{"sales": ["review"]}])


def test_both_languages_have_the_same_phrases_with_the_same_blanks():
    english, chinese = ({key: set(_blanks(text)) for key, text in words.items()} for words in notice._WORDS.values())
    assert english == chinese


def _blanks(text):
    return [piece.partition("}")[0] for piece in text.split("{")[1:]]


def test_a_notice_has_one_id_for_each_cause_and_group():
    here, there = Conversation("wecom-group", "robot", ""), Conversation("wecom-group", "other", "")
    ids = {notice.notice_id(ID, cause, to) for cause in ("moved:a", "red:1:x") for to in (here, there)}

    assert 4 == len(ids | {notice.notice_id(ID, "moved:a", here)})


@pytest.mark.parametrize("at_ms", [-(2**63), 0, 2**63 - 1])
def test_a_note_of_any_time_has_a_head(at_ms):
    assert notice.note("Wang", at_ms, [{"type": "text", "text": ""}]).endswith(" UTC, Wang:\n    \n")
