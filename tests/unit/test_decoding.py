"""What others wrote comes in by one door, which takes nothing that somebody further on could not bear."""

from __future__ import annotations

import ast
import math
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from aware_agent.colony import decoding
from aware_agent.colony.decoding import UNDECODABLE, checked, cleaned, from_json, from_msgpack, from_plain, json_to_show
from aware_agent.colony.errors import AwareError, one_line

PACKAGE = Path(__file__).parents[2] / "aware_agent"
RULE = PACKAGE / "colony" / "decoding.py"
NARROW = {"msgspec.DecodeError", "msgspec.MsgspecError"}
DECODERS = {
    *(f"msgspec.{kind}.{name}" for kind in ("json", "msgpack", "toml", "yaml") for name in ("decode", "Decoder")),
    *("msgspec.convert", "json.load", "json.loads"),
}
# It reads what a person wrote by hand, key by key.
OWN_WAY = {"cli/specfile.py"}
ABSURD: list[Any] = [
    *(math.nan, math.inf, -math.inf, 2**64, -(2**63) - 1, "\x1b[2J", "a\x00", "\x7f", "\x9b1m"),
    *([1, [math.nan]], {"a": {"b": math.inf}}, {"\x1b": 1}, ("x", "\x07")),
]


class Part(msgspec.Struct):
    """A value below another."""

    at: float = 0.0
    more: dict[str, Any] = {}


class Whole(msgspec.Struct):
    """A value of ours."""

    name: str = ""
    parts: list[Part] = []


@pytest.mark.parametrize("raw", [b"[" * 100_000, b"\xff", b"", b'{"a":', b"NaN", b"1e999", b"-Infinity"])
def test_json_that_is_none(raw: bytes) -> None:
    with pytest.raises(UNDECODABLE):
        from_json(raw)


@pytest.mark.parametrize("raw", [b"\x91" * 100_000, b"\xc1", b"", b"\xa5ab"])
def test_msgpack_that_is_none(raw: bytes) -> None:
    with pytest.raises(UNDECODABLE):
        from_msgpack(raw)


@pytest.mark.parametrize("value", ABSURD, ids=ascii)
def test_absurd_values_are_refused_whatever_brings_them(value: Any) -> None:
    with pytest.raises(UNDECODABLE):
        checked(value)
    with pytest.raises(ValueError, match=r"range|Control"):
        from_plain(value, Any)
    if not isinstance(value, int):  # msgpack has no such number
        with pytest.raises(UNDECODABLE):
            from_msgpack(msgspec.msgpack.encode({"x": [value]}))
    if not any(isinstance(part, float) for part in _leaves(value)):
        for text in (msgspec.json.encode([value]), msgspec.json.encode([value]).decode()):
            with pytest.raises(UNDECODABLE):
                from_json(text)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for pair in value.items() for part in pair for leaf in _leaves(part)]
    return [leaf for part in value for leaf in _leaves(part)] if isinstance(value, list | tuple) else [value]


def test_escaped_and_raw_control_characters_are_the_same_thing() -> None:
    for raw in (b'"\\u001b"', b'"\\u007f"', b'"\x7f"', '"\x9b"'.encode()):
        with pytest.raises(UNDECODABLE, match="Control"):
            from_json(raw)


@pytest.mark.parametrize(
    "value",
    [0, -(2**63), 2**64 - 1, 1.5, 1e300, True, None, "", "two\nlines\tand a tab\r\n", "Zürich 蜂", {"a": [1, {}]}],
)
def test_all_else_passes_unchanged(value: Any) -> None:
    assert from_json(msgspec.json.encode(value)) == value
    assert from_msgpack(msgspec.msgpack.encode(value)) == value
    assert checked(value) is value


def test_the_place_is_named_as_msgspec_does_and_no_key_of_a_stranger() -> None:
    value = Whole(name="n", parts=[Part(), Part(more={"evil\x1b": 1})])
    with pytest.raises(
        msgspec.ValidationError, match=r"Control characters in a `str` - at `\$\.parts\[1\]\.more\[\.\.\.\]`"
    ):
        checked(value)
    with pytest.raises(msgspec.ValidationError, match=r"Number out of range - at `\$\.parts\[0\]\.at`"):
        from_msgpack(msgspec.msgpack.encode(Whole(parts=[Part(at=math.nan)])), Whole)


@pytest.mark.parametrize("text", ["a\nb", "\u2028", "\u202eevil", "\t", "x" * 256])
def test_a_word_is_short_and_in_one_line(text: str) -> None:
    with pytest.raises(UNDECODABLE):
        from_json(msgspec.json.encode(text), decoding.Word)
    assert from_json(b'"na\xc3\xafve name"', decoding.Word) == "naïve name"


def test_counts_and_moments_have_ends() -> None:
    for raw, kind in ((b"-1", decoding.Count), (b"9007199254740992", decoding.Count), (b"1e12", decoding.Moment)):
        with pytest.raises(UNDECODABLE):
            from_json(raw, kind)
    assert from_json(b"1795828348", decoding.Moment) == 1795828348
    assert from_json(b"[1]", Annotated[list[int], msgspec.Meta(max_length=1)]) == [1]


def test_one_line_of_what_was_many() -> None:
    assert one_line("a\n\x1b[2J  b\u2028c", 100) == "a [2J b c"
    assert one_line("x" * 600) == "x" * 500


def test_answers_gathered_anywhere_are_cleaned_so_that_they_pass() -> None:
    gathered = {"log": ["a\x1b[2Jb\n", {"\x00": math.nan}], "count": (2**70, 1), "good": "蜂"}
    clean = cleaned(gathered)
    assert clean == {"log": ["a\ufffd[2Jb\n", {"\ufffd": None}], "count": [None, 1], "good": "蜂"}
    assert checked(clean) is clean


def test_who_only_shows_is_not_kept_from_seeing() -> None:
    assert json_to_show(b'{"log": "\\u001b"}') == {"log": "\x1b"}
    with pytest.raises(UNDECODABLE):
        json_to_show(b"{")


def narrow(source: str) -> list[int]:
    """Lines that catch what a decoder says, but not what it does when it is out of stack."""
    return _lines(source, NARROW)


def doors(source: str) -> list[int]:
    """Lines that decode by themselves."""
    return _lines(source, DECODERS)


def _lines(source: str, names: set[str]) -> list[int]:
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)]
    return sorted(node.lineno for node in found if ast.unparse(node) in names)


def _found(rule: Any, but: set[str]) -> list[str]:
    return [
        f"{name}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != RULE and (name := str(path.relative_to(PACKAGE))) not in but
        for line in rule(path.read_text(encoding="utf-8"))
    ]


def test_nobody_catches_less() -> None:
    assert narrow("try:\n    f()\nexcept msgspec.MsgspecError:\n    pass\n") == [3]
    assert _found(narrow, set()) == [], "catch aware_agent.colony.decoding.UNDECODABLE"


def test_there_is_one_door() -> None:
    assert doors("x = 1\ny = msgspec.json.decode(x)\nz: msgspec.json.Decoder[int]\nw = json.loads(x)\n") == [2, 3, 4]
    assert _found(doors, OWN_WAY) == [], "decode by aware_agent.colony.decoding"
    assert all(doors((PACKAGE / name).read_text(encoding="utf-8")) for name in OWN_WAY), "an exception nobody needs"


@pytest.mark.parametrize("said", ["two\nlines", "a\tb", "\x1b[2Jgone", "\x85next", "a\u2028b"])
def test_an_error_is_one_line_whoever_wrote_what_it_repeats(said: str) -> None:
    error = AwareError(f"it is damaged: {said}", hint=f"look at {said}")
    assert str(error).isprintable()
    assert error.message.startswith("it is damaged: ")
    plain = AwareError("kept  as it is, Zürich 東")
    assert plain.message == "kept  as it is, Zürich 東"


def test_the_rigs_start_without_any_package() -> None:
    """The host lab and the test cloud are run by the system's own Python, before anything is installed."""
    code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import aware_agent.program"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
