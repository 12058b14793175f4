"""docs/lifecycle*.md say what is so: each file passes, each story holds, each finding and picture is as printed."""

import re

import pytest

from crdt_sync.domain.lifecycle import lanes, spec
from crdt_sync.domain.lifecycle.model import PAYLOAD_TYPES, RESERVED_NAMES, STAGE_KINDS
from crdt_sync.domain.lifecycle.result import Flag
from tests.documentation.snippets import DOCUMENTS, GRAPH, MADE, Desk, blocks, fresh

TEXTS = {language: path.read_text(encoding="utf-8") for language, path in DOCUMENTS.items()}

RULES = [f"L{number}" for number in range(12)]


def by_document(test):
    return pytest.mark.parametrize("language", TEXTS)(test)


@by_document
def test_what_is_printed_and_drawn_is_what_the_program_prints_and_draws(language):
    """If this fails, `python -m tests.documentation.snippets` writes it anew; read what it wrote."""
    assert fresh(TEXTS[language], language) == TEXTS[language]


@by_document
def test_every_file_and_every_story_on_the_page_passes_the_checker(language):
    desk, checked = Desk(language), 0
    for block in blocks(TEXTS[language]):
        desk.take(block)
        if block.what in {"file", "story"}:
            assert [] == [finding.to_text(block.name) for finding in desk.findings(block.name)]
            checked += 1
    assert 8 < checked


@by_document
def test_each_rule_is_shown_by_a_change_that_it_finds(language):
    chapters = re.split(r"^### (L\d+)[:：].*$", TEXTS[language], flags=re.MULTILINE)[1:]
    desk = Desk(language)
    for block in blocks(TEXTS[language]):
        if block.what == "file":
            desk.take(block)
    shown = {}
    for rule, chapter in zip(chapters[::2], chapters[1::2], strict=True):
        [change] = [block for block in blocks(chapter) if block.what == "change"]
        desk.take(change)
        shown[rule] = {finding.rule for finding in desk.findings(change.name)}
    assert RULES == list(shown)
    assert [{rule} for rule in RULES] == list(shown.values())


@by_document
def test_every_block_says_what_it_is_so_that_nothing_on_the_page_goes_unchecked(language):
    text, pictures = GRAPH.subn("", TEXTS[language])
    assert text.count("```") == 2 * len(blocks(text))
    assert 2 == pictures


def test_the_two_pages_show_the_same_files_stories_and_changes():
    by_hand = {
        language: [(block.what, block.name, block.text if block.what not in MADE else "") for block in blocks(text)]
        for language, text in TEXTS.items()
    }
    assert by_hand["en"] == by_hand["zh"]


@by_document
def test_every_word_of_the_format_is_explained(language):
    keys = {*spec._FILE_KEYS, *spec._ROW_KEYS, *spec._EXPECTED_LISTS, *lanes._LANE_KEYS, *lanes._TRANSITION_KEYS}
    words = keys | {*STAGE_KINDS, *PAYLOAD_TYPES, *RESERVED_NAMES, *(flag.value for flag in Flag)}
    said = set(re.findall(r"`([a-z_]+)`", re.sub(r"```.*?```", "", TEXTS[language], flags=re.DOTALL)))
    assert set() == words - said


@by_document
def test_prose_has_one_sentence_a_line(language):
    prose = re.sub(r"```.*?```", "", GRAPH.sub("", TEXTS[language]), flags=re.DOTALL)
    lines = [line for line in prose.splitlines() if line and not line.startswith(("|", "#", "    ", "<!--", "["))]
    assert [] == [line for line in lines if re.search(r"[.。？！] ?[A-Z\u4e00-\u9fff]", line)]
