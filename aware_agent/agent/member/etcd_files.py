"""Who may read what the agent writes for etcd: its own user alone, or the group of the user that etcd runs as.

On hosts etcd is a user of its own: what is public to everybody else's programs is not to etcd, and the other way round.
There the directory is made by the role etcd, with the set-group-id bit: what the agent makes in it is of etcd's group,
without the agent being in that group.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from pathlib import Path
from typing import Protocol

from aware_agent.security.files import (
    StateUnusable,
    make_directory,
    read_public,
    read_secret,
    write_atomic,
)

_READABLE, _CHANGEABLE, _WRITABLE = 0o640, 0o660, 0o770  # for etcd's group


class EtcdFiles(Protocol):
    """How files and directories of etcd are made and removed. Errors: StateUnusable, DiskFull."""

    def prepare(self, root: Path) -> None:
        """Make sure of the directory of everything."""
        ...

    def make_data(self, path: Path) -> None:
        """A directory that etcd writes into."""
        ...

    def write(self, path: Path, data: bytes) -> None:
        """Replace a file that etcd reads."""
        ...

    def read(self, path: Path) -> bytes | None:
        """What was written; None when there is none."""
        ...

    def hand_over(self, path: Path) -> None:
        """A directory that the agent filled is etcd's to change from now on."""
        ...

    def discard(self, path: Path) -> None:
        """Remove a directory that etcd wrote into, if it is there."""
        ...


class OwnFiles:
    """etcd runs as the agent's own user."""

    def prepare(self, root: Path) -> None:
        """Closed to everybody else."""
        make_directory(root)

    def make_data(self, path: Path) -> None:
        """Closed to everybody else."""
        make_directory(path)

    def write(self, path: Path, data: bytes) -> None:
        """Closed to everybody else."""
        write_atomic(path, data)

    def read(self, path: Path) -> bytes | None:
        """Refused when others could have read it."""
        return read_secret(path)

    def hand_over(self, path: Path) -> None:
        """It is etcd's already."""

    def discard(self, path: Path) -> None:
        """What cannot be removed stays."""
        shutil.rmtree(path, ignore_errors=True)


class SharedFiles:
    """etcd runs as a user of its own, and is of the group of the directory."""

    def prepare(self, root: Path) -> None:
        """It is there, ours, and hands its group on; nobody but that group looks in."""
        try:
            status = root.stat()
        except OSError as error:
            raise StateUnusable(
                f"{root} cannot be used: {error.strerror}", hint="role aware.cluster.etcd makes it"
            ) from None
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid != os.geteuid() or not mode & stat.S_ISGID or mode & 0o027:
            raise StateUnusable(
                f"{root} has another owner or mode than it needs: {status.st_uid}, {mode:04o}",
                hint="role aware.cluster.etcd makes it: mode 2750, of the agent's user and etcd's group",
            )

    def make_data(self, path: Path) -> None:
        """etcd writes there; the agent can move it, and cannot read what etcd keeps for itself."""
        path.mkdir(exist_ok=True)
        if stat.S_IMODE(path.stat().st_mode) != _WRITABLE:
            path.chmod(_WRITABLE)

    def write(self, path: Path, data: bytes) -> None:
        """For etcd to read."""
        write_atomic(path, data, mode=_READABLE)

    def read(self, path: Path) -> bytes | None:
        """etcd's group may read it too."""
        return read_public(path)

    def hand_over(self, path: Path) -> None:
        """All of it is of etcd's group, which may write from now on."""
        for directory, _, names in os.walk(path):
            os.chmod(directory, _WRITABLE)
            for name in names:
                os.chmod(os.path.join(directory, name), _CHANGEABLE)

    def discard(self, path: Path) -> None:
        """Into ``trash``: what etcd's user made, only that user can remove, and its unit does before it starts."""
        if not path.exists():
            return
        trash = path.parent / "trash"
        shutil.rmtree(trash, ignore_errors=True)  # directories that were emptied since
        self.make_data(trash)
        os.replace(path, trash / f"{path.name}-{time.time_ns()}")
