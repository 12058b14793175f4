"""Whether a spec may be used: its form, its rules, its samples. The one way from a text to a spec that runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from crdt_sync.errors import Malformed
from gateway.specs.model import Spec
from gateway.specs.reading import Finding, Parsed, parse
from gateway.specs.rules import broken
from gateway.specs.trial import tried


@dataclass(frozen=True, slots=True)
class Proven:
    """A spec that may be used, and the name of its text."""

    spec: Spec
    digest: str


def findings_of(text: str | bytes) -> list[Finding]:
    """Everything that is wrong with a spec, each with its line. Never raises, whatever the text."""
    return _findings(parse(text))


def proven(text: str | bytes, source: str) -> Proven:
    """The spec of a text.

    Raises:
        Malformed: something is wrong with it (code `spec`); the message has the first finding.
    """
    parsed = parse(text)
    return _proven(parsed, _findings(parsed), source)


def proven_before(text: str | bytes, source: str) -> Proven:
    """The spec of a text that was proven once: its form alone is asked for, since later rules are for later texts.

    Raises:
        Malformed: it has no longer the form of a spec (code `spec`).
    """
    parsed = parse(text)
    return _proven(parsed, parsed.findings, source)


def _proven(parsed: Parsed, found: Sequence[Finding], source: str) -> Proven:
    if found or parsed.spec is None:
        raise Malformed(
            f"The channel spec cannot be used: {found[0].to_text(source)}",
            code="spec",
            advice="`crdt-sync gateway channel lint FILE` lists all that is wrong.",
        )
    return Proven(parsed.spec, parsed.digest)


def _findings(parsed: Parsed) -> list[Finding]:
    if parsed.spec is None:
        return list(parsed.findings)
    return parsed.lines.hidden() or broken(parsed.spec, parsed.lines) or tried(parsed.spec, parsed.lines)
