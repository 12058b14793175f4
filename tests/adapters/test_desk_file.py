"""The service desk's file: the documented example, and every mistake named by its key."""

import re
from pathlib import Path

import pytest

from crdt_sync.adapters import desk_file
from crdt_sync.domain.delivery import Conversation
from crdt_sync.domain.group import Notice
from crdt_sync.errors import Malformed

DOCUMENT = Path(__file__).parents[2] / "docs" / "desk.md"
EXAMPLE = re.search(r"<!-- file: desk.toml -->\n```toml\n(.*?)```\n", DOCUMENT.read_text("utf-8"), re.DOTALL)[1]
HOURS = 'version = 1\n[hours]\nzone = "Asia/Shanghai"\n'
PERSON = '[[people]]\nactor = "support-1"\ndepartment = "support"\nname = "Anna"\n'
GROUP = 'version = 1\n[[groups]]\nchannel = "dingtalk"\naccount = "robot"\ndepartment = "backoffice"\n'


def read(text):
    return desk_file.read(text.encode())


def test_the_documented_example_says_what_is_documented():
    desk = read(EXAMPLE)

    assert ["complaints", "returns", "everything-else"] == [rule.name for rule in desk.rules]
    assert {"priority": "high", "tags": "complaint"} == desk.rules[0].card
    assert desk.rule(Conversation("wechat", "shop", "c"), "我要投诉") is desk.rules[0]
    assert ["Support 1", "客服二号", "销售一号"] == [person.name for person in desk.people]
    monday_10, monday_14, saturday = 1_790_560_800_000, 1_790_575_200_000, 1_791_597_600_000
    assert desk.hours.is_open(monday_10)
    assert desk.hours.is_open(saturday)
    assert ["support-1"] == desk.candidates("support", monday_10)
    assert ["support-1", "support-2"] == desk.candidates("support", monday_14)
    assert {"en", "zh"} == desk.away.keys()
    assert ["greeting"] == [reply.id for reply in desk.replies_of("sales")]
    (group,) = desk.groups.groups
    assert desk.groups.bound("robot", "cidExample==") is group
    assert ("backoffice", frozenset(Notice), "zh") == (group.department, group.notices, group.language)


def test_a_file_of_a_version_alone_says_nothing():
    desk = read("version = 1")

    assert ((), None, {}, (), ()) == (desk.rules, desk.hours, desk.away, desk.people, desk.replies)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "version"),
        ("version = 2", "version"),
        ("version = 1\ncolour = 1", "colour"),
        ("version = 1\n[hours]", "hours.zone"),
        ('version = 1\n[hours]\nzone = "Mars/Olympus"', "hours.zone"),
        ('version = 1\n[hours]\nzone = "../../etc/passwd"', "hours.zone"),
        (HOURS + "mondays = []", "hours.mondays"),
        (HOURS + 'monday = "09:00-12:00"', "hours.monday"),
        (HOURS + 'monday = ["9-12"]', "hours.monday.0"),
        (HOURS + 'monday = ["09:00"]', "hours.monday.0"),
        (HOURS + "monday = [9]", "hours.monday.0"),
        (HOURS + 'monday = ["12:00-09:00"]', "hours.monday.0"),
        (HOURS + 'monday = ["24:00-24:00"]', "hours.monday.0"),
        (HOURS + 'monday = ["09:00-24:01"]', "hours.monday.0"),
        (HOURS + 'monday = ["09:00-12:00", "11:00-13:00"]', "hours.monday"),
        (HOURS + 'monday = ["09:00-24:00", "11:00-13:00"]', "hours.monday"),
        (HOURS + "[hours.dates]\n2026-13-01 = []", "hours.dates.2026-13-01"),
        (HOURS + '[hours.away]\nfr = "fermé"', "hours.away.fr"),
        (HOURS + '[hours.away]\nen = "until {when}"', "hours.away.en"),
        ("version = 1\n" + PERSON + PERSON, "people: two have the actor 'support-1'"),
        ("version = 1\n" + PERSON + "hours = {}\n", "hours.zone"),
        ("version = 1\n" + PERSON.replace("support", "Support"), "people.0.department"),
        ("version = 1\n" + PERSON.replace('"support-1"', '"a b"'), "people.0.actor"),
        ("version = 1\n[[rules]]", "rules.0.name"),
        ('version = 1\n[[rules]]\nname = "a"\nassign = "sticky"', "rules.0"),
        ('version = 1\n[[rules]]\nname = "a"\nlane = "support"\nassign = "anybody"', "rules.0.assign"),
        ('version = 1\n[[rules]]\nname = "a"\nlanguages = ["fr"]', "rules.0.languages"),
        (f'version = 1\n[[rules]]\nname = "a"\ntags = "{"x" * 1_025}"', "rules.0.tags"),
        ('version = 1\n[[rules]]\nname = "a"\n[[rules]]\nname = "a"', "rules: two have the name 'a'"),
        (
            'version = 1\n[[replies]]\nid = "a"\ndepartments = []\ntitle = {en = "A"}\ntext = {en = "A"}',
            "replies.0.departments",
        ),
        (
            'version = 1\n[[replies]]\nid = "a"\ndepartments = ["x"]\ntitle = {en = "A"}\ntext = {en = "{price}"}',
            "replies.0.text.en",
        ),
        (GROUP.replace("backoffice", "Back office"), "groups.0.department"),
        (GROUP.replace('"robot"', '"Robot/1"'), "groups.0.account"),
        (GROUP + 'notices = ["everything"]', "groups.0.notices"),
        (GROUP + 'language = "fr"', "groups.0.language"),
        (GROUP + GROUP.removeprefix("version = 1"), "groups: two have the account and conversation 'robot '"),
        ("version = 1\nred_after_minutes = 0", "red_after_minutes"),
        ("version = ", "Invalid value"),
        ("version = 1\nversion = 1", "Cannot overwrite"),
    ],
)
def test_a_mistake_is_named_by_its_key(text, named):
    with pytest.raises(Malformed) as wrong:
        read(text)
    assert ("desk", True) == (wrong.value.code, named in wrong.value.message), wrong.value.message


def test_a_group_is_told_everything_unless_the_file_says_less():
    silent, hour = read(GROUP + "notices = []").groups, read("version = 1").groups
    assert (frozenset(), frozenset(Notice)) == (silent.groups[0].notices, read(GROUP).groups.groups[0].notices)
    assert (3_600_000, 120_000) == (hour.red_after_ms, read("version = 1\nred_after_minutes = 2").groups.red_after_ms)


def test_every_mistake_of_a_file_is_named_at_once():
    with pytest.raises(Malformed) as wrong:
        read(HOURS + 'mondays = []\n[[rules]]\nname = "A"\n')
    assert all(named in wrong.value.message for named in ("hours.mondays", "rules.0.name"))


def test_what_is_no_text_or_not_there_or_too_long_is_refused(tmp_path):
    with pytest.raises(Malformed):
        desk_file.read(b"\xff")
    with pytest.raises(Malformed):
        desk_file.load(tmp_path / "absent.toml")
    (tmp_path / "long.toml").write_bytes(b"#" * (desk_file.FILE_BYTES_MAX + 1))
    with pytest.raises(Malformed):
        desk_file.load(tmp_path / "long.toml")
