"""The small language of channel specs: JMESPath that reads, templates that write, and sources that name one value.

Each is compiled when a spec is read, so a bad one is refused with its line. None can call anything, loop, or make more
of its input than `gateway.specs.bounds` allows: whatever a spec says, its cost is that of the body that it reads.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult
from jmespath.visitor import Options

from crdt_sync.errors import Malformed
from gateway.specs import bounds, trees
from gateway.specs.trees import Root, Uncompiled

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_SOURCE = re.compile(r"(?P<place>secret|header|query|body|account)\.(?P<name>[!-~]{1,120})|raw_body|'(?P<text>[^']*)'")

Scope = Mapping[str, object]


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
        if len(text) > bounds.CHARS_MAX:
            raise Uncompiled(f"an expression has at most {bounds.CHARS_MAX} characters")
        try:
            parsed = jmespath.compile(text)
        except (JMESPathError, ValueError, RecursionError) as error:
            raise Uncompiled(f"this is not JMESPath: {' '.join(str(error).split())[:160]}") from None
        bounds.check(parsed.parsed)
        return cls(text, parsed)

    def __call__(self, scope: Scope) -> object:
        """What it finds, None if nothing; raises `Malformed` where a function is given what it cannot take."""
        try:
            return self._parsed.search(scope, Options(custom_functions=bounds.Functions()))
        except Exception:  # noqa: BLE001 - JMESPath documents what it raises, and raises more
            raise Malformed(f"The expression {self.text} cannot be applied.") from None

    def holds(self, scope: Scope) -> bool:
        """Whether what it finds is true; a rule that cannot be applied to what came does not hold."""
        try:
            return bool(self(scope))
        except Malformed:
            return False

    def roots(self) -> Iterator[Root]:
        """What it looks up in its scope."""
        return trees.roots(self._parsed.parsed)

    def compared_with(self, name: str) -> Iterator["Expression"]:
        """What it compares for equality with something that is looked up as `name`, or searches for it."""
        for node in trees.nodes(self._parsed.parsed):
            if (node["type"], node.get("value")) in trees.EQUATES:
                sides = [(one, {root.name for root in trees.roots(one)}) for one in node["children"]]
                if any(roots == {name} for _, roots in sides):
                    for one, roots in sides:
                        if roots and name not in roots:
                            yield Expression(self.text, ParsedResult(self.text, one))

    def comparisons(self) -> Iterator[tuple[frozenset[str], bool]]:
        """Of each comparison the fields that are in it, and whether these are held against a text or the account.

        One about `@` may be about any field of the whole.
        """
        every = frozenset(node["value"] for node in trees.nodes(self._parsed.parsed) if node["type"] == "field")
        for node in trees.nodes(self._parsed.parsed):
            if node["type"] == "comparator" or (node["type"], node.get("value")) in trees.SEARCHES:
                inner = list(trees.nodes(node))
                fields = frozenset(one["value"] for one in inner if one["type"] == "field")
                told = every if any(one["type"] == "current" for one in inner) else fields
                yield told, "account" in fields or any(trees.is_text_literal(one) for one in inner)

    def lookups(self) -> Iterator["Expression"]:
        """The paths in it, such as `item.mode` in a comparison."""
        paths = ((trees.path(one) or self.text, one) for one in trees.lookups(self._parsed.parsed))
        return (Expression(path, ParsedResult(path, one)) for path, one in paths)

    def literals(self) -> Iterator[str]:
        """The texts that stand in it."""
        return (node["value"] for node in trees.nodes(self._parsed.parsed) if trees.is_text_literal(node))

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
        if len(text) > 4 * bounds.CHARS_MAX:
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


def _is_answer(expression: Expression) -> bool:
    return {root.name for root in expression.roots()} == {"answer"}


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
