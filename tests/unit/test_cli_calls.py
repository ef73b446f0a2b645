"""Every call the command line and the benchmarks write out is one the gateway describes, with those parameters."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from aware_agent.gateway.app import create_gateway
from tests.gateway.memory import MemoryContext

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "aware_agent" / "cli").glob("*.py"), *(ROOT / "aware_agent" / "check").glob("*.py")])
_CLIENTS = ("get", "request", "stream", "ask")
_OPTIONS = {"body", "if_match", "authenticate", "params", "anyhow", "headers"}


class Call(NamedTuple):
    where: str
    method: str
    path: str  # what is not known before it runs is {}
    parameters: frozenset[str]


def _text(node: ast.expr, names: dict[str, str]) -> str | None:
    """A path as far as it is written out; None when it is no path of ours."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value if node.value.startswith("/") else None
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("at", "node_path"):
        first = ["v1", "nodes"] if node.func.id == "node_path" else []
        rest = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.args]
        return "/" + "/".join([*first, *rest])
    return None


def _names(tree: ast.AST) -> dict[str, str]:
    """Names that stand for one path in a file."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            pairs = (
                list(zip(target.elts, value.elts, strict=True))
                if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
                else [(target, value)]
            )
            for name, given in pairs:
                text = _text(given, {})
                if isinstance(name, ast.Name) and text is not None:
                    found[name.id] = text
    return found


def _keys(node: ast.expr | None, tree: ast.AST) -> set[str]:
    if isinstance(node, ast.Dict):
        return {key.value for key in node.keys if isinstance(key, ast.Constant)}
    if isinstance(node, ast.Name):  # params=dry
        for made in ast.walk(tree):
            if isinstance(made, ast.Assign) and isinstance(made.targets[0], ast.Tuple):
                for name, value in zip(made.targets[0].elts, getattr(made.value, "elts", ()), strict=False):
                    if isinstance(name, ast.Name) and name.id == node.id:
                        return _keys(value, tree)
    return set()


def calls() -> Iterator[Call]:
    for source in SOURCES:
        tree = ast.parse(source.read_text(encoding="utf-8"))
        names = _names(tree)
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if node.func.attr not in _CLIENTS:
                continue
            if node.func.attr in ("request", "ask") and len(node.args) > 1:
                first, path = node.args[0], _text(node.args[1], names)
                method = first.value if isinstance(first, ast.Constant) else "GET"
            else:
                method, path = "GET", _text(node.args[0], names)
            if path is None:
                continue
            given = {word.arg for word in node.keywords if word.arg and word.arg not in _OPTIONS}
            for word in node.keywords:
                given |= _keys(word.value, tree) if word.arg in (None, "params") else set()
            if node.func.attr == "stream" and len(node.args) > 1:
                given |= _keys(node.args[1], tree)
            yield Call(f"{source.name}:{node.lineno}", str(method), path, frozenset(given))


CALLS = list(calls())


@pytest.fixture
async def described() -> dict[str, Any]:
    transport = httpx.ASGITransport(app=create_gateway(MemoryContext()))
    async with httpx.AsyncClient(transport=transport, base_url="https://queen") as client:
        paths: dict[str, Any] = (await client.get("/openapi.json")).json()["paths"]
    return {re.sub(r"\{[^}]*\}", "{}", path): methods for path, methods in paths.items()}


def test_calls_are_found_at_all() -> None:
    assert len(CALLS) > 50
    assert any(call.parameters >= {"status", "caste"} for call in CALLS)
    assert any(call.path == "/v1/nodes/{}/config/rollback" and "dry_run" in call.parameters for call in CALLS)


async def test_each_is_described_with_its_parameters(described: dict[str, Any]) -> None:
    for call in CALLS:
        operation = described.get(call.path, {}).get(call.method.lower())
        assert operation is not None, f"{call.where}: {call.method} {call.path}"
        taken = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
        assert call.parameters <= taken, f"{call.where}: {sorted(call.parameters - taken)}"
