"""The words of notices and notes, in both languages, and that no text of others becomes a line of ours."""

import json

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


def waiting(*notices):
    """What waits, each a ticket, a kind and a text."""
    return [(ticket, notice.content(kind, text)) for ticket, kind, text in notices]


def lines(joined):
    return json.loads(joined.content)["text"].split("\n")


def test_what_waits_is_one_message_with_a_line_a_ticket_and_what_is_red_first():
    moved = waiting(("a", "stage", "#a: new"), ("b", "stage", "#b: new\nby sales"), ("b", "red", "#b: late"))
    (joined,) = notice.joined("en", [*moved, *waiting(("a", "stage", "#a: won"), ("c", "raised", "#c: to do"))])

    assert ["#b: late", "#b: new by sales", "#a: won", "#c: to do"] == lines(joined)
    assert (range(5), "c", 0) == (joined.rows, joined.ticket, joined.given_way)


def test_a_message_is_about_the_ticket_of_its_newest_line_wherever_that_stands():
    (joined,) = notice.joined("en", waiting(("a", "stage", "#a: new"), ("b", "red", "#b: late")))
    assert (["#b: late", "#a: new"], "b") == (lines(joined), joined.ticket)

    (again,) = notice.joined("en", [(joined.ticket, joined.content), *waiting(("", "answer", "no ticket"))])
    assert (["#b: late", "#a: new", "no ticket"], "b") == (lines(again), again.ticket)


def test_what_is_owed_since_a_stage_outlives_that_stage_and_is_counted_when_it_gives_way(monkeypatch):
    moved, owed = notice.Line("a", "stage", f"#a: lost{' by sales' * 20}"), notice.Line("a", "raised", "#a: to do")
    said = [("a", notice.content("stage", "lost\nto do", [moved, owed])), *waiting(("a", "stage", "#a: dead"))]
    (joined,) = notice.joined("en", said)
    assert (["#a: to do", "#a: dead"], 0) == (lines(joined), joined.given_way)

    monkeypatch.setattr(notice, "LINES_MAX", 1)
    (joined,) = notice.joined("en", said)
    assert (["#a: dead", "and 1 more"], 1) == (lines(joined), joined.given_way)
    (joined,) = notice.joined("en", [*said[:1], *waiting(("b", "red", "#b: late"))])
    assert (["#b: late", "and 2 more"], 2) == (lines(joined), joined.given_way)


def test_one_that_is_alone_stays_as_it_is():
    assert [] == list(notice.joined("en", waiting(("a", "stage", "#a: new"))))
    assert [] == list(notice.joined("en", []))


def test_the_oldest_give_way_and_are_counted_however_often_they_are_joined():
    moved = waiting(*((f"t{n}", "stage", f"#t{n}: new") for n in range(notice.LINES_MAX + 3)))
    (first,) = notice.joined("en", moved)
    assert ["#t3: new", "and 3 more"] == [lines(first)[0], lines(first)[-1]]
    assert (notice.LINES_MAX + 1, 3) == (len(lines(first)), first.given_way)

    (again,) = notice.joined("en", [(first.ticket, first.content), *waiting(("late", "red", "#late: red"))])
    assert ["#late: red", "#t4: new", "and 4 more"] == [*lines(again)[:2], lines(again)[-1]]
    assert 1 == again.given_way


def test_nothing_that_is_red_gives_way_but_takes_as_many_messages_as_hold_it():
    red = [(f"t{n}", "red", f"#t{n}: late") for n in range(2 * notice.LINES_MAX)]
    joined = list(notice.joined("en", waiting(("old", "stage", "#old: new"), *red, ("new", "stage", "#new: new"))))

    assert [text for _, _, text in red] == [line for each in joined for line in lines(each) if "late" in line]
    assert [range(21), range(21, 42)] == [each.rows for each in joined]
    assert [1, 1] == [each.given_way for each in joined]


def test_a_message_of_many_fits_into_what_every_robot_takes():
    long = waiting(*((f"t{n}", kind, f"#t{n}{'王' * 400}") for n in range(30) for kind in ("red", "stage")))
    joined = list(notice.joined("zh", long))

    assert all(len(json.loads(each.content)["text"].encode()) <= notice.JOINED_BYTES_MAX for each in joined)
    assert 30 == sum(line[1] == "red" for each in joined for line in json.loads(each.content)["lines"])
