# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last complete answer of a colony, kept on disk for 304 answers, for an outage and to know an old queen.

One file per colony: a JSON line of what must be read at every run, then the body as it came. It is replaced as a
whole, so that head and body always belong together, and only its owner may read it. It never holds the token.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass

FORMAT = 1


@dataclass(frozen=True)
class Head:
    """What is known of the last answer. ``saved_at`` in Unix seconds, ``members`` learned over verified TLS."""

    colony: str = ""
    revision: int = 0
    term: int = 0
    etag: str = ""
    saved_at: float = 0.0
    hosts: int = 0
    members: tuple = ()

    def age_s(self, now: float | None = None) -> int:
        """Seconds since the answer came; 0 when the clock was turned back."""
        return max(0, int((time.time() if now is None else now) - self.saved_at))


def identity(context: str, endpoints: tuple, ca_path: str | None) -> str:
    """Name the colony asked for: who is asked, and the CA that vouches for it.

    A colony founded anew has a new CA and so a new file: its revisions start again and must not look old.
    """
    authority = b""
    if ca_path:
        try:
            with open(ca_path, "rb") as stream:
                authority = stream.read()
        except OSError:
            pass  # the request itself will say what is wrong with the file
    text = json.dumps([context or sorted(endpoints), hashlib.sha256(authority).hexdigest()])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class LastGood:
    """The file of one colony in ``folder``; without a folder nothing is kept."""

    def __init__(self, folder: str, ident: str) -> None:
        self.path = os.path.join(folder, "inventory-%s.last" % ident) if folder else ""

    def head(self) -> Head | None:
        """Return the head, or None when there is no file or it is damaged."""
        try:
            with open(self.path, "rb") as stream:
                return _parse(stream.readline())
        except OSError:
            return None

    def body(self, head: Head) -> bytes | None:
        """Return the body that belongs to ``head``; None when the file changed since, or is damaged."""
        try:
            with open(self.path, "rb") as stream:
                line, body = stream.readline(), stream.read()
        except OSError:
            return None
        return body if _parse(line) == head and _digest(body) == json.loads(line).get("sha256") else None

    def save(self, head: Head, body: bytes) -> None:
        """Replace the file. Raises OSError."""
        if not self.path:
            return
        folder = os.path.dirname(self.path)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        line = json.dumps({"format": FORMAT, "sha256": _digest(body), **asdict(head)}) + "\n"
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".inventory-")  # made 0600
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(line.encode())
                stream.write(body)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, self.path)
        except BaseException:
            os.unlink(temporary)
            raise


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _parse(line: bytes) -> Head | None:
    try:
        values = json.loads(line)
        if values.pop("format") != FORMAT:
            return None
        values.pop("sha256")
        values["members"] = tuple(str(url) for url in values["members"])
        head = Head(**values)
        return head if isinstance(head.revision, int) and isinstance(head.term, int) else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
