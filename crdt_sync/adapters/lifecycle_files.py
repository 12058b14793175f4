"""Lifecycle files: YAML 1.2 text to a proven `Lifecycle`. What a value means is `crdt_sync.domain.lifecycle.spec`'s."""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources

from crdt_sync.domain.lifecycle.check import check
from crdt_sync.domain.lifecycle.model import Finding, Lifecycle
from crdt_sync.domain.lifecycle.node import plain
from crdt_sync.domain.lifecycle.spec import Parsed, parse
from crdt_sync.errors import Malformed
from crdt_sync.yaml_tree import tree_of


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file gave. `lifecycle` is there if it passes L1 and L2; only without `findings` may a service use it."""

    lifecycle: Lifecycle | None
    findings: list[Finding]
    source: str


def read(text: str | bytes, source: str = "lifecycle") -> Loaded:
    """Read and check a file. Never raises, whatever the text; `source` names it for the reader of the findings."""
    parsed = _parsed(text)
    sound = not parsed.findings
    findings = list(parsed.findings)
    if parsed.lifecycle:
        findings += check(parsed.lifecycle, unsure=parsed.unsure, complete=parsed.complete, sound=sound)
    findings.sort(key=lambda finding: finding.line)
    return Loaded(parsed.lifecycle if sound else None, findings, source)


@lru_cache
def load(text: str | bytes, source: str = "lifecycle") -> Lifecycle:
    """Return the proven lifecycle of a file; one text is proven once.

    Raises:
        Malformed: the checker found something; the message names the first finding and how many there are.

    """
    loaded = read(text, source)
    if loaded.lifecycle is None or loaded.findings:
        raise _refusal(loaded.findings, source)
    return loaded.lifecycle


@lru_cache
def load_accepted(text: str | bytes, source: str = "lifecycle") -> Lifecycle:
    """Return the lifecycle of a file that was proven when it was accepted: only L1 and L2 are asked again.

    A ticket keeps the lifecycle that it was opened with, also where a checker of today would refuse it.

    Raises:
        Malformed: the text is no lifecycle file.

    """
    parsed = _parsed(text)
    if parsed.lifecycle is None or parsed.findings:
        raise _refusal(parsed.findings, source)
    return parsed.lifecycle


@lru_cache
def as_json(text: str) -> str:
    """Return a file that was accepted as JSON, for clients that read no YAML: the same data, in the file's order."""
    root, _ = tree_of(text)
    assert root is not None, "an accepted file has a root"
    return json.dumps(plain(root), ensure_ascii=False, separators=(",", ":"))


def shipped() -> dict[str, str]:
    """The lifecycle files that come with the package: name without suffix -> YAML text."""
    folder = resources.files("crdt_sync.lifecycles")
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".yaml")), key=lambda item: item.name)
    return {item.name.removesuffix(".yaml"): item.read_text(encoding="utf-8") for item in files}


def _parsed(text: str | bytes) -> Parsed:
    """Read a file as far as L1 and L2 go."""
    root, faults = tree_of(text)
    findings = [Finding("L1", "file", fault.line, fault.message) for fault in faults]
    if root is None:
        return Parsed(None, findings, frozenset(), complete=False)
    parsed = parse(root)
    return replace(parsed, findings=[*findings, *parsed.findings], complete=parsed.complete and not findings)


def _refusal(findings: list[Finding], source: str) -> Malformed:
    return Malformed(
        f"The lifecycle does not pass its check, with {len(findings)} finding(s), the first of them: "
        f"{findings[0].to_text(source)}",
        code="lifecycle",
        advice="`crdt-sync lifecycle check FILE` lists what is wrong and how to mend it.",
    )
