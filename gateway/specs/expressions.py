"""The small language of channel specs: JMESPath that reads, templates that write, and sources that name one value.

Each is compiled when a spec is read, so a bad one is refused with its line. None can call anything, loop, or make more
of its input than a bounded multiple: whatever a spec says, its cost is that of the body that it reads.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult

from crdt_sync.errors import Malformed

_CHARS_MAX = 500
_DEPTH_MAX = 40
_COPIES_MAX = 2  # lists and tables that an expression makes: each may hold what it reads so many times over
_COPIED_MAX = 8
_FLATTENS_MAX = 6
_FUNCTIONS = frozenset(
    {
        "contains",
        "ends_with",
        "join",
        "keys",
        "length",
        "merge",
        "not_null",
        "sort",
        "starts_with",
        "to_number",
        "to_string",
        "type",
        "values",
    }
)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_SOURCE = re.compile(r"(?P<place>secret|header|query|body|account)\.(?P<name>[!-~]{1,120})|raw_body|'(?P<text>[^']*)'")

Scope = Mapping[str, object]
_Ast = Mapping[str, Any]


class Uncompiled(ValueError):
    """What stands in a spec cannot be compiled. `code` is a constant name."""

    def __init__(self, message: str, code: str = "expression") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Root:
    """A name that an expression looks up in its scope, and the field that it takes there, if it is a plain one."""

    name: str
    field: str | None


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled JMESPath expression."""

    text: str
    _parsed: ParsedResult = field(repr=False, compare=False)

    @classmethod
    def of(cls, text: object) -> "Expression":
        """Compile; raises `Uncompiled`."""
        if not isinstance(text, str) or not text.strip():
            raise Uncompiled("an expression is a text")
        if len(text) > _CHARS_MAX:
            raise Uncompiled(f"an expression has at most {_CHARS_MAX} characters")
        try:
            parsed = jmespath.compile(text)
        except (JMESPathError, ValueError, RecursionError) as error:
            raise Uncompiled(f"this is not JMESPath: {' '.join(str(error).split())[:160]}") from None
        _check(parsed.parsed)
        return cls(text, parsed)

    def __call__(self, scope: Scope) -> object:
        """What it finds, None if nothing; raises `Malformed` where a function is given what it cannot take."""
        try:
            return self._parsed.search(scope)
        except Exception:  # noqa: BLE001 - JMESPath documents what it raises, and raises more
            raise Malformed(f"The expression {self.text} cannot be applied.") from None

    def roots(self) -> Iterator[Root]:
        """What it looks up in its scope."""
        return _roots(self._parsed.parsed)

    def compared_with(self, name: str) -> Iterator["Expression"]:
        """What it compares for equality with something that is looked up as `name`, or searches for it."""
        for node in _nodes(self._parsed.parsed):
            if (node["type"], node.get("value")) in _EQUATES:
                sides = [(one, {root.name for root in _roots(one)}) for one in node["children"]]
                if any(roots == {name} for _, roots in sides):
                    for one, roots in sides:
                        if roots and name not in roots:
                            yield Expression(self.text, ParsedResult(self.text, one))

    def comparisons(self) -> Iterator[tuple[frozenset[str], bool]]:
        """Of each comparison the fields that are in it, and whether these are held against a text or the account.

        One about `@` may be about any field of the whole.
        """
        every = frozenset(node["value"] for node in _nodes(self._parsed.parsed) if node["type"] == "field")
        for node in _nodes(self._parsed.parsed):
            if node["type"] == "comparator" or (node["type"], node.get("value")) in _SEARCHES:
                inner = list(_nodes(node))
                fields = frozenset(one["value"] for one in inner if one["type"] == "field")
                told = every if any(one["type"] == "current" for one in inner) else fields
                yield told, "account" in fields or any(_is_text_literal(one) for one in inner)

    def lookups(self) -> Iterator["Expression"]:
        """The paths in it, such as `item.mode` in a comparison."""
        paths = ((_path(one) or self.text, one) for one in _lookups(self._parsed.parsed))
        return (Expression(path, ParsedResult(path, one)) for path, one in paths)

    def literals(self) -> Iterator[str]:
        """The texts that stand in it."""
        return (node["value"] for node in _nodes(self._parsed.parsed) if _is_text_literal(node))

    @property
    def is_lookup(self) -> bool:
        """Whether it is one name and one field, such as `secret.token`, and nothing is done with it."""
        roots = list(self.roots())
        return len(roots) == 1 and self.text.strip() == f"{roots[0].name}.{roots[0].field}"


@dataclass(frozen=True, slots=True)
class Template:
    """A text with expressions in braces. One that is nothing but an expression keeps the value's own type."""

    text: str
    pieces: tuple[str | Expression, ...]

    @classmethod
    def of(cls, text: object) -> "Template":
        """Compile; raises `Uncompiled`."""
        if not isinstance(text, str):
            raise Uncompiled("a text is expected, in quotes where it looks like a number")
        if len(text) > 4 * _CHARS_MAX:
            raise Uncompiled("the text is too long")
        if text.startswith("{") and text.endswith("}") and "}" not in text[:-1].replace("})", ""):
            return cls(text, (Expression.of(text[1:-1]),))
        pieces = _PLACEHOLDER.split(text)
        if any("{" in literal or "}" in literal for literal in pieces[::2]):
            raise Uncompiled("a brace opens an expression and closes it: {delivery.text}")
        made = [Expression.of(piece) if place % 2 else piece for place, piece in enumerate(pieces)]
        return cls(text, tuple(piece for piece in made if piece != ""))

    def value(self, scope: Scope) -> object:
        """What it comes to: a text, or whatever its one expression finds; None where one finds nothing."""
        if len(self.pieces) == 1 and isinstance(self.pieces[0], Expression):
            return self.pieces[0](scope)
        return self.filled(scope)

    def filled(self, scope: Scope, *, quoted_after: int | None = None) -> str | None:
        """The text, None where an expression finds nothing; pieces from `quoted_after` on are quoted for a URL.

        What an answer tells may be a path there, and nothing else may.
        """
        found: list[str] = []
        for place, piece in enumerate(self.pieces):
            text = piece if isinstance(piece, str) else text_of(piece(scope))
            if text is None:
                return None
            if quoted_after is not None and place >= quoted_after and isinstance(piece, Expression):
                safe = "/:" if _is_answer(piece) else ":"
                text = quote(text, safe=safe)
                if {".", ".."} & set(text.split("/")):  # these would lead to another path
                    return None
            found.append(text)
        return "".join(found)

    def expressions(self) -> Iterator[Expression]:
        """Its expressions."""
        return (piece for piece in self.pieces if isinstance(piece, Expression))


@dataclass(frozen=True, slots=True)
class Document:
    """JSON whose texts are templates. A member whose template finds nothing is left out."""

    tree: object

    @classmethod
    def of(cls, given: object) -> "Document":
        """Compile; raises `Uncompiled`."""
        return cls(_compiled(given))

    def value(self, scope: Scope) -> object:
        """The JSON."""
        return _filled(self.tree, scope)

    def templates(self) -> Iterator[tuple[tuple[str | int, ...], Template]]:
        """Its templates, each with its place in it."""
        return _templates(self.tree, ())


@dataclass(frozen=True, slots=True)
class Source:
    """One value of a request, a secret, a field of the account, or a text: `header.x-signature`, `raw_body`, `':'`."""

    text: str
    place: str
    name: str

    @classmethod
    def of(cls, text: object) -> "Source":
        """Read; raises `Uncompiled`."""
        found = _SOURCE.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise Uncompiled(
                "name raw_body, header.NAME, query.NAME, body.PATH, account.NAME, secret.NAME, or 'a text'"
            )
        assert isinstance(text, str)
        if found["text"] is not None:
            return cls(text, "text", found["text"])
        return cls(text, found["place"] or "raw_body", found["name"] or "")


def text_of(value: object) -> str | None:
    """A value as a text that can be written down, half a surrogate pair replaced; None if it is neither text nor id."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _check(tree: _Ast) -> None:
    nodes = list(_nodes(tree))
    kinds = [node["type"] for node in nodes]
    unknown = {node["value"] for node in nodes if node["type"] == "function_expression"} - _FUNCTIONS
    if unknown:
        raise Uncompiled(f"the function {min(unknown)}() is not among those that a spec may use")
    copies = [node for node in nodes if node["type"] in {"multi_select_list", "multi_select_dict"}]
    repeats = len(copies) > _COPIES_MAX or any(len(node["children"]) > _COPIED_MAX for node in copies)
    if repeats or kinds.count("flatten") > _FLATTENS_MAX or kinds.count("function_expression") > _COPIED_MAX:
        raise Uncompiled("the expression loops over what it made itself: it may grow without bound", "loop")


def _nodes(tree: _Ast, depth: int = 0) -> Iterator[_Ast]:
    if depth > _DEPTH_MAX:
        raise Uncompiled("the expression nests too deep")
    yield tree
    for child in tree["children"]:
        if isinstance(child, Mapping):
            yield from _nodes(child, depth + 1)


_EQUATES = (("comparator", "eq"), ("function_expression", "contains"))
_SEARCHES = tuple(("function_expression", name) for name in ("contains", "starts_with", "ends_with"))
_FIRST_ONLY = frozenset({"subexpression", "projection", "filter_projection", "value_projection", "pipe", "flatten"})


def _roots(tree: _Ast) -> Iterator[Root]:
    kind, children = tree["type"], tree["children"]
    match kind:
        case "field":
            yield Root(tree["value"], None)
        case "subexpression" if children[0]["type"] == children[1]["type"] == "field":
            yield Root(children[0]["value"], children[1]["value"])
        case "index_expression":
            yield from _roots(children[0])
        case _ if kind in _FIRST_ONLY:
            yield from _roots(children[0])
        case "current":
            yield Root("@", None)
        case "expref":
            return
        case _:
            for child in children:
                if isinstance(child, Mapping):
                    yield from _roots(child)


def _lookups(tree: _Ast) -> Iterator[_Ast]:
    if _path(tree) is not None:
        yield tree
    elif tree["type"] in _FIRST_ONLY or tree["type"] == "index_expression":
        yield from _lookups(tree["children"][0])  # what follows looks at what that found
        yield tree
    else:
        for child in tree["children"]:
            if isinstance(child, Mapping):
                yield from _lookups(child)


def _path(tree: _Ast) -> str | None:
    """A plain path as it is written, None if it is none."""
    match tree["type"]:
        case "field":
            return str(tree["value"])
        case "index":
            return f"[{tree['value']}]"
        case "subexpression" | "index_expression" as kind:
            paths = [_path(child) for child in tree["children"]]
            return None if None in paths else ("." if kind == "subexpression" else "").join(map(str, paths))
        case _:
            return None


def _is_answer(expression: Expression) -> bool:
    return {root.name for root in expression.roots()} == {"answer"}


def _is_text_literal(node: _Ast) -> bool:
    return node["type"] == "literal" and isinstance(node["value"], str)


def _compiled(given: object) -> object:
    match given:
        case str():
            return Template.of(given)
        case dict():
            return {str(name): _compiled(value) for name, value in given.items()}
        case list() | tuple():
            return [_compiled(value) for value in given]
        case _:
            return given


def _filled(tree: object, scope: Scope) -> object:
    match tree:
        case Template():
            return tree.value(scope)
        case dict():
            made = {name: _filled(value, scope) for name, value in tree.items()}
            return {name: value for name, value in made.items() if value is not None}
        case list():
            return [_filled(value, scope) for value in tree]
        case _:
            return tree


def _templates(tree: object, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Template]]:
    match tree:
        case Template():
            yield place, tree
        case dict():
            for name, value in tree.items():
                yield from _templates(value, (*place, name))
        case list():
            for number, value in enumerate(tree):
                yield from _templates(value, (*place, number))
        case _:
            return
