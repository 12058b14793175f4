"""Two implementations, one lifecycle: whatever Python makes of bytes, TypeScript makes of them, and the other way."""

import json
import subprocess

from crdt_sync.domain.canonical import dumps
from crdt_sync.domain.lifecycle.explain import explain
from crdt_sync.domain.lifecycle.fold import Fold, fold_lines
from crdt_sync.domain.transition import Transition, decode
from tests.conformance import node_tools
from tests.console import hostile, seeded, vectors

MUTANTS = 10_000
HISTORIES = 60  # of each direction; the vectors hold as many more
SEED = 20_000


def node(script: str, *arguments: object, told: str = "") -> list[str]:
    """The lines that a script of console/tests/agreement prints."""
    command = [node_tools.find().node, f"tests/agreement/{script}.ts", *map(str, arguments)]
    answer = subprocess.run(command, cwd=node_tools.CONSOLE, input=told, capture_output=True, text=True, check=False)
    assert (0, "") == (answer.returncode, answer.stderr)
    return answer.stdout.splitlines()


def code_or_id(data: bytes) -> str:
    decoded = decode(data)
    return decoded.id if isinstance(decoded, Transition) else decoded.value


def test_ten_thousand_mutants_decode_to_the_same_ids_and_codes():
    lines = [data for _, data in hostile.cases() if len(data) < 4096 and len(code_or_id(data)) == 52]
    lines += seeded.history(vectors.specs()["connect-order"], SEED, steps=10).lines.values()
    mutants = list(seeded.mutants(lines, SEED, MUTANTS))
    expected = [code_or_id(mutant) for mutant in mutants]

    assert {"size", "malformed"} < set(expected)
    assert MUTANTS // 50 < sum(len(found) == 52 for found in expected), "enough of them are still records"
    assert expected == node("decode", told="".join(mutant.hex() + "\n" for mutant in mutants))


def test_histories_by_python_fold_alike():
    specs = list(vectors.specs().items())
    asked, expected = [], []
    for number in range(HISTORIES):
        name, spec = specs[number % len(specs)]
        lines = seeded.history(spec, SEED + number, steps=16).all_lines
        asked.append(dumps({"lifecycle": name, "lines": [line.decode() for line in lines]}))
        expected.append(dumps(fold_lines(vectors.lifecycle(spec), lines)))

    assert expected == node("fold", told="".join(f"{line}\n" for line in asked))


def test_histories_by_fast_check_fold_and_read_alike():
    specs = vectors.specs()
    for case in map(json.loads, node("invent", SEED, HISTORIES)):
        lifecycle = vectors.lifecycle(specs[case["lifecycle"]])
        lines = [line.encode() for line in case["lines"]]
        fold = Fold(lifecycle, case["ticket"])
        for line in lines:
            fold.add(decode(line))
        assert dumps(fold_lines(lifecycle, lines)) == dumps(case["state"])
        for language in ("en", "zh"):
            assert list(explain(lifecycle, fold, language=language)) == case[language]
