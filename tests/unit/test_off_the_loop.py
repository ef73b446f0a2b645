"""What takes long has no place on an event loop: passwords are hashed and certificates signed elsewhere."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import aware_agent

PACKAGE = Path(aware_agent.__file__).parent
SLOW = {"hash_password", "verify_password", "sign_csr"}


def _name(call: ast.Call) -> str:
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _calls(function: ast.AST) -> set[str]:
    return {_name(node) for node in ast.walk(function) if isinstance(node, ast.Call)}


def on_the_loop(source: str) -> list[str]:
    """Coroutines that do such work themselves, or by a function of the same file."""
    tree = ast.parse(source)
    plain = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    slow: set[str] = set(SLOW)
    while more := {f.name for f in plain if f.name not in slow and _calls(f) & slow}:
        slow |= more
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef) and _calls(node) & slow]


def test_no_coroutine_hashes_or_signs_by_itself() -> None:
    found = {
        f"{path.relative_to(PACKAGE)}:{name}"
        for part in ("agent", "queen", "gateway", "channel")
        for path in (PACKAGE / part).rglob("*.py")
        for name in on_the_loop(path.read_text())
    }
    assert found == set()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("async def join():\n    pki.sign_csr(1)", ["join"]),
        ("def certify():\n    return sign_csr()\nasync def join():\n    certify()", ["join"]),
        ("def certify():\n    return sign_csr()\nasync def join():\n    await to_thread(certify)", []),
        ("async def log_in():\n    await asyncio.to_thread(verify_password, 1)", []),
    ],
)
def test_the_check_itself(body: str, found: list[str]) -> None:
    assert on_the_loop(body) == found
