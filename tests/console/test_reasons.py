"""Whatever the service may refuse a person for, the consoles say in words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from crdt_sync import errors
from crdt_sync.domain.access import NOT_THE_AUTHOR
from crdt_sync.domain.lifecycle.result import Code
from crdt_sync.domain.transition import Undecodable
from crdt_sync.service.admission import PARENT_REFUSED
from crdt_sync.service.showing import ABSENT, AWAITED
from crdt_sync.wire.status import BY_CODE, TABLE

ROOT = Path(__file__).parents[2]
VIEWS, STORE = ROOT / "console/src/views", ROOT / "console/src/store"
PACKAGE = Path(errors.__file__).parent
SPOKEN = ["domain", "documents", "protocol", "service"]
WIRES = [
    "auth", "media_api", "middleware", "problems", "provider_api", "providers", "requests", "session_api", "sockets",
    "tickets_api", "websocket",
]  # fmt: skip
OF_OTHERS = {  # what gateways, webhooks, operators and the writers of lifecycles ask
    "service/alarms.py", "service/compaction.py", "service/ingest.py", "service/outbox.py", "service/sending.py",
    "service/webhooks.py", "domain/lifecycle/stories.py",
}  # fmt: skip


def _files() -> Iterator[Path]:
    for package in SPOKEN:
        yield from (PACKAGE / package).rglob("*.py")
    yield from (PACKAGE / "server" / f"{name}.py" for name in WIRES)


def _given(file: Path) -> Iterator[str]:
    """Yield the codes that a module writes out: of errors, of denials, and those that admission returns."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id="Denial"), args=[ast.Constant(value=str(code)), *_]):
                yield code
            case ast.keyword(arg="code", value=ast.Constant(value=str(code))):
                yield code
            case ast.Return(value=ast.Constant(value=str(code))) if file.name == "admission.py" and code:
                yield code


def _codes() -> set[str]:
    fixed = {*Code, *Undecodable, *BY_CODE, NOT_THE_AUTHOR, PARENT_REFUSED, AWAITED, ABSENT}
    of_types = {error.default_code for error in TABLE}
    service = {
        code for file in _files() if file.relative_to(PACKAGE).as_posix() not in OF_OTHERS for code in _given(file)
    }
    store = {
        code
        for file in STORE.rglob("*.ts")
        for code in re.findall(r'StoreError\(\s*"(\w+)"', file.read_text(encoding="utf-8"))
    }
    assert {"role_not_held", "media_size", "lane_owner", "too_many"} <= service
    assert {"offline", "payload"} <= store
    return {str(code) for code in fixed} | of_types | service | store


def test_every_code_that_a_person_may_meet_has_words_in_both_languages():
    reasons = set(re.findall(r"^  (\w+): \{", (VIEWS / "reasons.ts").read_text(encoding="utf-8"), re.MULTILINE))
    of_duplicates = set(re.findall(r"^  duplicate_(\w+): \{", (VIEWS / "words.ts").read_text("utf-8"), re.MULTILINE))
    assert [] == sorted(_codes() - reasons - of_duplicates)
