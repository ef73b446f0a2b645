"""Finding programs of peers."""

from __future__ import annotations

import os
import shutil

from bench.harness import Unavailable

_ALSO = "/usr/sbin:/sbin:/usr/local/sbin"


def program(name: str, package: str) -> str:
    """Path of a program. Raises :class:`Unavailable` that names the Debian package."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":" + _ALSO)
    if path is None:
        raise Unavailable(f"{name} is not installed (Debian package {package})")
    return path


def need_root(why: str) -> None:
    """Raises :class:`Unavailable` for everybody else."""
    if os.geteuid() != 0:
        raise Unavailable(f"needs root {why}")
