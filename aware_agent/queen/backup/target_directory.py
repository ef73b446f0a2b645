"""A directory of the queen's host, best one that all candidates share (NFS, CephFS)."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from aware_agent.agent.settings import BackupSettings
from aware_agent.colony.backup import SUFFIX
from aware_agent.queen.backup.targets import PIECE, TargetFailed, required

_MODE = 0o600


class DirectoryTarget:
    """Implements :class:`aware_agent.queen.backup.targets.Target`."""

    def __init__(self, settings: BackupSettings) -> None:
        required(settings, "directory")
        self._path = Path(settings.directory)
        if not self._path.is_dir():
            # Not made by us: it may be a mount that is not there, and the disk below must not be filled instead.
            raise TargetFailed(
                f"there is no directory {self._path}", hint="create it, owned by the agent's user, or mount it"
            )

    def describe(self) -> str:
        """Its path."""
        return str(self._path)

    def names(self) -> list[str]:
        """All files."""
        with _errors("read", self._path):
            return sorted(entry.name for entry in self._path.iterdir() if entry.is_file())

    def put(self, name: str, source: Path) -> None:
        """Copy, sync, rename, sync."""
        temporary = self._path / f".{name}.tmp"
        with _errors("write", self._path / name):
            self._sweep()
            try:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
                with os.fdopen(descriptor, "wb") as copy, source.open("rb") as file:
                    shutil.copyfileobj(file, copy, PIECE)
                    copy.flush()
                    os.fsync(copy.fileno())
                temporary.replace(self._path / name)
            except BaseException:
                with contextlib.suppress(OSError):
                    temporary.unlink()
                raise
            self._sync()

    def read(self, name: str) -> Iterator[bytes]:
        """The file in pieces."""
        with _errors("read", self._path / name), (self._path / name).open("rb") as file:
            while piece := file.read(PIECE):
                yield piece

    def delete(self, name: str) -> None:
        """Unlink it."""
        with _errors("delete", self._path / name):
            (self._path / name).unlink(missing_ok=True)
            self._sync()

    def _sweep(self) -> None:
        """Halves that a killed process left."""
        for left in self._path.glob(f".*{SUFFIX}.tmp"):
            with contextlib.suppress(OSError):
                left.unlink()

    def _sync(self) -> None:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # some network file systems cannot sync a directory
                raise
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _errors(verb: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TargetFailed(
            f"cannot {verb} {path}: {error.strerror or type(error).__name__}", hint="check space and owner"
        ) from error
