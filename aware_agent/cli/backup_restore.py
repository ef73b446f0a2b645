"""The work behind ``aware backup restore``: a backup becomes everything a colony needs to come back.

::

    restore.json       what was restored, the last file to be written
    snapshot.db        cleaned snapshot; etcd's own tool makes a member's data directory of it
    etcd/NAME/         data directories, one for each member that was asked for
    material/          CAs, secrets and certificates, as aware colony material makes them
    nodes/NAME/        state directories for nodes that lost theirs: same id, same name, a new key
    ca.crt                the node CAs that nodes and clients believe
    spec.json  join-token

All of it is made in a directory beside the wanted one, which takes its name at the very end.

Before anybody may connect, an etcd on loopback serves the snapshot to this process alone: live keys and their leases
go, and the revision is lifted above everything the lost etcd can have given out, so that terms only grow.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from aware_agent.agent.state import Membership
from aware_agent.cli.backup_clean import Cleaned, Heritage, clean, issue_state
from aware_agent.cli.errors import FileTrouble
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import Conflict
from aware_agent.queen.backup.contents import Contents, verify
from aware_agent.queen.backup.format import Header, read_header
from aware_agent.queen.backup.warrant import open_ca
from aware_agent.security import pki
from aware_agent.security.files import PUBLIC_MODE, make_directory, read_public, write_atomic
from aware_agent.security.regular import open_regular
from aware_agent.security.token import RANDOM_BYTES, make_token
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.etcd_binary import EtcdBinary, TlsFiles, find_etcd
from aware_agent.store.keys import Keys
from aware_agent.store.snapshot import take_snapshot
from aware_agent.store.snapshot_tools import BUMP, LIFT_WITHOUT_BUMP, EtcdUtl, PeerMember, find_etcdutl, make_data_dir

MARK = "restore.json"
_PRIVATE = PeerMember("m0", "https://127.0.0.1:2380")  # never listens there: it is the only member


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be restored, and for whom."""

    file: Path
    into: Path
    passphrase: str
    colony: str  # which colony it has to be
    members: tuple[PeerMember, ...] = ()
    etcd: tuple[str, ...] = ()  # etcd's addresses for the nodes, host:port; default: those of the backup
    nodes: dict[str, str] = {}  # name to address: nodes that lost their state
    admin_password: str = ""  # of user admin from now on; empty: the one the backup knows
    above: int = 0  # a revision the lost etcd is known to have reached
    lift_by: int = LIFT_WITHOUT_BUMP  # where etcdutl cannot lift the revision by itself
    older: bool = False  # take a backup older than what was restored before


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """The mark: what was restored. Revisions of etcd; ``term`` and ``created_at`` are the backup's."""

    colony: str
    sha256: str
    created_at: float
    term: int
    from_revision: int
    to_revision: int
    nodes: tuple[str, ...]  # that got a new state directory
    members: tuple[str, ...]
    token: str  # of the new cluster of etcd: members of others cannot be taken for its own
    eligible: tuple[str, ...] = ()  # names of nodes that may sit in the council; the first member is one of them
    users: tuple[str, ...] = ()  # that can log in again, with the passwords of then
    tokens: tuple[str, ...] = ()  # ids of join tokens that are good again
    sessions: int = 0  # that ended
    unreadable: tuple[str, ...] = ()  # keys whose values cannot be read: they came back as they are
    changed: bool = True


def restore(wish: Wish) -> Restored:
    """Do it. Raises AwareError with ``into`` untouched: BackupDamaged, WrongKey, InvalidInput, Conflict, StoreError."""
    header = _check_header(wish)
    before = _check_place(wish, header)
    if before and _same(before, wish, header):
        return msgspec.structs.replace(before, changed=False)
    partial = wish.into.with_name(f".{wish.into.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make_directory(partial)
    try:
        done = asyncio.run(_Restoration(wish, partial).run())
        _take_the_place(partial, wish.into)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return done


def _check_header(wish: Wish) -> Header:
    try:
        with open_regular(wish.file) as file:
            header = read_header(file)
    except OSError as error:
        raise FileTrouble(f"cannot read backup {wish.file}: {error.strerror}", field="file") from error
    if wish.colony and header.colony != wish.colony:
        raise Conflict(
            f"{wish.file} is a backup of colony {header.colony!r}, not of {wish.colony!r}",
            hint="name the right file, or --colony",
        )
    return header


def _check_place(wish: Wish, header: Header) -> Restored | None:
    """What lies in ``into``: nothing, or an earlier restore that may be replaced. Raises Conflict."""
    if not wish.into.exists():
        return None
    raw = read_public(wish.into / MARK) if wish.into.is_dir() else None
    if raw is None:
        if wish.into.is_dir() and not any(wish.into.iterdir()):
            return None
        raise Conflict(f"{wish.into} holds something else", hint="name a directory that is empty or not there")
    try:
        before = from_json(raw, Restored)
    except UNDECODABLE as error:
        raise Conflict(f"{wish.into / MARK} is damaged", hint="name another directory") from error
    if before.colony != header.colony:
        raise Conflict(f"{wish.into} holds the restored colony {before.colony!r}", hint="name another directory")
    if header.revision < before.from_revision and not wish.older:
        raise Conflict(
            f"the backup (revision {header.revision}) is older than what was restored to {wish.into} "
            f"(revision {before.from_revision})",
            hint="choose a newer one, or say --older",
        )
    return before


def _same(before: Restored, wish: Wish, header: Header) -> bool:
    members = tuple(member.name for member in wish.members)
    return before.sha256 == header.sha256 and before.members == members and set(wish.nodes) <= set(before.nodes)


def _take_the_place(partial: Path, into: Path) -> None:
    """Put the finished directory where it belongs; an earlier restore is kept as ``.NAME.previous``."""
    previous = into.with_name(f".{into.name}.previous")
    shutil.rmtree(previous, ignore_errors=True)
    if into.exists():
        into.rename(previous)
    partial.rename(into)


class _Restoration:
    """One restore, into ``home``."""

    def __init__(self, wish: Wish, home: Path) -> None:
        self._wish = wish
        self._home = home
        self._now = time.time()
        self._token = os.urandom(8).hex()
        self._unreadable: tuple[str, ...] = ()

    async def run(self) -> Restored:
        raw = self._home / "raw.db"
        header, contents = self._unpack(raw)
        binary = find_etcd()
        tool = find_etcdutl(binary)
        membership = from_json(contents.membership, Membership)
        if self._wish.etcd:
            membership = msgspec.structs.replace(membership, etcd=self._wish.etcd)
        keys = Keys(header.colony)
        ca = open_ca(contents.ca, keys.key("ca"), membership)
        heritage = Heritage(
            header=header,
            membership=membership,
            ca=ca,
            bundle=contents.ca_pem.encode(),
            council_ca=open_ca(contents.council_ca, keys.key("council-ca"), membership),
            council_bundle=contents.council_ca_pem.encode(),
            token=make_token(pki.ca_pin(ca.certificate), os.urandom(RANDOM_BYTES)),
        )
        self._write_material(heritage)
        cleaned = await self._clean(raw, heritage, binary, tool)
        raw.unlink()
        self._make_members(tool)
        for newcomer in cleaned.newcomers:
            issue_state(self._home / "nodes" / newcomer.name, newcomer, heritage, now=self._now)
        self._write_spec(contents.spec)
        return self._mark(header, cleaned)

    def _write_spec(self, spec: bytes) -> None:
        if not spec:
            return
        try:
            write_atomic(self._home / "spec.json", msgspec.json.format(spec, indent=2) + b"\n")
        except UNDECODABLE:
            self._unreadable = ("spec",)

    def _unpack(self, raw: Path) -> tuple[Header, Contents]:
        descriptor = os.open(raw, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            return verify(self._wish.file, self._wish.passphrase, file.write)

    def _write_material(self, heritage: Heritage) -> None:
        """As the founder's, with the CAs and the secret of the backup."""
        token = heritage.token
        directory = self._home / "material"
        make_directory(directory)
        seed = {
            "colony": heritage.header.colony,
            "secret": heritage.membership.secret,
            "token": bytes.fromhex(token.id) + token.secret_bytes,
        }
        authorities = {"ca": heritage.ca, "council-ca": heritage.council_ca}
        for stem, ca in authorities.items():
            write_atomic(directory / f"{stem}.key", ca.key)
        write_atomic(directory / "material.json", msgspec.json.encode(seed))
        for stem, ca in authorities.items():
            write_atomic(directory / f"{stem}.crt", ca.certificate, PUBLIC_MODE)
        hosts = [_host(member.url) for member in self._wish.members] or ["127.0.0.1"]
        sans = list(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))
        for stem, name, names in (("etcd", "etcd", sans), ("founder", "root", [])):
            pair = pki.issue(heritage.council_ca, pki.make_key(), common_name=name, sans=names, now=self._now)
            write_atomic(directory / f"{stem}.key", pair.key)
            write_atomic(directory / f"{stem}.crt", pair.certificate, PUBLIC_MODE)
        write_atomic(self._home / "join-token", f"{token}\n".encode())
        write_atomic(self._home / "ca.crt", heritage.bundle, PUBLIC_MODE)

    async def _clean(self, raw: Path, heritage: Heritage, binary: EtcdBinary, tool: EtcdUtl) -> Cleaned:
        """Serve the snapshot to this process alone, clean it, and keep the result as ``snapshot.db``."""
        private, material = self._home / "private", self._home / "material"
        make_directory(private)
        bump = max(BUMP, self._wish.above) if tool.bumps else 0
        make_data_dir(
            tool, raw, private / "m0", member=_PRIVATE, members=[_PRIVATE], token=os.urandom(8).hex(), bump=bump
        )
        tls = TlsFiles(ca=material / "council-ca.crt", cert=material / "etcd.crt", key=material / "etcd.key")
        root = Credentials(
            ca=heritage.council_ca.certificate,
            cert=(material / "founder.crt").read_bytes(),
            key=(material / "founder.key").read_bytes(),
        )
        etcd = EmbeddedEtcd(1, directory=private, tls=tls, credentials=root, binary=binary)
        async with etcd, EtcdClient(etcd.endpoints, root, deadline_s=30.0) as client:
            lift_by = 0 if bump else max(self._wish.lift_by, self._wish.above - heritage.header.revision + 1)
            cleaned = await clean(
                client,
                heritage,
                nodes=self._wish.nodes,
                admin_password=self._wish.admin_password,
                lift_by=lift_by,
                now=self._now,
            )
            await self._keep(client)
        shutil.rmtree(private)
        return cleaned

    async def _keep(self, client: EtcdClient) -> None:
        path = self._home / "snapshot.db"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:

            async def sink(blob: bytes) -> None:
                file.write(blob)

            await take_snapshot(client, sink)
            file.flush()
            os.fsync(descriptor)

    def _make_members(self, tool: EtcdUtl) -> None:
        members: Sequence[PeerMember] = self._wish.members
        if members:
            make_directory(self._home / "etcd")
        for member in members:
            data_dir = self._home / "etcd" / member.name
            make_data_dir(tool, self._home / "snapshot.db", data_dir, member=member, members=members, token=self._token)

    def _mark(self, header: Header, cleaned: Cleaned) -> Restored:
        done = Restored(
            colony=header.colony,
            sha256=header.sha256,
            created_at=header.created_at,
            term=header.term,
            from_revision=header.revision,
            to_revision=cleaned.revision,
            nodes=tuple(self._wish.nodes),
            members=tuple(member.name for member in self._wish.members),
            token=self._token,
            eligible=cleaned.eligible,
            users=cleaned.users,
            tokens=cleaned.tokens,
            sessions=cleaned.sessions,
            unreadable=cleaned.unreadable + self._unreadable,
        )
        write_atomic(self._home / MARK, msgspec.json.encode(done))
        return done


def _host(url: str) -> str:
    return url.rpartition("://")[2].rpartition(":")[0].strip("[]")
