"""A described channel's body as data: decoded, opened, and taken apart into one callback a message.

What is kept of a callback is the platform's own document, with one element in each list that the spec iterates, and the
headers that the spec asks for. So it can be read again by another spec, and a person recognises it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from crdt_sync.errors import Malformed
from gateway.channels.base import object_of
from gateway.specs.codecs import opened
from gateway.specs.model import Decode

DEPTH_MAX = 64  # no platform nests deeper, and everything that reads a body afterwards may recurse
ITEMS_MAX = 500  # messages in one request; each is kept with what stands around it
_FIELDS_MAX = 1_000  # of a form

Body = Mapping[str, object]
_Step = tuple[str, bool]  # a name, and whether it is a list


@dataclass(frozen=True, slots=True)
class Told:
    """One callback: the headers that are kept, the body with this callback alone, and the element that it is."""

    headers: Mapping[str, str]
    body: Body
    item: object

    def content(self) -> bytes:
        """What the inbox keeps."""
        return _written({"headers": self.headers, "body": self.body})


def unread(headers: Mapping[str, str], body: bytes) -> bytes:
    """What the inbox keeps of a body that is no data."""
    return _written({"headers": headers, "text": body.decode(errors="surrogateescape")})


def kept(content: bytes) -> tuple[Mapping[str, str], bytes | Body]:
    """The headers and the body of what the inbox kept: data, or bytes that are still to be read; raises `Malformed`."""
    try:
        found = json.loads(content.decode(errors="surrogatepass"))
    except (ValueError, RecursionError):
        found = None
    match found:
        case {"headers": dict(headers), "body": dict(body)}:
            return headers, body
        case {"headers": dict(headers), "text": str(text)}:
            return headers, text.encode(errors="surrogateescape")
        case _:
            raise Malformed("What was kept is no callback of a described channel.")


def decoded(decode: Decode, body: bytes | Body, secrets: Sequence[Mapping[str, str]]) -> dict[str, object]:
    """The data of a body; of data, what is still to be decoded in it. Raises `Malformed`."""
    data = body if isinstance(body, Mapping) else _data(decode.form, body)
    if decode.codec is not None and (sealed := at(data, decode.codec.field)) is not None:
        data = _opened(decode, sealed, secrets)
    made = dict(data)
    for path in decode.json_strings:
        made = _with_json(made, path.split("."))
    _check_depth(made)
    return made


def at(data: object, path: str) -> object:
    """The value at a path, None if there is none."""
    for name in path.split("."):
        data = data.get(name) if isinstance(data, Mapping) else None
    return data


def without(data: Body, path: str) -> Body:
    """The data without what stands at a path."""
    name, _, rest = path.partition(".")
    if not rest:
        return {key: value for key, value in data.items() if key != name}
    inner = data.get(name)
    return {**data, name: without(inner, rest)} if isinstance(inner, Mapping) else data


def taken_apart(paths: Sequence[str], body: Body) -> list[tuple[Body, object]]:
    """Each callback's body and element. A body that has none of the lists is one callback without an element.

    Raises:
        Malformed: there are too many.
    """
    if not paths:
        return [(body, body)]
    routes = [_steps(path) for path in paths]
    if not any(_has(body, route) for route in routes):
        return [(body, None)]
    found: list[tuple[Body, object]] = []
    for route in routes:
        beside = frozenset(other[-1][0] for other in routes if other[:-1] == route[:-1] and other != route)
        for single, item in _singled(body, route, beside):
            assert isinstance(single, Mapping), "a path begins with the name of a field"
            found.append((single, item))
            if len(found) > ITEMS_MAX:
                raise Malformed("The platform sent too many things at once.")
    return found


def _check_depth(data: object) -> None:
    level, depth = [data], 0
    while level:
        if depth > DEPTH_MAX:
            raise Malformed("The platform sent what nests too deep.")
        inner = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level, depth = [one for each in inner for one in each], depth + 1


def _data(form: str, body: bytes) -> Body:
    if form == "json":
        return object_of(body)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise Malformed("The platform sent no form.") from None
    return dict(reversed(pairs))  # of a field that is given twice the first counts


def _opened(decode: Decode, sealed: object, secrets: Sequence[Mapping[str, str]]) -> Body:
    codec = decode.codec
    assert codec is not None
    failure = Malformed("The platform sent a content that cannot be opened.")
    for known in secrets if isinstance(sealed, str) else ():
        try:
            return object_of(opened(codec.name, str(sealed), known[codec.secret]))
        except Malformed as error:
            failure = error
    raise failure


def _with_json(data: Body, names: Sequence[str]) -> dict[str, object]:
    """The data with the text at a path read as JSON; as it was where there is no text."""
    name, rest = names[0], names[1:]
    value = data.get(name)
    if rest:
        return {**data, name: _with_json(value, rest)} if isinstance(value, Mapping) else dict(data)
    if not isinstance(value, str):
        return dict(data)
    try:
        return {**data, name: json.loads(value)}
    except (ValueError, RecursionError):
        raise Malformed("The platform sent a text that should be JSON, and is not.") from None


def _steps(path: str) -> list[_Step]:
    return [(name.removesuffix("[]"), name.endswith("[]")) for name in path.split(".")]


def _has(node: object, steps: Sequence[_Step]) -> bool:
    if not steps:
        return True
    (name, is_list), rest = steps[0], steps[1:]
    value = node.get(name) if isinstance(node, Mapping) else None
    if is_list:
        return isinstance(value, list) and (not rest or not value or any(_has(one, rest) for one in value))
    return value is not None and _has(value, rest)


def _singled(node: object, steps: Sequence[_Step], beside: frozenset[str]) -> Iterator[tuple[object, object]]:
    """Each element at the end of the steps, and the node with no other element; lists `beside` the last go."""
    if not steps:
        yield node, node
        return
    (name, is_list), rest = steps[0], steps[1:]
    if not isinstance(node, Mapping) or (value := node.get(name)) is None or (is_list and not isinstance(value, list)):
        return
    around = {key: one for key, one in node.items() if rest or key not in beside}
    for one in value if is_list else [value]:
        for copy, item in _singled(one, rest, beside):
            yield {**around, name: [copy] if is_list else copy}, item


def _written(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")
