"""What a password has to be when it is set: long enough, not the user's name, and on no list of known ones.

The list is a file of the operator's, in one of three forms. Reading it takes a bounded amount of memory, however large
it is: run it in a thread.

- one password a line, in UTF-8: searched from its beginning to its end;
- SHA-1 hashes of passwords in hexadecimal, a line each, sorted, with or without ``:count`` behind: the one file that
  the downloader of Have I Been Pwned makes, ordered by hash. Halved some forty times, whatever its size;
- a directory of files named after the first five digits of such hashes, with the other 35 in each line: what that
  downloader makes without ``--single``, and what its range interface answers.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO

import msgspec

from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.security.password import MAX_LENGTH, MIN_LENGTH
from aware_agent.security.regular import open_regular, read_regular

_CHUNK = 1 << 20
_LINE = 256  # bytes of a line of hashes, at most
_HASHED = re.compile(rb"[0-9A-Fa-f]{40}(:\d+)?\s*")
_PREFIX = 5


class PasswordRefused(InvalidInput):
    """A password that everybody tries first; nothing was changed."""

    code = "password-refused"


class RefusedListUnreadable(AwareError):
    """The list of refused passwords cannot be read on this node, so no password is set there."""

    code = "password-list-unreadable"
    exit_code = 10
    status = 503
    retry_after = 60

    def __init__(self, reason: str) -> None:
        # Neither path nor password: whoever asks need not know where files lie; the log of the node does.
        super().__init__(
            f"the list of refused passwords cannot be read on this node: {reason}; no password was set",
            hint="correct passwords.refused_file in the settings of the queen's node",
        )


class PasswordRules(msgspec.Struct, frozen=True, kw_only=True):
    """What passwords have to be when they are set; those that are set stay good. The same on all eligible nodes."""

    min_length: int = MIN_LENGTH  # characters
    refused_file: str = ""  # list of passwords that are refused, or a directory of such lists

    def check(self, password: str, user: str) -> None:
        """Raise InvalidInput or :class:`PasswordRefused` where ``password`` will not do for ``user``.

        Raises :class:`RefusedListUnreadable` when nobody can say. Blocks; no message shows the password.
        """
        raw = password.encode("utf-8", "surrogatepass")
        if len(password) < self.min_length:
            raise InvalidInput(
                f"this password has {len(password)} characters, it needs {self.min_length} at least",
                field="password",
                hint="several words are easier to remember than signs",
            )
        if len(raw) > MAX_LENGTH:
            raise InvalidInput(f"a password has at most {MAX_LENGTH} bytes", field="password")
        if password.casefold() == user.casefold():
            raise PasswordRefused("a password cannot be the user's name", field="password", hint="choose another one")
        if self.refused_file and self._is_known(raw):
            raise PasswordRefused(
                "this password is on the list of passwords that are known to be guessed",
                field="password",
                hint="choose another one; several words nobody ever wrote beside each other are good",
            )

    def _is_known(self, raw: bytes) -> bool:
        path = Path(self.refused_file)
        try:
            if path.is_dir():
                return _in_directory(path, raw)
            with open_regular(path) as lines:
                hashed = _HASHED.fullmatch(lines.readline(_LINE)) is not None
                return _in_hashes(lines, _sha1(raw)) if hashed else _in_words(lines, raw)
        except OSError as error:
            raise RefusedListUnreadable(error.strerror or "unknown error") from error


def _sha1(raw: bytes) -> bytes:
    """What such lists are keyed by; nothing is protected by it."""
    return hashlib.sha1(raw, usedforsecurity=False).hexdigest().upper().encode()


def _in_directory(path: Path, raw: bytes) -> bool:
    digest = _sha1(raw)
    prefix, rest = digest[:_PREFIX].decode(), digest[_PREFIX:]
    for name in (f"{prefix}.txt", prefix):
        try:
            content = read_regular(path / name)
        except FileNotFoundError:
            continue
        return any(line.partition(b":")[0].strip().upper() == rest for line in content.splitlines())
    # Every prefix has a file in a whole list: one that is absent means that the directory is none, or half of one.
    raise FileNotFoundError(2, "the file of a prefix is absent; is the list whole?")


def _in_words(lines: BinaryIO, raw: bytes) -> bool:
    """Whether ``raw`` is a line; a line break in it can match nothing."""
    if b"\n" in raw or b"\r" in raw:
        return False
    needles = (b"\n" + raw + b"\n", b"\n" + raw + b"\r\n")
    overlap = len(needles[1]) - 1
    lines.seek(0)
    tail = b"\n"
    while True:
        chunk = lines.read(_CHUNK)
        window = tail + (chunk or b"\n")
        if any(needle in window for needle in needles):
            return True
        if not chunk:
            return False
        tail = window[-overlap:]


def _in_hashes(lines: BinaryIO, digest: bytes) -> bool:
    """Whether ``digest`` begins a line of a sorted file."""
    low, high = 0, lines.seek(0, os.SEEK_END)  # the line, if there is one, begins in [low, high)
    while low < high:
        middle = (low + high) // 2
        begin, line = _line_from(lines, middle, low)
        if begin >= high:
            high = middle
            continue
        found = line[: len(digest)].upper()
        if found == digest:
            return True
        if found < digest:
            low = begin + len(line)
        else:
            high = middle
    return False


def _line_from(lines: BinaryIO, at: int, low: int) -> tuple[int, bytes]:
    """The first line that begins at ``at`` or behind it, and where. ``low`` is known to be the beginning of one."""
    if at > low:
        lines.seek(at - 1)
        skipped = lines.readline(_LINE)
        begin = at - 1 + len(skipped)
    else:
        lines.seek(at)
        begin = at
    line = lines.readline(_LINE)
    return begin, line
