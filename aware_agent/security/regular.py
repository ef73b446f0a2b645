"""Files that users and settings name: read only when they are ordinary files, and to a bound.

A pipe or a terminal would be waited for without an end, a device such as ``/dev/zero`` has none.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 1 << 20


def open_regular(path: Path) -> BinaryIO:
    """``path`` for reading. Raises OSError, also for what is no ordinary file."""
    # Without O_NONBLOCK opening a pipe waits for somebody who writes into it.
    return _checked(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY), path, pipes=False)


def read_regular(path: Path, *, pipes: bool = False, most: int = MAX_BYTES) -> bytes:
    """Content of ``path``, with ``pipes`` also of a pipe. Raises OSError, also for more than ``most`` bytes."""
    stream = _checked(os.open(path, os.O_RDONLY | os.O_CLOEXEC), path, pipes=True) if pipes else open_regular(path)
    with stream:
        raw = stream.read(most + 1)
    if raw is None:  # files of /proc that wait, such as kmsg
        raise OSError(errno.EAGAIN, "not an ordinary file", str(path))
    if len(raw) > most:
        raise OSError(errno.EFBIG, f"larger than {most >> 20} MiB", str(path))
    return raw


def _checked(descriptor: int, path: Path, *, pipes: bool) -> BinaryIO:
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode) and not (pipes and stat.S_ISFIFO(mode)):
            raise OSError(errno.EINVAL, "not an ordinary file", str(path))
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise
