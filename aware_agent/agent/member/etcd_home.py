"""The directory of etcd on this node: configuration, certificates, data. The agent writes it, etcd only its data. ::

    plan.json                what the agent wants of it, for the agent's next life
    etcd.json                configuration: what ``etcd --config-file`` reads (JSON is YAML)
    ca.crt                   the council CAs, which it believes of clients and of other members
    etcd.crt etcd.key        what it shows to both, of the council CA
    member.json              whose data lies in data/: written before etcd's first start
    data/                    etcd's own
    data.old/                data of a member that this node was before; the last one only
    data.before-TOKEN/       data that was there when a restore began; never removed by the agent
    etcd.log                 of the child process; with systemd the journal has it
    trash/                   with systemd: what its unit removes before its next start

Data belongs to one member of one etcd. A node that gets a seat again is another member: etcd would refuse the old
data, or worse, take it. So data without the right ``member.json`` is moved aside before etcd starts.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from aware_agent.agent.member.etcd_files import EtcdFiles, OwnFiles
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import AwareError
from aware_agent.colony.seats import SEAT_FREE_MIB
from aware_agent.security.files import DiskFull, StateCorrupted, read_public
from aware_agent.store.etcd_binary import EtcdBinary
from aware_agent.store.version import gate

LOG_ENTRIES = 2000  # after so many writes etcd forgets its log, but for the last half as many


class PortTaken(AwareError):
    """A port of etcd is used by another program; nothing was started."""

    code = "port-taken"
    exit_code = 17


class EtcdPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What etcd on this node shall be. URLs are those it listens at and is reached at."""

    name: str  # the node's id
    client_url: str
    peer_url: str
    peers: dict[str, str]  # name and peer URL of every member, this one too
    token: str  # of this etcd: members of another one are refused
    joins: bool  # an etcd that is there already; else it begins with ``peers``
    member: int = 0  # the id that etcd gave it; 0: it begins
    heartbeat_ms: int = 100
    election_ms: int = 1000
    quota_mib: int = 2048  # a file of that size makes etcd full
    fsync: bool = True  # only tests go without

    @property
    def mark(self) -> bytes:
        """Whose data this is."""
        return msgspec.json.encode({"token": self.token, "member": self.member, "name": self.name})


class EtcdPair(msgspec.Struct, frozen=True, kw_only=True):
    """What etcd shows and believes, PEM."""

    ca: bytes
    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        """Without the key."""
        return "EtcdPair(ca, certificate)"


class EtcdHome:
    """One directory of one etcd. Errors: StateUnusable, DiskFull."""

    def __init__(self, path: Path, files: EtcdFiles | None = None) -> None:
        self.path = path
        self._keep = files or OwnFiles()
        self.config_path = path / "etcd.json"
        self.data = path / "data"
        self.old = path / "data.old"
        self.log = path / "etcd.log"
        self._mark = path / "member.json"
        self._plan = path / "plan.json"
        self._files = {"ca": path / "ca.crt", "certificate": path / "etcd.crt", "key": path / "etcd.key"}

    def install(self, plan: EtcdPlan, pair: EtcdPair | None, *, force_new: bool = False) -> bool:
        """Write everything etcd needs; returns whether anything changed, so that it has to be started anew.

        ``force_new``: it forgets all other members, see :mod:`recover`. Data of another member is moved aside.
        """
        self._keep.prepare(self.path)
        if read_public(self._mark) != plan.mark:
            self._set_aside(self.old)
            self._keep.write(self._mark, plan.mark)
        self._keep.make_data(self.data)
        self._keep.write(self._plan, msgspec.json.encode(plan))
        changed = self._install_pair(pair) if pair else False
        config = msgspec.json.format(msgspec.json.encode(self._config(plan, pair is not None, force_new)))
        if self.config() == config:
            return changed
        self._keep.write(self.config_path, config)
        return True

    def config(self) -> bytes | None:
        """The configuration, as etcd reads it at its next start; None when this node has no seat."""
        return self._keep.read(self.config_path)

    def plan(self) -> EtcdPlan | None:
        """What it was installed for; None when this node has no seat. Raises StateCorrupted."""
        raw = self._keep.read(self._plan)
        if raw is None:
            return None
        try:
            return from_json(raw, EtcdPlan)
        except UNDECODABLE as error:
            raise StateCorrupted(
                f"{self._plan} is damaged: {error}", hint="move it away: the seat is told again"
            ) from error

    def adopt(self, plan: EtcdPlan) -> None:
        """The data that is there is that of ``plan``: for an etcd that began here and only now knows its id."""
        self._keep.write(self._mark, plan.mark)
        self._keep.write(self._plan, msgspec.json.encode(plan))

    def retire(self, *, restored: str = "") -> bool:
        """This node is no member any more: nothing is left that etcd could start from. Whether there was anything.

        ``restored``: token of the restore that makes it so. Data may be newer than the backup, and is kept for good.
        """
        there = self.config_path.exists() or self.begun
        for path in (self._plan, self.config_path, self._mark, *self._files.values()):
            path.unlink(missing_ok=True)
        self._set_aside(self._kept_for(restored) if restored else self.old)
        return there

    def fill(self, make: Callable[[Path], None]) -> None:
        """Data as ``make`` writes it to the directory it is given, all of it or none. After :meth:`install`."""
        scratch = self.path / "data.making"
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            make(scratch)
            self._keep.hand_over(scratch)
            os.replace(scratch / "member", self.data / "member")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    @property
    def begun(self) -> bool:
        """Whether etcd has ever started here as what it is now."""
        return (self.data / "member").is_dir()

    def free_mib(self) -> int:
        """Room for data."""
        path = self.path if self.path.exists() else self.path.parent
        return shutil.disk_usage(path).free // 2**20

    def bundle(self) -> bytes:
        """The CAs that etcd believes from its next start on, PEM."""
        return read_public(self._files["ca"]) or b""

    def argv(self, binary: EtcdBinary) -> list[str]:
        """How it is started."""
        return [binary.path, f"--config-file={self.config_path}"]

    def _install_pair(self, pair: EtcdPair) -> bool:
        changed = False
        for field, path in self._files.items():
            wanted = getattr(pair, field)
            if self._keep.read(path) != wanted:
                self._keep.write(path, wanted)
                changed = True
        return changed

    def _set_aside(self, aside: Path) -> None:
        if self.begun:
            self._keep.discard(aside)
            os.replace(self.data, aside)
        else:
            self._keep.discard(self.data)

    def _kept_for(self, restored: str) -> Path:
        """A name that nothing has."""
        path = self.path / f"data.before-{restored}"
        return path.with_name(f"{path.name}.{time.time_ns()}") if path.exists() else path

    def _config(self, plan: EtcdPlan, tls: bool, force_new: bool) -> dict[str, object]:
        security = {
            "cert-file": str(self._files["certificate"]),
            "key-file": str(self._files["key"]),
            "trusted-ca-file": str(self._files["ca"]),
            "client-cert-auth": True,
        }
        return {
            "name": plan.name,
            "data-dir": str(self.data),
            "listen-client-urls": plan.client_url,
            "advertise-client-urls": plan.client_url,
            "listen-peer-urls": plan.peer_url,
            "initial-advertise-peer-urls": plan.peer_url,
            "initial-cluster": ",".join(f"{name}={url}" for name, url in sorted(plan.peers.items())),
            "initial-cluster-token": plan.token,
            "initial-cluster-state": "existing" if plan.joins else "new",
            "force-new-cluster": force_new,
            "heartbeat-interval": plan.heartbeat_ms,
            "election-timeout": plan.election_ms,
            "strict-reconfig-check": True,
            "quota-backend-bytes": plan.quota_mib << 20,
            "auto-compaction-mode": "periodic",
            "auto-compaction-retention": "1h",
            # A new member is given the data of now. From a log as long as etcd keeps it by itself (100,000 writes) it
            # would live through all that was since: through an etcd that was full as well, and be full itself.
            "snapshot-count": LOG_ENTRIES,
            "SnapshotCatchUpEntries": LOG_ENTRIES // 2,  # its name up to etcd 3.5, where no flag says it
            "snapshot-catchup-entries": LOG_ENTRIES // 2,
            "enable-grpc-gateway": False,
            "log-level": "warn",
            "logger": "zap",
            "unsafe-no-fsync": not plan.fsync,
            **({"client-transport-security": security, "peer-transport-security": security} if tls else {}),
        }


def check_startable(home: EtcdHome, plan: EtcdPlan, binary: EtcdBinary, *, production: bool) -> list[str]:
    """Raise one clear line for what would keep etcd from starting here; returns warnings.

    Call it while etcd does not run. Raises UnsupportedEtcd, DiskFull, :class:`PortTaken`.
    """
    warnings = gate(binary.version, production)
    free = home.free_mib()
    if free < SEAT_FREE_MIB:
        raise DiskFull(
            f"etcd does not start: {home.path} has {free} MiB left and needs {SEAT_FREE_MIB}", hint="free some space"
        )
    for url in (plan.client_url, plan.peer_url):
        _check_port(url)
    return warnings


def _check_port(url: str) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 0
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
            sock.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                hint = f"find it with: ss -ltnp 'sport = :{port}'"
                raise PortTaken(
                    f"etcd does not start: port {port} of {host} is taken by another program", hint=hint
                ) from None
            raise PortTaken(
                f"etcd does not start: cannot listen at {host}:{port}: {error.strerror}", hint="is the address ours?"
            ) from None
