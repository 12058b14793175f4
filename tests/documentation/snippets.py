"""What docs/lifecycle*.md show, made anew: each fenced block stands below a comment that says what it is.

`<!-- file: NAME -->` is a whole lifecycle file; `<!-- story: NAME -->` adds stories to it, and `<!-- change: NAME -->`
is a diff against it, until the next of either. These are written by hand. The others are made: `<!-- check: NAME -->`
is what `lifecycle check` prints, `<!-- explain: NAME -->` what a ticket says of itself after the last story, and
between `<!-- graph: NAME -->` and `<!-- end -->` stands what `lifecycle graph` draws, several blocks with headings.
Run this module to write them anew.
"""

import contextlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from crdt_sync.adapters.lifecycle_files import load, read, shipped
from crdt_sync.cli.lifecycle import app
from crdt_sync.domain.lifecycle.explain import explain
from crdt_sync.domain.lifecycle.stories import folded

ROOT = Path(__file__).parents[2]
DOCUMENTS = {"en": ROOT / "docs" / "lifecycle.md", "zh": ROOT / "docs" / "lifecycle.zh-CN.md"}
MADE = {"check", "explain"}

BLOCK = re.compile(r"<!-- (?P<what>\w+): (?P<name>[\w.-]+) -->\n```(?P<kind>\w+)\n(?P<text>.*?)```\n", re.DOTALL)

GRAPH = re.compile(r"<!-- graph: (?P<name>[\w.-]+) -->\n.*?<!-- end -->\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block and the comment above it."""

    what: str
    name: str
    kind: str
    text: str


def blocks(document: str) -> list[Block]:
    """The blocks of a document, in their order."""
    return [Block(match["what"], match["name"], match["kind"], match["text"]) for match in BLOCK.finditer(document)]


class Desk:
    """The files that a document has shown so far, and what is made of them."""

    def __init__(self, language):
        self.files = {f"{name}.yaml": text for name, text in shipped().items()}
        self.changed = {}
        self._language = language

    def take(self, block):
        """Take in a block; return its text as it must be."""
        match block.what:
            case "file":
                self.files[block.name] = block.text
            case "story":
                self.changed = {block.name: self.files[block.name] + block.text}
            case "change":
                self.changed = {block.name: patched(self.files[block.name], block.text)}
            case "check":
                return self._printed("check", block.name)
            case "explain":
                return self._explained(block.name)
            case _:
                raise AssertionError(f"no block is a {block.what}")
        return block.text

    def text(self, name):
        return self.changed.get(name) or self.files[name]

    def graph(self, name):
        return self._printed("graph", name, "--language", self._language)

    def findings(self, name):
        return read(self.text(name), name).findings

    def _printed(self, command, name, *options):
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            Path(name).write_text(self.text(name), encoding="utf-8")
            return CliRunner().invoke(app, [command, name, *options]).output

    def _explained(self, name):
        lifecycle = load(self.text(name))
        fold, _ = folded(lifecycle, lifecycle.stories[-1])
        return "".join(f"{line}\n" for line in explain(lifecycle, fold, language=self._language))


def patched(text, diff):
    """Replace the lines that the diff takes out, each run of which must stand there once, by those that it puts in."""
    for change in re.finditer(r"((?:^-.*\n)+)((?:^\+.*\n)*)", diff, re.MULTILINE):
        old, new = (re.sub(r"^.", "", part, flags=re.MULTILINE) for part in change.groups())
        assert text.count(old) == 1, f"a diff takes out what stands there {text.count(old)} times:\n{old}"
        text = text.replace(old, new)
    return text


def fresh(document, language):
    """The document with every block that is made, made anew."""
    desk = Desk(language)

    def made(match):
        text = desk.take(Block(match["what"], match["name"], match["kind"], match["text"]))
        return f"<!-- {match['what']}: {match['name']} -->\n```{match['kind']}\n{text}```\n"

    def drawn(match):
        return f"<!-- graph: {match['name']} -->\n{desk.graph(match['name'])}<!-- end -->\n"

    return GRAPH.sub(drawn, BLOCK.sub(made, document))


if __name__ == "__main__":
    for spoken, path in DOCUMENTS.items():
        path.write_text(fresh(path.read_text(encoding="utf-8"), spoken), encoding="utf-8")
