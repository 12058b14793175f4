"""Files made to cost much: each ends in findings, within limits that do not grow with the file.

All are read by one process of its own, whose memory and processor time the system bounds: a reader that forgets a
limit is killed, and says nothing.
"""

import itertools
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from crdt_sync.adapters.lifecycle_files import read
from crdt_sync.domain.lifecycle import reach, reach_rules, space, witness
from crdt_sync.domain.lifecycle.lanes import ORDER_MAX, STATES_MAX, TRANSITIONS_MAX
from crdt_sync.domain.lifecycle.spec import LANES_MAX, STAGES_MAX
from crdt_sync.yaml_tree import DEPTH_MAX, FILE_BYTES_MAX, NODES_MAX

MEMORY_BYTES_MAX = 1 << 30
CPU_SECONDS_MAX = 120  # a tenth of it is used; without limits it would be hours
READER = f"""
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES_MAX}, {MEMORY_BYTES_MAX}))
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS_MAX}, {CPU_SECONDS_MAX}))
from crdt_sync.adapters.lifecycle_files import read
for line in sys.stdin:
    print(json.dumps([(found.rule, found.message) for found in read(json.loads(line)).findings]), flush=True)
"""


def wide(lanes, states, transitions, rows, order=None, extra=""):
    """A file of equal lanes: `transitions` are mappings, `rows` too, `extra` is a line of each lane."""
    names = [f"s{number}" for number in range(states)]
    text = "lifecycle: wide\nversion: 1\nlanes:\n"
    for number in range(lanes):
        text += f"  l{number}:\n    owner: d{number}\n    control: {str(number == 0).lower()}\n    initial: s0\n"
        text += (
            f"    states: [{', '.join(names)}]\n    order: [{order or ' < '.join(names)}]\n{extra}    transitions:\n"
        )
        text += "".join(f"      t{n}: {{{move}}}\n" for n, move in enumerate(transitions))
    return text + "stages:\n" + "".join(f"  - {{{row}}}\n" for row in rows)


REST = "stage: rest, kind: normal, when: {}"
GO = "from: s0, to: s1"
TOO_WIDE = (
    "the lanes have more combinations than can be judged, so L7, L8 and L10 cannot be proven; "
    f"at most {space.COMBINATIONS_MAX} are."
)


def each_named(lanes):
    return [*(f"stage: r{number}, kind: normal, when: {{l{number}: s1}}" for number in range(lanes)), REST]


FILES = {
    "deep nesting": ("[" * (FILE_BYTES_MAX - 1), f"values nest deeper than {DEPTH_MAX}."),
    "aliases": (
        "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(2_000)),
        "aliases are refused; write the value out.",
    ),
    "a key a thousand times": (
        wide(1, 2, [GO], [REST]) + "labels:\n" + "  rest: {en: a}\n" * 1_000,
        'the key "rest" stands twice, first in line 15.',
    ),
    "a key as often as fits": (
        wide(1, 2, [GO], [REST]) + "labels:\n" + "  rest: {en: a}\n" * 12_000,
        f"the file has more than {NODES_MAX} values.",
    ),
    "a million states": (
        wide(1, 2, [GO], [REST]).replace("[s0,", "[s0," + "a," * 1_000_000),
        f"the file is larger than {FILE_BYTES_MAX} bytes.",
    ),
    "as many states as fit": (
        wide(1, 2, [GO], [REST]).replace("[s0,", "[s0," + "a," * 120_000),
        f"the file has more than {NODES_MAX} values.",
    ),
    "an order of a hundred thousand chains": (
        wide(1, 2, [GO], [REST], order=",".join(["s0 < s1"] * 100_000)),
        f"the file is larger than {FILE_BYTES_MAX} bytes.",
    ),
    "an order of as many chains as fit": (
        wide(1, 64, [GO], [REST], order=",".join(f"s{n % 63} < s{n % 63 + 1}" for n in range(15_000))),
        f"15000 entries are too many; at most {ORDER_MAX} are read.",
    ),
    "a chain as long as fits": (
        wide(1, 2, [GO], [REST], order='"' + " < ".join(["s0"] * 50_000) + '"'),
        "a text has at most 1024 characters.",
    ),
    "thousands of transitions": (
        wide(1, 2, [GO] * 4_000, [REST]),
        f"4000 entries are too many; at most {TRANSITIONS_MAX} are read.",
    ),
    "thousands of rows": (
        wide(1, 2, [GO], [f"stage: r{n}, kind: normal, when: {{l0: s0}}" for n in range(3_000)]),
        f"3000 entries are too many; at most {STAGES_MAX} are read.",
    ),
    "every lane with every state": (
        wide(LANES_MAX, STATES_MAX, [f"from: s{n}, to: s{n + 1}" for n in range(12)], each_named(LANES_MAX)),
        TOO_WIDE,
    ),
    "one lane of countless conflicts": (
        wide(
            1,
            64,
            [f"from: s0, to: s{n}" for n in range(1, 64)],
            each_named(1),
            order=" ",
            extra="    conflict: unnamed\n",
        ),
        TOO_WIDE,
    ),
}


@pytest.fixture(scope="module")
def findings():
    """What the reader found in each file, in one process of bounded memory and time."""
    lines = "".join(json.dumps(text) + "\n" for text, _ in FILES.values())
    done = subprocess.run(
        [sys.executable, "-c", READER],
        input=lines,
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (0, "") == (done.returncode, done.stderr)
    return dict(zip(FILES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_ends_in_a_finding_that_names_the_limit(findings, name):
    _, expected = FILES[name]
    assert expected in [message for _, message in findings[name]]


def test_a_file_that_is_too_wide_has_that_finding_alone(findings):
    assert [["L7", TOO_WIDE]] == findings["every lane with every state"]


def test_work_on_one_file_ends_however_its_lanes_are_coupled(monkeypatch):
    """Guards in a ring make what is reachable grow slowly; whoever stops counting works on."""
    moves = [f"from: s{n}, to: s{n + 1}, if: {{l{n % 3}: '!s{n}'}}" for n in range(5)]
    text = wide(3, 6, moves, each_named(3))
    assert "L7" not in {found.rule for found in read(text).findings if "cannot be proven" in found.message}
    monkeypatch.setattr(reach, "Work", partial(space.Work, 100 * space.WORDS_OF_A_STEP))
    (finding,) = [found for found in read(text).findings if "cannot be proven" in found.message]
    assert "so L7, L8, L9 and L10 cannot be proven" in finding.message


def test_what_is_too_wide_is_no_reason_to_hide_what_is_proven():
    """Nobody may say that a transition is dead there, so its payload counts."""
    moves = [
        *(f"from: s{n}, to: s{n + 1}" for n in range(12)),
        "from: s1, to: s0",
        "from: s2, to: s3, payload: {x: text}",
    ]
    rules = {found.rule for found in read(wide(LANES_MAX, STATES_MAX, moves, each_named(LANES_MAX))).findings}
    assert {"L4", "L7", "L11"} == rules


def test_the_search_for_stories_ends_however_many_are_sought_in_vain(monkeypatch):
    """Conditions that are broken where no search comes by: twenty moves by five rows, each with a story to look for."""
    moves = [*(f"from: s{n}, to: s{n + 1}" for n in range(19)), "from: s19, to: s0, resets: true"]
    rows = [f"stage: r{n}, kind: normal, when: {{g: b, l0: s19, l1: s19, l2: s{19 - n}}}" for n in range(5)]
    guarded = "".join(f"      t{n}: {{from: a, to: b, if: {{l0: '!s19'}}}}\n" for n in range(20))
    head = "  g:\n    owner: g\n    initial: a\n    states: [a, b]\n    order: [a < b]\n    transitions:\n"
    text = wide(3, 20, moves, [*rows, REST]).replace("stages:\n", f"{head}{guarded}stages:\n")
    tries, enabled = itertools.count(), witness.enabled

    def counted(*place):
        next(tries)
        return enabled(*place)

    monkeypatch.setattr(witness, "enabled", counted)
    monkeypatch.setattr(reach_rules, "enabled", counted)
    broken = [found for found in read(text).findings if found.rule == "L9"]

    assert 100 <= len(broken)
    assert "" in {found.story for found in broken}
    assert next(tries) <= 2 * witness.TRIALS_MAX
