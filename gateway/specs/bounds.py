"""What bounds an expression: its functions, how often it may copy what it reads, and how long a text it may make."""

from math import prod

from jmespath import functions

from crdt_sync.errors import Malformed
from gateway.specs import trees
from gateway.specs.trees import Ast, Uncompiled

CHARS_MAX = 500
_COPIES_MAX = 8  # how often what an expression reads may stand in what it makes, if each of its lists is of the others
_CALLS_MAX = 8
_FLATTENS_MAX = 6
_MADE_MAX = 500_000  # characters that the functions of an expression are given to make a text of, each time it is used
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


def check(tree: Ast) -> None:
    """Raise `Uncompiled` where an expression is not within bounds (`loop`), or calls what a spec may not."""
    nodes = list(trees.nodes(tree))
    kinds = [node["type"] for node in nodes]
    unknown = {node["value"] for node in nodes if node["type"] == "function_expression"} - _FUNCTIONS
    if unknown:
        raise Uncompiled(f"the function {min(unknown)}() is not among those that a spec may use")
    copies = prod(_copies(node) for node in nodes if node["type"] in {"multi_select_list", "multi_select_dict"})
    calls, flattens = kinds.count("function_expression"), kinds.count("flatten")
    if copies > _COPIES_MAX or calls > _CALLS_MAX or flattens > _FLATTENS_MAX:
        raise Uncompiled("the expression loops over what it made itself: it may grow without bound", "loop")


def _copies(made: Ast) -> int:
    """How often a list or a table may hold what it reads."""
    values: list[Ast] = [one["children"][0] if one["type"] == "key_val_pair" else one for one in made["children"]]
    return max(1, len([one for one in values if one["type"] != "literal"]))


class Functions:
    """The functions, for one use of an expression: what they make of a body that no platform sends is not made."""

    def __init__(self) -> None:
        self._functions = functions.Functions()
        self._left = _MADE_MAX

    def call_function(self, name: str, given: list[object]) -> object:
        """What a function makes, as JMESPath asks for it."""
        match name, given:
            case "to_string", _:
                self._left -= _chars(given, self._left)
            case "join", [str(separator), list(texts)]:
                self._left -= len(separator) * len(texts) + _chars(texts, self._left)
        if self._left < 0:
            raise Malformed("The text would be too long.")
        return self._functions.call_function(name, given)


def _chars(value: object, enough: int) -> int:
    """About how long a value is as a text, counted until it is longer than enough."""
    count, left = 0, [value]
    while left and count <= enough:
        match left.pop():
            case str(text):
                count += len(text) + 2
            case dict(table):
                count += 2
                left += [*table.keys(), *table.values()]
            case list(items):
                count += 2
                left += items
            case _:
                count += 8
    return count
