"""The canonical content of a document: what it is, however its elements are cut into structs. Pure.

Two engines, or one engine before and after it merged what lies side by side, write one document as different bytes.
Here structs that continue each other are joined as far as they go, and what is deleted is deleted, whether its place is
still known or not.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from crdt_sync.documents.ranges import Deleted
from crdt_sync.documents.updates import Content, Deletion, Id, Struct, Update
from crdt_sync.documents.values import BigInt
from crdt_sync.domain.ids import ActorId, Digest

_GONE = frozenset({Content.GC, Content.DELETED})
_JSON_TEXTS = frozenset({Content.EMBED, Content.FORMAT})


def digest(whole: Update, authors: Iterable[tuple[int, ActorId]]) -> Digest:
    """Return the SHA-256, in hexadecimal, of a whole document's content and of who writes under which client id."""
    found = hashlib.sha256()
    deleted = Deleted()
    state: dict[int, int] = {}
    for run in _runs(sorted(whole.structs, key=lambda item: (item.client, item.clock))):
        state[run.client] = run.end
        if run.kind in _GONE:
            deleted.add([Deletion(run.client, run.clock, run.length)])
        else:
            found.update(repr((*run[:3], int(run.kind), _plain(run.kind, run.content), *run[5:])).encode())
    deleted.add(whole.deletes)
    found.update(repr((list(deleted), sorted(state.items()), sorted(authors))).encode())
    return Digest(found.hexdigest())


def _runs(structs: Iterable[Struct]) -> Iterator[Struct]:
    """Yield the structs, each joined with those that continue it."""
    run: Struct | None = None
    parts: list[str | tuple[object, ...]] = []
    for item in structs:
        if run is not None and _continues(run, item):
            run = run._replace(length=run.length + item.length)
            parts.append(item.content)  # type: ignore[arg-type]
            continue
        if run is not None:
            yield _joined(run, parts)
        run, parts = item, [item.content]  # type: ignore[list-item]
    if run is not None:
        yield _joined(run, parts)


def _continues(run: Struct, item: Struct) -> bool:
    if run.client != item.client or run.end != item.clock:
        return False
    if run.kind in _GONE:
        return item.kind in _GONE
    return (
        run.kind is item.kind
        and run.kind in {Content.STRING, Content.ANY, Content.JSON}
        and item.origin == Id(run.client, run.end - 1)
        and item.right_origin == run.right_origin
    )


def _joined(run: Struct, parts: Sequence[str | tuple[object, ...]]) -> Struct:
    if run.kind is Content.STRING:
        return run._replace(content="".join(map(str, parts)))
    if run.kind in {Content.ANY, Content.JSON}:
        return run._replace(content=tuple(value for part in parts for value in part))
    return run


def _plain(kind: Content, value: object) -> object:
    """Return a value of which `repr` is the same for all that read the same."""
    if kind in _JSON_TEXTS:
        key, text = value if isinstance(value, tuple) else ("", value)
        return key, json.dumps(json.loads(str(text)), sort_keys=True)
    if isinstance(value, Mapping):
        return {key: _plain(kind, value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_plain(kind, each) for each in value]
    if isinstance(value, BigInt):
        return "bigint", int(value)
    if isinstance(value, str):
        return "text", value.encode()  # `repr` of a text depends on the version of Unicode
    return value
