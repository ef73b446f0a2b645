"""What a password has to be when it is set."""

from __future__ import annotations

import hashlib
import random
import tracemalloc
from pathlib import Path

import pytest

from aware_agent.colony.errors import InvalidInput
from aware_agent.security.password import MAX_LENGTH
from aware_agent.security.password_rules import PasswordRefused, PasswordRules, RefusedListUnreadable

KNOWN = ["password1", "pässwörd!", "correct horse", "12345678", "letmein!!"]
UNKNOWN = ["assword1", "password", "password12", "correct horse ", "CORRECT HORSE", "pässwörd", "xletmein!!"]


def sha1(word: str) -> str:
    return hashlib.sha1(word.encode(), usedforsecurity=False).hexdigest().upper()


def rules(path: Path) -> PasswordRules:
    return PasswordRules(refused_file=str(path))


def is_listed(path: Path, word: str) -> bool:
    """Whether the list at ``path`` has ``word``."""
    try:
        rules(path).check(word, "otto")
    except PasswordRefused:
        return True
    return False


def words(tmp_path: Path, ending: str = "\n", last: str = "\n") -> Path:
    path = tmp_path / "words.txt"
    path.write_bytes((ending.join(KNOWN) + last).encode())
    return path


def hashes(tmp_path: Path, others: int = 200, lower: bool = False, counts: bool = True) -> Path:
    drawn = random.Random(7)
    found = {sha1(word) for word in KNOWN} | {f"{drawn.getrandbits(160):040X}" for _ in range(others)}
    lines = [f"{each}:{drawn.randrange(1, 10 ** drawn.randrange(1, 8))}" if counts else each for each in sorted(found)]
    path = tmp_path / "hashes.txt"
    text = "\r\n".join(lines) + "\r\n"
    path.write_text(text.lower() if lower else text, newline="")
    return path


def prefixes(tmp_path: Path) -> Path:
    path = tmp_path / "ranges"
    path.mkdir()
    for word in KNOWN + UNKNOWN:
        file = path / f"{sha1(word)[:5]}.txt"
        rest = f"{sha1(word)[5:]}:3\r\n" if word in KNOWN else f"{'0' * 35}:9\r\n"
        with file.open("a") as stream:
            stream.write(rest)
    return path


@pytest.mark.parametrize("word", KNOWN)
@pytest.mark.parametrize("make", [words, hashes, prefixes])
def test_a_known_password_is_refused_and_not_repeated(tmp_path: Path, make, word: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PasswordRefused) as caught:
        rules(make(tmp_path)).check(word, "otto")
    assert word not in str(caught.value)
    assert caught.value.field == "password"


@pytest.mark.parametrize("word", UNKNOWN)
@pytest.mark.parametrize("make", [words, hashes, prefixes])
def test_any_other_is_taken(tmp_path: Path, make, word: str) -> None:  # type: ignore[no-untyped-def]
    assert not is_listed(make(tmp_path), word)


@pytest.mark.parametrize(("ending", "last"), [("\r\n", "\r\n"), ("\n", ""), ("\r\n", "")])
def test_lines_of_other_systems_and_a_last_line_without_an_end(tmp_path: Path, ending: str, last: str) -> None:
    path = words(tmp_path, ending, last)
    for word in KNOWN:
        assert is_listed(path, word)


@pytest.mark.parametrize(("lower", "counts"), [(True, True), (False, False)])
@pytest.mark.parametrize("others", [0, 1, 2, 3, 500])
def test_every_hash_of_a_list_is_found(tmp_path: Path, others: int, lower: bool, counts: bool) -> None:
    path = hashes(tmp_path, others, lower, counts)
    for word in KNOWN:
        assert is_listed(path, word)
    for word in UNKNOWN:
        assert not is_listed(path, word)


def test_a_word_across_two_pieces_of_a_large_list_is_found_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    with path.open("wb") as stream:
        stream.write(b"x" * ((1 << 20) - 4) + b"\nletmein!!\n")
        for _ in range(20):
            stream.write(b"filler line\n" * 90000)
        stream.write(b"the last one")
    tracemalloc.start()
    try:
        for word in ("letmein!!", "the last one"):
            assert is_listed(path, word)
        assert not is_listed(path, "x" * 500)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("word", ["letmein!!\npassword1", "12345678\r", "\nletmein!!"])
def test_a_line_break_in_a_password_matches_no_two_lines(tmp_path: Path, word: str) -> None:
    assert not is_listed(words(tmp_path), word)


@pytest.mark.parametrize("content", [b"", b"\n\n\n", b"\0" * 5000, b"F" * 40 + b"\n" + b"y" * 9000])
def test_a_list_of_nonsense_ends(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.txt"
    path.write_bytes(content)
    assert not is_listed(path, "letmein!!")


def test_a_list_that_cannot_be_read_sets_no_password(tmp_path: Path) -> None:
    half = tmp_path / "half"
    half.mkdir()
    for path in (tmp_path / "absent", half, Path("/dev/zero")):
        with pytest.raises(RefusedListUnreadable) as caught:
            rules(path).check("a fine password", "otto")
        assert "a fine password" not in str(caught.value)
        assert str(path) not in str(caught.value)


def test_the_least_length_is_said_with_the_length_given() -> None:
    with pytest.raises(InvalidInput, match="11 characters, it needs 15") as caught:
        PasswordRules(min_length=15).check("short words", "otto")
    assert "short words" not in str(caught.value)
    PasswordRules(min_length=15).check("fifteen letters", "otto")
    with pytest.raises(InvalidInput, match="at most"):
        PasswordRules().check("x" * (MAX_LENGTH + 1), "otto")


def test_a_password_is_not_the_name_of_its_user() -> None:
    with pytest.raises(PasswordRefused):
        PasswordRules().check("Wilhelmine", "wilhelmine")
    PasswordRules().check("Wilhelmine", "otto")
