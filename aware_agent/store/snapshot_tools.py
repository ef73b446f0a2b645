"""A snapshot becomes an etcd data directory again, by etcd's own tool ``etcdutl``.

A restored etcd goes on counting at the snapshot's revision, although the lost one may have gone further. Whoever
restores lifts the revision, so that no term (a create revision) is ever given twice: ``etcdutl --bump-revision``
where it is known (3.5.16 and newer), else as many writes as it takes, see :func:`lift`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreError
from aware_agent.store.etcd_binary import SYSTEM_PATHS, EtcdBinary

BUMP = 1_000_000_000  # what etcd's own manual recommends; 2**63 leaves room for nine thousand million restores
LIFT_WITHOUT_BUMP = 100_000  # by writing: about 20 s
_LANES = 64
_RESTORE_S = 1800.0


class PeerMember(Struct, frozen=True):
    """A member to be: its name and the URL other members reach it at."""

    name: str
    url: str


class EtcdUtl(Struct, frozen=True):
    """The tool. ``bumps``: it can lift the revision by itself."""

    path: str
    bumps: bool


def find_etcdutl(binary: EtcdBinary) -> EtcdUtl:
    """The tool beside ``binary``, else the system's. Raises StoreError: there is none that runs."""
    beside = Path(binary.path).resolve().parent / "etcdutl"
    places = [str(beside)] if os.access(beside, os.X_OK) else []
    found = places[0] if places else shutil.which("etcdutl") or shutil.which("etcdutl", path=":".join(SYSTEM_PATHS))
    if found is None:
        raise StoreError("etcdutl was not found", hint="apt install etcd-client, or put it beside etcd")
    said = _run([found, "snapshot", "restore", "--help"], limit_s=30.0)
    return EtcdUtl(found, "--bump-revision" in said)


def make_data_dir(
    tool: EtcdUtl,
    snapshot: Path,
    data_dir: Path,
    *,
    member: PeerMember,
    members: Sequence[PeerMember],
    token: str,
    bump: int = 0,
) -> None:
    """Write the data directory of ``member``, which must not exist yet. Raises StoreError with etcdutl's last word."""
    argv = [
        tool.path,
        "snapshot",
        "restore",
        str(snapshot),
        f"--data-dir={data_dir}",
        f"--name={member.name}",
        f"--initial-cluster={','.join(f'{one.name}={one.url}' for one in members)}",
        f"--initial-cluster-token={token}",
        f"--initial-advertise-peer-urls={member.url}",
    ]
    if bump:
        argv += [f"--bump-revision={bump}", "--mark-compacted"]
    try:
        _run(argv, limit_s=_RESTORE_S)
    except StoreError:
        shutil.rmtree(data_dir, ignore_errors=True)
        raise


async def lift(client: EtcdClient, key: bytes, revision: int) -> int:
    """Write ``key`` until the store is at ``revision`` or more, then forget history; returns the revision reached."""
    now = await client.put(key, b"")

    async def lane() -> None:
        nonlocal now
        while now < revision:
            now = max(now, await client.put(key, b""))

    await asyncio.gather(*(lane() for _ in range(_LANES)))
    await client.delete(key)
    now = await client.put(key, b"")
    await client.delete(key)
    await client.compact(now)
    return now + 1


def _run(argv: list[str], *, limit_s: float) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=limit_s, check=False, errors="replace")
    except (OSError, subprocess.SubprocessError) as error:
        raise StoreError(f"{argv[0]} does not run: {error}") from None
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines()
        raise StoreError(f"etcdutl failed: {(lines[-1] if lines else 'without a word')[:300]}")
    return done.stdout + done.stderr
