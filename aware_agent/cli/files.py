"""Small files users name on the command line."""

from __future__ import annotations

import os
from pathlib import Path

from aware_agent.cli.errors import FileTrouble
from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.security.regular import MAX_BYTES, read_regular


def read_text(path: Path, what: str) -> str:
    """The text of the ordinary file ``path`` without surrounding white space. Raises InvalidInput naming ``what``."""
    return _text(path, what, pipes=False)


def read_secret_text(path: Path, what: str) -> str:
    """The same for a secret, which may also come through a pipe: ``<(pass show aware)`` leaves nothing on a disk."""
    return _text(path, what, pipes=True)


def _text(path: Path, what: str, *, pipes: bool) -> str:
    if path == Path():  # what "" becomes
        raise InvalidInput(f"no {what} is named", hint="name a file")
    try:
        return read_regular(path, pipes=pipes, most=MAX_BYTES).decode("utf-8").strip()
    except OSError as error:
        raise FileTrouble(f"cannot read {what} {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{what} {path} is not text") from error


def write_new_secret(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` for its owner alone. See :func:`write_new`."""
    write_new(path, data, mode=0o600)


def write_new(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write ``data`` to ``path``, which must not exist: what lies there may be somebody's only copy.

    Raises Conflict, :class:`InvalidInput`.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        raise Conflict(f"{path} is there already and was left alone", hint="name another file") from error
    except OSError as error:
        raise FileTrouble(f"cannot write {path}: {error.strerror}", field="to-file") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        path.unlink(missing_ok=True)  # half a file is worse than none
        raise FileTrouble(f"cannot write {path}: {error.strerror}", field="to-file") from error
