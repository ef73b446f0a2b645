"""Files of audit lines, one JSON object a line, as ``aware audit export`` writes them; bounded, the oldest goes first.

Their names sort in the order they were written. Nobody but their owner reads them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

from aware_agent.colony.audit import AuditLine, Head, head_of
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.security.files import make_directory

FILES = 16  # so many make up the whole; the oldest of them goes when there are more
_NAME = "audit-{:08d}.jsonl"


class AuditFiles:
    """For one process at a time, and not for its event loop. Raises OSError."""

    def __init__(self, directory: Path, most_bytes: int) -> None:
        self._directory, self._each = directory, max(64 * 1024, most_bytes // FILES)
        self._file: IO[bytes] | None = None

    def open(self) -> Head | None:
        """The last line that was written; what a crash left of a line is taken away."""
        make_directory(self._directory)
        for path in reversed(self.paths()):
            raw = path.read_bytes()
            whole = raw[: raw.rfind(b"\n") + 1]
            if len(whole) != len(raw):
                os.truncate(path, len(whole))
            for text in reversed(whole.splitlines()):
                try:
                    return head_of(from_json(text, AuditLine))
                except UNDECODABLE:
                    continue
        return None

    def paths(self) -> list[Path]:
        """All files, the oldest first."""
        return sorted(self._directory.glob("audit-*.jsonl"))

    def append(self, lines: Sequence[AuditLine], *, new_file: bool = False) -> None:
        """Write lines, and return when they are on the disk. A whole of its own begins a new file."""
        if self._file is None or new_file or self._file.tell() >= self._each:
            self._next(new_file=new_file)
        assert self._file is not None
        start = self._file.tell()
        try:
            self._file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError:
            self._undo(start)
            raise

    def close(self) -> None:
        """Nothing is written any more."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _undo(self, size: int) -> None:
        """What was half written goes, so that the next attempt writes whole lines."""
        file, self._file = self._file, None
        assert file is not None
        name = file.name
        with contextlib.suppress(OSError):
            file.close()
        os.truncate(name, size)

    def _next(self, *, new_file: bool) -> None:
        there = self.paths()
        opens = there and self._file is None and not new_file and there[-1].stat().st_size < self._each
        self.close()
        if opens:
            path = there[-1]
        else:
            number = int(there[-1].stem.rpartition("-")[2]) + 1 if there else 1
            path = self._directory / _NAME.format(number)
            for old in there[: max(0, len(there) + 1 - FILES)]:
                old.unlink()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._file = os.fdopen(descriptor, "ab")
