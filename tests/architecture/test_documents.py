import re

from tests.architecture.tree import ROOT, shown, texts

LINK = re.compile(r"\[[^\]]*\]\(([^)#:]+)(?:#[^)]*)?\)")


def test_every_relative_link_leads_somewhere():
    links = [(path, link) for path, text in texts() if path.suffix == ".md" for link in LINK.findall(text)]
    assert 0 < len(links)
    assert [] == [(shown(path), link) for path, link in links if not (path.parent / link).exists()]


def test_every_decision_is_listed():
    folder = ROOT / "docs" / "decisions"
    listed = set(LINK.findall((folder / "README.md").read_text(encoding="utf-8")))
    assert {path.name for path in folder.glob("[0-9]*.md")} == listed


def test_decisions_are_numbered_without_gaps():
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [f"{number:04}" for number in range(1, len(names) + 1)] == [name[:4] for name in names]


def test_every_make_target_that_is_written_down_exists():
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    asked = {
        (shown(path), target)
        for path, text in texts()
        if path.suffix == ".md"
        for command in re.findall(r"(?m)(?:`|^    )make ([a-z -]+?)(?:`|  |$)", text)
        for target in command.split()
    }
    assert asked
    assert [] == sorted((where, target) for where, target in asked if target not in targets)
