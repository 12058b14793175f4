"""Walks through a JMESPath expression as its parser has it: what it looks up, and what it compares."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_DEPTH_MAX = 40

Ast = Mapping[str, Any]

EQUATES = (("comparator", "eq"), ("function_expression", "contains"))
SEARCHES = tuple(("function_expression", name) for name in ("contains", "starts_with", "ends_with"))
_FIRST_ONLY = frozenset({"subexpression", "projection", "filter_projection", "value_projection", "pipe", "flatten"})


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


def nodes(tree: Ast, depth: int = 0) -> Iterator[Ast]:
    """Every part of an expression, itself first; raises `Uncompiled` if it is too deep."""
    if depth > _DEPTH_MAX:
        raise Uncompiled("the expression nests too deep")
    yield tree
    for child in tree["children"]:
        if isinstance(child, Mapping):
            yield from nodes(child, depth + 1)


def roots(tree: Ast) -> Iterator[Root]:
    """What it looks up in its scope."""
    kind, children = tree["type"], tree["children"]
    match kind:
        case "field":
            yield Root(tree["value"], None)
        case "subexpression" if children[0]["type"] == children[1]["type"] == "field":
            yield Root(children[0]["value"], children[1]["value"])
        case "index_expression":
            yield from roots(children[0])
        case _ if kind in _FIRST_ONLY:
            yield from roots(children[0])
        case "current":
            yield Root("@", None)
        case "expref":
            return
        case _:
            for child in children:
                if isinstance(child, Mapping):
                    yield from roots(child)


def lookups(tree: Ast) -> Iterator[Ast]:
    """The paths in it."""
    if path(tree) is not None:
        yield tree
    elif tree["type"] in _FIRST_ONLY or tree["type"] == "index_expression":
        yield from lookups(tree["children"][0])  # what follows looks at what that found
        yield tree
    else:
        for child in tree["children"]:
            if isinstance(child, Mapping):
                yield from lookups(child)


def path(tree: Ast) -> str | None:
    """A plain path as it is written, None if it is none."""
    match tree["type"]:
        case "field":
            return str(tree["value"])
        case "index":
            return f"[{tree['value']}]"
        case "subexpression" | "index_expression" as kind:
            paths = [path(child) for child in tree["children"]]
            return None if None in paths else ("." if kind == "subexpression" else "").join(map(str, paths))
        case _:
            return None


def is_text_literal(node: Ast) -> bool:
    """Whether it is a text that stands in the spec."""
    return node["type"] == "literal" and isinstance(node["value"], str)
