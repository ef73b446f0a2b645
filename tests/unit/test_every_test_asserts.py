"""A test that cannot fail is worse than none: each one asserts something, itself or in a helper it calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
ROOT = TESTS.parent
Function = ast.FunctionDef | ast.AsyncFunctionDef
_RAISING = {"raises", "warns", "fail", "deprecated_call", "assert_never"}
# Judge by raising when what they watch goes wrong; their names are in no test tree.
_JUDGES = {
    "check_call",  # subprocess
    "run_state_machine_as_test",  # hypothesis
    "timeout",  # asyncio: a bounded wait for something that must come
}


def functions(tree: ast.AST) -> Iterator[Function]:
    """All functions in ``tree``, methods and nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def called(function: ast.AST) -> set[str]:
    """Last names of what ``function`` calls."""
    return {ast.unparse(node.func).rpartition(".")[2] for node in ast.walk(function) if isinstance(node, ast.Call)}


def asserts(function: ast.AST) -> bool:
    """Whether it can fail by its own words."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            # `assert True` and `assert ("a", "b")` hold whatever happens.
            if not isinstance(node.test, (ast.Constant, ast.Tuple)):
                return True
        elif isinstance(node, ast.Raise) and node.exc is not None and "AssertionError" in ast.unparse(node.exc):
            return True
    calls = called(function)
    # What is called check_... raises for what it refuses; that it does not is the test, unless something catches it.
    checks = any(name.startswith("check_") for name in calls)
    return bool(calls & (_RAISING | _JUDGES)) or (
        checks and not any(isinstance(n, ast.Try) for n in ast.walk(function))
    )


def helpers_that_assert(trees: list[ast.Module]) -> set[str]:
    """Names of functions outside of tests that assert, directly or through one another.

    A name that a function has that does not assert as well, as ``get`` or ``start``, vouches for nothing.
    """
    named: dict[str, list[Function]] = {}
    for tree in trees:
        for function in functions(tree):
            if not function.name.startswith("test_"):
                named.setdefault(function.name, []).append(function)
    good: set[str] = set()
    while more := {n for n, fs in named.items() if n not in good and all(asserts(f) or called(f) & good for f in fs)}:
        good |= more
    return good


def blind(source: str, helpers: set[str]) -> list[str]:
    """Names and lines of tests in ``source`` that assert nothing."""
    found = [f for f in functions(ast.parse(source)) if f.name.startswith("test_")]
    return [f"{f.name} (line {f.lineno})" for f in found if not asserts(f) and not called(f) & helpers]


def test_each_test_asserts_something() -> None:
    paths = [path for folder in (TESTS, ROOT / "bench") for path in folder.rglob("*.py")]
    helpers = helpers_that_assert([ast.parse(path.read_text()) for path in paths])
    told = {
        str(path.relative_to(ROOT)): names
        for path in sorted(TESTS.rglob("test_*.py"))
        if (names := blind(path.read_text(), helpers))
    }
    assert told == {}


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (
            "def test_a():\n    for x in y:\n        try:\n            f(x)\n        except E:\n            continue\n",
            1,
        ),
        ("def test_a():\n    assert True\n", 1),
        ("def test_a():\n    assert ('x', 'y')\n", 1),
        ("def test_a():\n    assert x == 1\n", 0),
        ("def test_a():\n    with pytest.raises(E):\n        f()\n", 0),
        ("async def test_a():\n    await judge(x)\n", 0),
        ("def test_a():\n    check_timing(x)\n", 0),
        ("def test_a():\n    try:\n        check_timing(x)\n    except E:\n        pass\n", 1),
        ("class T:\n    def test_a(self):\n        f()\n", 1),
    ],
)
def test_the_check_itself(source: str, wanted: int) -> None:
    helpers = helpers_that_assert([ast.parse("def judge(x):\n    deep(x)\ndef deep(x):\n    assert x\n")])
    assert len(blind(source, helpers)) == wanted
