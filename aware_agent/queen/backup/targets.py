"""Where backups go. One file per kind of target; each loads its library only when it is used.

Which kind is the spec's choice. Where exactly, and with which secrets, stands in the settings of the agents, so nobody
who may only change the spec can send backups to a place of his own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from aware_agent.agent.settings import BackupSettings
from aware_agent.colony.backup import TargetKind
from aware_agent.colony.errors import AwareError

PIECE = 1 << 20


class TargetFailed(AwareError):
    """The target is not set up, not reachable, or refused."""

    code = "backup-target"
    status = 503


class Target(Protocol):
    """A flat place for files. Every method raises :class:`TargetFailed`."""

    def describe(self) -> str:
        """Where it is, without secrets."""

    def names(self) -> list[str]:
        """Names of all files there, ours or not."""

    def put(self, name: str, source: Path) -> None:
        """Store ``source`` as ``name``: wholly or not at all."""

    def read(self, name: str) -> Iterator[bytes]:
        """The file in pieces."""

    def delete(self, name: str) -> None:
        """Remove it; one that is gone is as good."""


def open_target(kind: TargetKind, settings: BackupSettings) -> Target:
    """The target ``kind`` as ``settings`` describe it. Raises :class:`TargetFailed`."""
    match kind:
        case "directory":
            from aware_agent.queen.backup.target_directory import DirectoryTarget

            return DirectoryTarget(settings)
        case "s3":
            from aware_agent.queen.backup.target_s3 import S3Target

            return S3Target(settings)
        case "swift":
            from aware_agent.queen.backup.target_swift import SwiftTarget

            return SwiftTarget(settings)


def check_stored(target: Target, name: str, source: Path) -> None:
    """Read ``name`` back and compare it with ``source``. Raises :class:`TargetFailed`."""
    here, there = hashlib.sha256(), hashlib.sha256()
    with source.open("rb") as file:
        while piece := file.read(PIECE):
            here.update(piece)
    for piece in target.read(name):
        there.update(piece)
    if here.digest() != there.digest():
        raise TargetFailed(f"{target.describe()} gives back something else than was stored", hint="check the storage")


def required(settings: BackupSettings, *names: str) -> None:
    """Raise :class:`TargetFailed` that names the first of the settings that is empty."""
    for name in names:
        if not getattr(settings, name):
            raise TargetFailed(f"backup.{name} is not set", hint="in the settings of every agent that may reign")
