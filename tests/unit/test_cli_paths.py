"""Names in the URLs of the command line: quoted whole in one place, or one sentence."""

from __future__ import annotations

import ast
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aware_agent.cli
from aware_agent.cli.paths import at
from aware_agent.colony.errors import InvalidInput
from aware_agent.store.keys import Keys

CLI = sorted(Path(aware_agent.cli.__file__).parent.glob("*.py"))


@given(st.text(min_size=1).filter(lambda text: text not in (".", "..")))
def test_whatever_a_name_is_it_stays_in_its_place(name: str) -> None:
    try:
        path = at("v1", "nodes", name, "config")
    except InvalidInput:
        assert not name.isprintable() or len(name) > 255
        return
    sent = httpx.URL("https://queen" + path)
    assert sent.raw_path.decode() == urlsplit(path).path == path
    assert [unquote(part) for part in path.split("/")] == ["", "v1", "nodes", name, "config"]


@pytest.mark.parametrize("name", ["", ".", "..", "\udcff", "a\nb", "\x1b[31m", "a" * 256])
def test_what_cannot_be_quoted_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(InvalidInput):
        at("v1", "users", name)


@pytest.mark.parametrize("path", [path for path in CLI if path.name != "paths.py"], ids=lambda path: path.name)
def test_no_other_place_puts_names_into_paths(path: Path) -> None:
    tree = ast.parse(path.read_text())
    by_hand = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if (isinstance(node, ast.BinOp) and _starts(node.left))
        or (isinstance(node, ast.JoinedStr) and _starts(node.values[0]))
        or (isinstance(node, ast.alias) and node.name.startswith("quote"))
    ]
    assert by_hand == []


def _starts(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and str(node.value).startswith("/v1")


def test_a_name_with_a_slash_does_not_reach_another_key_of_etcd() -> None:
    keys = Keys("demo")
    assert keys.key("users", "anna") == b"/aware/demo/users/anna"
    assert keys.key("events", "") == b"/aware/demo/events/"  # where a range begins
    for name in ("a/b", "../nodes/x", "/"):
        with pytest.raises(InvalidInput):
            keys.key("users", name)
