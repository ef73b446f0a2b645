"""The log of a job: bounded with its beginning and its end, in whole lines, and without its secrets."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.decoding import checked
from aware_agent.colony.job_log import MAX_LINE, PART_BYTES, BoundedLog, parts
from aware_agent.security.masking import MASK, Masker

LINES = st.lists(st.text(st.characters(exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=200))


def logged(lines: list[str], most: int) -> tuple[str, BoundedLog]:
    log, text = BoundedLog(most), ""
    for number, line in enumerate(lines):
        log.add(line)
        if number % 3 == 0:
            text += log.take()
    return text + log.take(last=True), log


@given(LINES, st.integers(200, 4000))
def test_it_is_never_larger_than_it_may_be_and_what_is_left_out_is_counted(lines: list[str], most: int) -> None:
    text, log = logged(lines, most)
    checked(text)
    marks = [line for line in text.splitlines() if line.startswith("... ") and "left out" in line]
    size = len(text.encode()) - sum(len(mark.encode()) + 1 for mark in marks)
    assert size <= most
    assert size + log.cut == log.printed
    assert bool(marks) == bool(log.cut)


def test_the_beginning_and_the_end_are_kept_in_order() -> None:
    text, log = logged([f"line {number}" for number in range(100_000)], 8192)
    shown = text.splitlines()
    numbers = [int(line.split()[1]) for line in shown if line.startswith("line")]
    assert numbers[0] == 0
    assert numbers[-1] == 99_999
    assert numbers == sorted(numbers)
    assert log.printed == sum(len(f"line {number}") + 1 for number in range(100_000))


def test_a_hundred_megabytes_in_one_line_are_a_line() -> None:
    text, log = logged(["x" * 100_000_000, "the end"], 64 * 1024)
    assert len(text) < MAX_LINE + 200
    assert "\nthe end\n" in text
    assert log.printed > 100_000_000


@given(LINES.map(lambda lines: logged(lines, 1 << 20)[0]))
def test_pieces_are_the_whole_cut_at_ends_of_lines(text: str) -> None:
    pieces = parts(text)
    assert "".join(pieces) == text
    assert all(piece.endswith("\n") for piece in pieces)


def test_no_piece_is_much_larger_than_a_part() -> None:
    pieces = parts("".join(f"{'y' * 1000} {number}\n" for number in range(500)))
    assert len(pieces) > 10
    assert all(len(piece) <= PART_BYTES for piece in pieces)


SECRET = 'p4ss "word" / ä+%'


@pytest.mark.parametrize(
    "printed",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        repr(SECRET),
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_secret_is_masked_however_it_is_printed(printed: str) -> None:
    masked = Masker([SECRET])(f"before {printed} after")
    assert MASK in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert "p4ss" not in masked
    assert base64.b64encode(SECRET.encode()).decode().rstrip("=") not in masked


def test_every_line_of_a_key_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIBVgIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n"
    for line in key.splitlines():
        assert line not in Masker([key])(f"line: {line}")
