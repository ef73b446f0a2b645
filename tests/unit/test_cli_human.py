"""What people are shown: times, dictionaries and lists in words, never as Python writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from aware_agent.cli.app import app
from aware_agent.cli.human import fields
from aware_agent.colony.decoding import plain_reason

CASES = [
    ({"time": 1_795_832_400.5}, [("time", "2026-11-28T02:20:00Z")]),
    ({"certificate_ends": 1_795_832_400}, [("certificate_ends", "2026-11-28T02:20:00Z")]),
    ({"queen": {"since": 1_795_832_400.0}}, [("queen", "since=2026-11-28T02:20:00Z")]),
    ({"uptime_s": 12.25, "pid": 4_000_000_000}, [("uptime_s", "12.25"), ("pid", "4000000000")]),
    ({"pinned": ["192.0.2.1", "2001:db8::1"]}, [("pinned", "192.0.2.1, 2001:db8::1")]),
    (
        {"pinned": [], "labels": {}, "caste": "", "rank": None},
        [(n, "-") for n in ("pinned", "labels", "caste", "rank")],
    ),
    ({"ready": True, "process": {"pid": 7, "stalled": False}}, [("ready", "yes"), ("process", "pid=7,stalled=no")]),
    ({"settings": {"gateway": {"port": 1}, "name": "n"}}, [("settings.gateway", "port=1"), ("settings.name", "n")]),
    ({"files": [{"name": "a", "bytes": 1}, {"name": "b"}]}, [("files", "bytes=1,name=a"), ("", "name=b")]),
]


@pytest.mark.parametrize(("document", "shown"), CASES)
def test_values_are_shown_as_people_read_them(document: dict[str, object], shown: list[tuple[str, str]]) -> None:
    assert list(fields(document.items())) == shown


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text("abc")
ANYTHING = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc_"), inner), max_leaves=20)


@given(ANYTHING)
def test_no_value_is_shown_as_a_repr(value: object) -> None:
    for _, shown in fields([("value", value)]):
        assert not any(mark in shown for mark in ("{", "[", "'", "None", "True", "False"))


WRONG = [
    ("nodes", "log-level", "a", "loud"),
    ("users", "set", "a", "--role", "x"),
    ("completion", "x"),
    ("events", "--since", "x"),
    ("demo", "kill-queen", "--wait", "0"),
]


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_usage_is_told_without_the_name_of_an_error(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2
    assert "Invalid value" in result.output
    assert "Value error" not in result.output


def test_only_the_prefix_goes() -> None:
    assert plain_reason("Value error, a Value error, b") == "a Value error, b"
