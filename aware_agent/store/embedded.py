"""etcd on loopback: one or three members as child processes, for the demo, tests and benchmarks."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from aware_agent.ports import free_ports
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.errors import StoreError
from aware_agent.store.etcd_binary import EtcdBinary, TlsFiles, etcd_argv, find_etcd

__all__ = ["EmbeddedEtcd", "EtcdBinary", "EtcdMember", "TlsFiles", "etcd_argv", "find_etcd"]

_FREEZE_S = 5.0


class EtcdMember:
    """One member process. All signals go to its own pid."""

    def __init__(self, name: str, argv: Sequence[str], client_port: int, log: Path) -> None:
        self.name = name
        self.argv = list(argv)
        self.client_port = client_port
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """``host:port`` for clients."""
        return f"127.0.0.1:{self.client_port}"

    @property
    def pid(self) -> int:
        """Of the running process. :raises StoreError: it does not run."""
        if self._process is None:
            raise StoreError(f"etcd member {self.name} does not run")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there (a stopped one is)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts, or restarts on the same data. It is tied to the life of the thread that starts it (needs setpriv)."""
        if self.running:
            raise StoreError(f"etcd member {self.name} runs already")
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*leash, *self.argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """``kill -9``; returns when it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """SIGSTOP: alive, but silent; returns when every thread stands still, which takes its time."""
        os.kill(self.pid, signal.SIGSTOP)
        end = time.monotonic() + _FREEZE_S
        while not _stands_still(self.pid) and time.monotonic() < end:
            time.sleep(0.001)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)


class EmbeddedEtcd:
    """``async with EmbeddedEtcd() as etcd:`` and connect to ``etcd.endpoints``.

    ``tls`` demands client certificates of the same CA, then ``credentials`` must satisfy it, for the check that the
    members serve. Without ``fsync`` it is faster and survives ``kill -9``, but no power cut.
    """

    def __init__(
        self,
        members: int = 1,
        *,
        directory: Path | None = None,
        tls: TlsFiles | None = None,
        credentials: Credentials | None = None,
        fsync: bool = False,
        extra: Sequence[str] = (),
        binary: EtcdBinary | None = None,
    ) -> None:
        self._own_directory = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="aware-etcd-"))
        self.credentials = credentials
        self.binary = binary or find_etcd()
        ports = free_ports(2 * members)
        scheme = "https" if tls else "http"
        peers = ",".join(f"m{i}={scheme}://127.0.0.1:{ports[2 * i + 1]}" for i in range(members))
        options = [*extra, *([] if fsync else ["--unsafe-no-fsync"])]
        self.members: list[EtcdMember] = []
        for i in range(members):
            data = self.directory / f"m{i}"
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            argv = etcd_argv(
                self.binary,
                data,
                ports[2 * i],
                ports[2 * i + 1],
                tls=tls,
                name=f"m{i}",
                initial_cluster=peers,
                token=self.directory.name,
                extra=options,
            )
            self.members.append(EtcdMember(f"m{i}", argv, ports[2 * i], self.directory / f"m{i}.log"))

    @property
    def endpoints(self) -> list[str]:
        """Of all members, running or not."""
        return [member.endpoint for member in self.members]

    async def __aenter__(self) -> EmbeddedEtcd:
        """Starts all members and waits until each serves. :raises StoreError: it does not, with its log's last line."""
        try:
            for member in self.members:
                member.start()
            for member in self.members:
                await self.wait_ready(member)
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kills all members and removes a directory of its own."""
        self.close()

    def close(self) -> None:
        """See :meth:`__aexit__`."""
        for member in self.members:
            member.kill()
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    async def wait_ready(self, member: EtcdMember, limit_s: float = 30.0) -> None:
        """Until ``member`` answers a linearizable read (so there is a quorum)."""
        end = time.monotonic() + limit_s
        async with EtcdClient([member.endpoint], self.credentials, deadline_s=0.5) as client:
            while True:
                try:
                    await client.get(b"\0ready")
                    return
                except StoreError as error:
                    if "user name is empty" in str(error) or "permission denied" in str(error):
                        return  # it serves; it only does not know us
                    if not member.running or time.monotonic() > end:
                        raise StoreError(f"etcd does not start: {_last_line(member.log) or error}") from None
                await asyncio.sleep(0.05)

    async def leader(self) -> EtcdMember:
        """The member that leads now. :raises StoreError: none does."""
        for member in self.members:
            if member.running:
                async with EtcdClient([member.endpoint], self.credentials, deadline_s=1.0) as client:
                    status = await client.status()
                    if status.leader == status.member_id:
                        return member
        raise StoreError("no etcd member leads")


def _stands_still(pid: int) -> bool:
    states = [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(state == "T" for state in states)


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:500] if lines else ""
