"""Files that hold secrets: written whole or not at all, readable by their owner only, errors in one line."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from aware_agent.colony.errors import AwareError

SECRET_MODE = 0o600
PUBLIC_MODE = 0o644
DIRECTORY_MODE = 0o700
# Nothing we keep is larger; a larger file is not ours, and reading it must not eat the memory.
MAX_FILE_BYTES = 1 << 20
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


class StateUnusable(AwareError):
    """A directory or file with state cannot be used as it is; nothing was changed."""

    code = "state-unusable"
    exit_code = 11


class StateCorrupted(StateUnusable):
    """A file with state is damaged, incomplete or does not fit its neighbours."""

    code = "state-corrupted"


class DiskFull(AwareError):
    """There is no room to write; the previous content of the file is untouched."""

    code = "disk-full"
    exit_code = 18
    status = 507


def make_directory(path: Path) -> None:
    """Create ``path`` (0700) or make sure it is ours and closed to others."""
    with _disk_errors(path, "create"):
        path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        status = path.stat()
    if status.st_uid != os.geteuid():
        raise StateUnusable(
            f"{path} belongs to user {status.st_uid}, this process runs as {os.geteuid()}",
            hint="run as its owner, or give another directory",
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        # Only the directory was open: the secrets in it are checked one by one when they are read.
        path.chmod(DIRECTORY_MODE)


def write_atomic(path: Path, data: bytes, mode: int = SECRET_MODE) -> None:
    """Replace ``path`` by ``data`` so that a crash at any point leaves the old or the new content.

    Raises :class:`DiskFull` or :class:`StateUnusable`; the temporary file is gone in both cases.
    """
    temporary = path.with_name(f".{path.name}.tmp")  # one fixed name: kills leave at most one behind
    with _disk_errors(path, "write"):
        try:
            _write_synced(temporary, data, mode)
            os.replace(temporary, path)
            _sync_directory(path.parent)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def read_public(path: Path) -> bytes | None:
    """Content of ``path``; None when there is no such file."""
    return _read(path, secret=False)


def read_secret(path: Path) -> bytes | None:
    """Content of ``path``, refused when others could have read it; None when there is no such file."""
    return _read(path, secret=True)


@contextlib.contextmanager
def only_one(path: Path, who: str) -> Iterator[None]:
    """Hold the lock file ``path``; raise :class:`StateUnusable` when another process holds it."""
    with _disk_errors(path, "lock"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, SECRET_MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateUnusable(f"{path.parent} is in use by another {who}", hint="stop the other one first") from error
        yield
    finally:
        os.close(descriptor)


def _read(path: Path, *, secret: bool) -> bytes | None:
    with _disk_errors(path, "read"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            _check_kind(path, os.fstat(descriptor), secret=secret)
            return file.read(MAX_FILE_BYTES)


def _check_kind(path: Path, status: os.stat_result, *, secret: bool) -> None:
    if not stat.S_ISREG(status.st_mode) or status.st_size >= MAX_FILE_BYTES:
        raise StateCorrupted(f"{path} is not a file AWARE wrote", hint="move it away")
    mode = stat.S_IMODE(status.st_mode)
    if secret and mode & 0o077:
        raise StateUnusable(
            f"{path} holds a secret but its mode {mode:04o} lets other users read it",
            hint=f"chmod 600 {path}; if others use this machine, replace the secret too",
        )


def _write_synced(path: Path, data: bytes, mode: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()  # left by a kill; O_EXCL below then never follows or reuses anything
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # the mode that was asked for, whatever the umask
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _disk_errors(path: Path, verb: str) -> Iterator[None]:
    """Turn what the operating system says into one line that names the file."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise DiskFull(f"cannot {verb} {path}: no space left", hint="free some space and start again") from error
        reason = error.strerror or type(error).__name__
        raise StateUnusable(f"cannot {verb} {path}: {reason}", hint="check the path and its owner") from error
