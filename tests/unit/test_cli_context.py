"""Which context file is used, and what is wrong with those that are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aware_agent.cli.context import find_context, load_context, origin
from aware_agent.cli.errors import ContextError

GOOD = {"colony": "demo", "endpoints": ["https://127.0.0.1:1"], "ca_file": "ca.crt", "token_file": "token"}


def write(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def test_the_order_of_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWARE_CONTEXT", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "work" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work" / "deep")
    with pytest.raises(ContextError, match="no context file"):
        find_context()
    own = write(tmp_path / "config" / "aware" / "context.json", GOOD)
    assert find_context() == own
    above = write(tmp_path / "work" / ".aware" / "context.json", GOOD)
    assert find_context() == above
    monkeypatch.setenv("AWARE_CONTEXT", "/from/environment")
    assert find_context() == Path("/from/environment")
    assert find_context(Path("option")) == Path("option")


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a" / "context.json", GOOD)
    monkeypatch.chdir(tmp_path)
    context = load_context(Path("a/context.json"))
    assert context.ca_file == tmp_path / "a" / "ca.crt"
    assert context.token() == ""
    assert context.members_file == tmp_path / "a" / "context.members.json"
    context.token_file.write_text("two\nlines")
    with pytest.raises(ContextError, match="holds no token") as caught:
        context.token()
    assert "lines" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"endpoints": []}, "has no endpoints"),
        ({"endpoints": ["http://127.0.0.1:1"]}, "is not https"),
        ({"endpoints": "x"}, "endpoints"),
        ({"colony": None}, "colony"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    path = write(tmp_path / "context.json", {**GOOD, **change})
    with pytest.raises(ContextError, match=complaint) as caught:
        load_context(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 10


def test_no_file_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(ContextError, match="No such file"):
        load_context(tmp_path / "none")
    (tmp_path / "bad").write_bytes(b"\xff{")
    with pytest.raises(ContextError, match="not usable"):
        load_context(tmp_path / "bad")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Node-1.Example/", "https://node-1.example:443"),
        ("https://[2001:DB8::1]:8443/v1?x", "https://[2001:db8::1]:8443"),
        ("https://127.0.0.1:443", "https://127.0.0.1:443"),
        ("http://a", ""),
        ("https://u@a", ""),
        ("https://a:99999", ""),
        ("https://a\\@b", ""),
        ("https://", ""),
        ("", ""),
    ],
)
def test_one_spelling_of_a_host(url: str, expected: str) -> None:
    assert origin(url) == expected
