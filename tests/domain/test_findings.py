"""What a person reads of each broken file, to the letter: rule, line, sentence, story and fix, and nothing besides."""

from pathlib import Path

from crdt_sync.adapters.lifecycle_files import read

FIXTURES = Path(__file__).parents[1] / "fixtures"
FILES = sorted((FIXTURES / "lifecycles").glob("l[01]*-*.yaml"))


def test_the_findings_of_every_broken_file_read_as_they_are_written_down():
    found = (
        finding.to_text(path.name) for path in FILES for finding in read(path.read_text(encoding="utf-8")).findings
    )
    assert (FIXTURES / "findings.txt").read_text(encoding="utf-8").splitlines() == list(found)
