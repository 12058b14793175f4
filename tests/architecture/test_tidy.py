"""Sizes are a smell and not a law: what is over stands in a list here that may only shrink."""

import ast

from tests.architecture.tree import dotted, modules, shown

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
VAGUE = {"utils", "util", "helpers", "common", "misc", "manager", "managers", "shared", "stuff"}

# Module -> lines, function -> lines. Lower a number with the code, strike the entry once it is within bounds.
LONG_MODULES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}


def function_lines(path):
    """Lines of each function's body, its docstring left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            yield f"{dotted(path)}.{node.name}", body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_modules_are_named_for_what_they_own():
    assert [] == [shown(path) for path in modules() if VAGUE & set(dotted(path).split("."))]


def test_modules_are_short():
    lines = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert LONG_MODULES == {name: count for name, count in lines.items() if count > MODULE_LINES_MAX}


def test_functions_are_short():
    lines = [found for path in modules() for found in function_lines(path)]
    assert LONG_FUNCTIONS == {name: count for name, count in lines if count > FUNCTION_LINES_MAX}


def test_every_module_says_what_it_owns():
    assert [] == [
        shown(path) for path in modules() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
