"""P25: its witness is real. The story of each refusal, judged by the oracle, shows the defect that the rule names.

A defect of each kind is planted into random files; the checker must find it where it was planted. All findings of these
files count, those that a plant brought along too, and those of files that were tampered with. A finding has no story
where a thing is absent, such as a row that nothing leads to, or where the search did not come by one: these are
counted, and must stay few.
"""

import itertools
import random
from collections import Counter

import pytest
from hypothesis import settings

from crdt_sync.adapters.lifecycle_files import read
from crdt_sync.domain.lifecycle import check
from property_tests.defects import TOLD, View
from property_tests.files import lifecycle_file
from property_tests.plants import PLANTS, planted
from property_tests.strategies import text_of, told
from property_tests.tweaks import tweaked

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
    return {where for where in TOLD[finding.rule](View(history)) if f"{finding.where}.".startswith(f"{where}.")}


def steps_of(story):
    return [step for step in story.partition("⇒")[0].strip().split(" · ") if step]


class Findings:
    """How many findings of the rules from L3 on had a story, each of which showed its defect, and how many had none."""

    def __init__(self):
        self.told, self.untold = Counter(), Counter()

    def take(self, spec):
        """Judge all findings of a file, and return what was found where."""
        findings = [finding for finding in read(text_of(spec)).findings if finding.rule in TOLD]
        for finding in findings:
            assert not finding.story or shown(spec, finding)
            (self.told if finding.story else self.untold)[finding.rule] += 1
        return {(finding.rule, finding.where) for finding in findings}

    def take_planted(self, rule):
        for spec, where in [found for plant in PLANTS[rule] for found in broken_files(plant)]:
            assert (rule, where) in self.take(spec)


def test_what_is_planted_is_found_and_each_story_shows_its_defect(record_property):
    found = Findings()
    for rule in PLANTS:
        found.take_planted(rule)
        assert found.told[rule]
    for seed in range(2 * FILES):
        dice = random.Random(seed)
        found.take(tweaked(dice, lifecycle_file(dice)))
    record_property("histories", found.told.total())
    record_property("findings with a story", found.told.total())
    record_property("findings of rows that nothing leads to", found.untold.pop("L7", 0))
    record_property("other findings without a story", found.untold.total())
    assert WITHOUT_STORY_PERCENT_MAX * found.told.total() >= 100 * found.untold.total()


@pytest.mark.parametrize("rule", PLANTS)
def test_without_any_one_rule_what_is_planted_is_not_found(monkeypatch, rule):
    monkeypatch.delitem(check.RULES, rule)
    with pytest.raises(AssertionError):
        Findings().take_planted(rule)
