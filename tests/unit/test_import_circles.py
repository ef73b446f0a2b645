"""No module needs, to be imported, one that needs it."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

import aware_agent

PACKAGE = Path(aware_agent.__file__).parent


def _modules() -> dict[str, str]:
    """Source by dotted name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def _at_import(body: Iterable[ast.AST]) -> Iterable[ast.Import | ast.ImportFrom]:
    """Not those in functions, nor those for the type checker alone."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If | ast.Try | ast.With) and "TYPE_CHECKING" not in ast.unparse(node).split(":")[0]:
            yield from _at_import(ast.iter_child_nodes(node))


def graph(modules: Mapping[str, str]) -> dict[str, set[str]]:
    """Who imports whom."""
    edges: dict[str, set[str]] = {}
    for name, source in modules.items():
        wanted: set[str] = set()
        for node in _at_import(ast.parse(source).body):
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
            else:
                inside = (f"{node.module}.{alias.name}" for alias in node.names)
                wanted |= {each if each in modules else str(node.module) for each in inside}
        edges[name] = {each for each in wanted if each in modules and each != name}
    return edges


def test_there_is_none() -> None:
    modules = _modules()
    order = list(graphlib.TopologicalSorter(graph(modules)).static_order())
    assert len(order) == len(modules) > 200
    assert order.index("aware_agent.colony.errors") < order.index("aware_agent.daemon")


def test_one_would_be_found() -> None:
    circle = {"p": "", "p.a": "from p import b", "p.b": "if True:\n    from p.a import thing"}
    with pytest.raises(graphlib.CycleError):
        list(graphlib.TopologicalSorter(graph(circle)).static_order())
    later = {**circle, "p.b": "if TYPE_CHECKING:\n    import p.a\ndef f():\n    import p.a"}
    assert list(graphlib.TopologicalSorter(graph(later)).static_order())
