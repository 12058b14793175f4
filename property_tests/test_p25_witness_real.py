"""P25: its witness is real. The story of each refusal, judged by the oracle, shows the defect that the rule names.

A defect of each kind is planted into random files; the checker must find it where it was planted. All findings of these
files count, those that a plant brought along too. A finding has no story where a thing is absent, such as a row that
nothing leads to, or where the search did not come by one: these are counted, and must stay few.
"""

import itertools
import random
from collections import Counter

import pytest
from hypothesis import settings

from crdt_sync.adapters.lifecycle_files import read
from crdt_sync.domain.lifecycle import check
from property_tests.defects import DEFECTS, View, attempted
from property_tests.files import lifecycle_file
from property_tests.plants import PLANTS, planted
from property_tests.strategies import text_of, told

FILES = settings.default.max_examples // 10  # for each kind of plant
TRIES = 20  # files that may offer no place for one
WITHOUT_STORY_PERCENT_MAX = 10


def broken_files(plant):
    """Files with this plant, each with where it stands."""
    tries = (planted(random.Random(seed), lifecycle_file(random.Random(seed)), plant) for seed in range(FILES * TRIES))
    return list(itertools.islice(filter(None, tries), FILES))


def shown(spec, finding):
    """What the finding's story shows of what its rule looks for."""
    history, _ = told(spec, steps_of(finding.story))
    view = View(history)
    found = [*DEFECTS[finding.rule](view), *(attempted(view) if finding.rule == "L8" else [])]
    return {where for where in found if f"{finding.where}.".startswith(f"{where}.")}


def steps_of(story):
    return [step for step in story.partition("⇒")[0].strip().split(" · ") if step]


def assert_found_and_shown(rule):
    """Judge what is planted against a rule; return how many findings had a story, and how many had none, by rule."""
    with_story, without = Counter(), Counter()
    for spec, where in [found for plant in PLANTS[rule] for found in broken_files(plant)]:
        findings = read(text_of(spec)).findings
        assert (rule, where) in {(finding.rule, finding.where) for finding in findings}
        for finding in findings:
            assert not finding.story or shown(spec, finding)
            (with_story if finding.story else without)[finding.rule] += 1
    return with_story, without


def test_what_is_planted_is_found_and_each_story_shows_its_defect(record_property):
    with_story, without = Counter(), Counter()
    for rule in PLANTS:
        found, missed = assert_found_and_shown(rule)
        assert found[rule]
        with_story += found
        without += missed
    record_property("histories", with_story.total())
    record_property("findings with a story", with_story.total())
    record_property("findings of rows that nothing leads to", without.pop("L7", 0))
    record_property("other findings without a story", without.total())
    assert WITHOUT_STORY_PERCENT_MAX * with_story.total() >= 100 * without.total()


@pytest.mark.parametrize("rule", PLANTS)
def test_without_any_one_rule_what_is_planted_is_not_found(monkeypatch, rule):
    monkeypatch.delitem(check.RULES, rule)
    with pytest.raises(AssertionError):
        assert_found_and_shown(rule)
