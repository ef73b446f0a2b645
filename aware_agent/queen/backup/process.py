"""The process that makes one backup: ``python -m aware_agent.queen.backup.process``.

It reads one job (JSON, one line) from standard input, writes one answer (JSON) to standard output, and ends at once
when standard input is closed: then nobody waits for it any more. Snapshot, encryption and upload so never share a
process with the queen, whose lease must not wait for them, and their libraries never stay in an agent's memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from aware_agent.agent.member.etcd_access import council_access, etcd_credentials
from aware_agent.agent.settings import BackupSettings
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.colony.audit import head_text
from aware_agent.colony.backup import SUFFIX, Backup, TargetKind, backup_name, parse_name
from aware_agent.colony.decoding import from_json
from aware_agent.colony.errors import AwareError
from aware_agent.colony.retention import Dated, Keep, to_delete
from aware_agent.program import give_way
from aware_agent.queen.audit import read_head
from aware_agent.queen.backup.contents import Contents, prologue, verify
from aware_agent.queen.backup.format import BackupDamaged, Header, Writer, WrongKey, draft_header
from aware_agent.queen.backup.passphrase import read_passphrase
from aware_agent.queen.backup.targets import Target, TargetFailed, check_stored, open_target
from aware_agent.queen.backup.warrant import root_credentials
from aware_agent.security.files import make_directory, only_one
from aware_agent.store.client import EtcdClient
from aware_agent.store.keys import Keys
from aware_agent.store.snapshot import SnapshotInfo, take_snapshot

_NICE = 10


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. Secrets are not in it, only where they lie."""

    colony: str
    state_dir: str
    endpoints: tuple[str, ...]
    term: int
    nodes: tuple[str, ...]
    node: str  # name of the queen
    actor: str
    target: TargetKind
    keep: Keep
    settings: BackupSettings
    not_before: float  # a backup in the target that was begun since need not be made again; Unix seconds


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How it went: ``backup``, or one sentence in ``failure``. ``removed`` are names that retention let go."""

    backup: Backup | None = None
    removed: list[str] = []
    failure: str = ""


def main() -> int:
    """Do the job on standard input; the exit code says nothing, the answer does."""
    give_way(_NICE)
    job = from_json(sys.stdin.buffer.readline(), Job)
    threading.Thread(target=_leash, daemon=True).start()
    try:
        answer = run(job)
    except AwareError as error:
        answer = Answer(failure=" ".join(str(error).split()))
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    sys.stdout.buffer.flush()
    return 0


def run(job: Job) -> Answer:
    """Make, verify, store, verify again, let old ones go. Raises AwareError; the target then has what it had."""
    target = open_target(job.target, job.settings)
    names = target.names()
    state = StateDir(Path(job.state_dir)).load()
    if state is None:
        raise TargetFailed(f"{job.state_dir} holds no member's state")
    passphrase = read_passphrase(job.settings.key_file, state.membership.secret)
    spool = Path(job.state_dir) / "backup-spool"
    make_directory(spool)
    with only_one(spool / ".lock", "backup"), _empty(spool) as path:
        backup = _already_there(job, target, names, path, passphrase) or _make(job, target, state, path, passphrase)
    removed = []
    for name in to_delete(dated([*names, backup.name], job.colony), job.keep):
        target.delete(name)
        removed.append(name)
    return Answer(backup=backup, removed=removed)


def dated(names: list[str], colony: str) -> list[Dated]:
    """The backups of ``colony`` among ``names``."""
    return [found for name in names if (found := parse_name(name, colony))]


def _make(job: Job, target: Target, state: NodeState, path: Path, passphrase: str) -> Backup:
    began = time.time()
    path.unlink(missing_ok=True)
    header = asyncio.run(_write(job, state, path, passphrase, began))
    verify(path, passphrase)
    name = backup_name(job.colony, began, header.revision, job.term)
    target.put(name, path)
    check_stored(target, name, path)
    return _backup(header, name, target, job)


async def _write(job: Job, state: NodeState, path: Path, passphrase: str, began: float) -> Header:
    """Snapshot and everything else into ``path``."""
    keys = Keys(job.colony)
    async with EtcdClient(job.endpoints, etcd_credentials(state), deadline_s=20.0) as client:
        names = ("ca", "council-ca", "spec", "audit-head")
        ca, council_ca, spec, audit = [await client.get(keys.key(name)) for name in names]
    if ca is None or council_ca is None:
        raise TargetFailed("this colony has no CA", hint="found it: aware colony found")
    contents = Contents(
        colony=job.colony,
        membership=msgspec.json.encode(state.membership),
        ca=ca.value,
        ca_pem=state.ca.decode(),
        council_ca=council_ca.value,
        council_ca_pem=council_access(state).ca.decode(),
        spec=spec.value if spec else b"",
    )
    head = read_head(audit)
    noted = head_text(head) if head else ""
    draft = draft_header(job.colony, began, term=job.term, nodes=job.nodes, audit=noted)
    root = root_credentials(council_ca, state, began)
    with path.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        writer = Writer(file, passphrase, draft)
        writer.write(prologue(contents))
        async with EtcdClient(job.endpoints, root, deadline_s=20.0) as client:
            info = await _stream(client, writer)
        return writer.finish(revision=info.revision, etcd=info.version)


async def _stream(client: EtcdClient, writer: Writer) -> SnapshotInfo:
    async def sink(blob: bytes) -> None:
        writer.write(blob)

    return await take_snapshot(client, sink)


def _already_there(job: Job, target: Target, names: list[str], path: Path, passphrase: str) -> Backup | None:
    """A whole backup of the slot that is due, made by a queen who had no time to put it on record."""
    newest = max(dated(names, job.colony), key=lambda one: one.created_at, default=None)
    if newest is None or newest.created_at < job.not_before:
        return None
    with path.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        for piece in target.read(newest.name):
            file.write(piece)
    try:
        header, _ = verify(path, passphrase)
    except (BackupDamaged, WrongKey):
        return None
    return _backup(header, newest.name, target, job, adopted=True)


def _backup(header: Header, name: str, target: Target, job: Job, *, adopted: bool = False) -> Backup:
    return Backup(
        name=name,
        created_at=header.created_at,
        revision=header.revision,
        term=header.term,
        bytes=header.bytes,
        sha256=header.sha256,
        target=target.describe(),
        node="" if adopted else job.node,
        actor=job.actor,
        adopted=adopted,
    )


@contextlib.contextmanager
def _empty(spool: Path) -> Iterator[Path]:
    """A path in ``spool`` where nothing is, now and afterwards."""
    path = spool / f"new{SUFFIX}"
    path.unlink(missing_ok=True)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _leash() -> None:
    while os.read(0, 1):  # not through sys.stdin: its lock would be held when the interpreter ends
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
