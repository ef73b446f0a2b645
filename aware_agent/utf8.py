"""Everything AWARE reads and writes is UTF-8, whatever the locale says.

Labels, zones and paths may hold any letter. In a locale without UTF-8 Python would read arguments, variables and file
names as something else and could not print what a node is labelled with.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys


def ensure_utf8() -> None:
    """Start this very process anew in Python's UTF-8 mode unless it reads and writes UTF-8 already.

    Call it first of all: nothing of what was done before is left.
    """
    if not sys.flags.utf8_mode and sys.getfilesystemencoding() != "utf-8":
        os.environ["PYTHONUTF8"] = "1"  # for the processes this one starts
        with contextlib.suppress(OSError):  # then it goes on as well as it can
            os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - ourselves
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None when it was closed
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # what is no text is shown, not fatal
