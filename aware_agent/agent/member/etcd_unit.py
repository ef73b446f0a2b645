"""etcd on this node, whatever its seat is: begins, goes on after a restart of the agent, and ends."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from aware_agent.agent.member.etcd_child import ChildEtcd
from aware_agent.agent.member.etcd_files import SharedFiles
from aware_agent.agent.member.etcd_home import EtcdHome, EtcdPair, EtcdPlan, check_startable
from aware_agent.agent.member.etcd_systemd import HOME, SystemdEtcd
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.errors import StoreError, StoreRefused, StoreUnreachable
from aware_agent.store.etcd_binary import find_etcd
from aware_agent.store.members import Members

log = logging.getLogger(__name__)

READY_S = 60.0
_AGAIN_S = 0.2


class EtcdServer(Protocol):
    """Who runs the process: the agent itself, or systemd."""

    @property
    def problem(self) -> str:
        """Why it does not run, one sentence; empty while it does."""
        ...

    @property
    def believes(self) -> bytes:
        """The CAs it read when it started, PEM; empty while it does not run."""
        ...

    async def start(self, *, anew: bool) -> None:
        """Keep it running, with its files as they are; ``anew``: end what runs first."""
        ...

    async def stop(self) -> None:
        """End it, and return when it is gone."""
        ...

    async def close(self) -> None:
        """The agent ends: what becomes of etcd then is the way it is run."""
        ...


class EtcdUnit:
    """Owns the directory of etcd and its process. ``production``: refuse releases known to lose data.

    ``systemd``: the directory is /var/lib/aware-etcd and systemd runs etcd; else it is ``etcd/`` in the state directory
    and etcd is a child of this process. ``quota_mib``: how large its file may be; None: as before.
    """

    def __init__(
        self, state_dir: Path, *, production: bool, systemd: bool = False, quota_mib: int | None = None
    ) -> None:
        self.home = EtcdHome(HOME, SharedFiles()) if systemd else EtcdHome(state_dir / "etcd")
        self._production = production
        self._systemd = systemd
        self._quota_mib = quota_mib
        self._server: EtcdServer | None = None

    @property
    def problem(self) -> str:
        """Why it does not run, one sentence."""
        return self._server.problem if self._server else ""

    async def run(self, plan: EtcdPlan, pair: EtcdPair, *, force_new: bool = False) -> None:
        """Have it run as ``plan`` says, from now on; see :mod:`recover` for ``force_new``.

        Raises StoreError, StateUnusable, DiskFull.
        """
        if self._quota_mib is not None:
            plan = replace(plan, quota_mib=self._quota_mib)
        changed = self.home.install(plan, pair, force_new=force_new)
        if self._server is not None:
            if changed:
                await self._server.start(anew=True)
            return
        # Certificates are read at each handshake: an etcd that outlived the agent is left alone.
        self._server = self._make_server()
        await self._server.start(anew=False)

    async def resume(self, pair: EtcdPair) -> bool:
        """Go on as before the agent's restart; false when this node has no seat."""
        plan = self.home.plan()
        if plan is None:
            return False
        await self.run(plan, pair)
        return True

    def give(self, pair: EtcdPair) -> None:
        """Put this node's newest certificate into its files: etcd reads it at each handshake. CAs wait for a start."""
        plan = self.home.plan()
        if plan is not None:
            self.home.install(plan, pair)

    @property
    def believes(self) -> bytes:
        """The CAs that the running process believes, PEM; empty when none runs."""
        return self._server.believes if self._server else b""

    @property
    def outdated(self) -> bool:
        """Whether it runs and believes other CAs than its files say."""
        return bool(self.believes) and self.believes != self.home.bundle()

    async def restart(self, credentials: Credentials) -> None:
        """Start it anew with its files as they are, and return when it serves. Raises StoreUnreachable."""
        if self._server is not None:
            await self._server.start(anew=True)
            await self.wait_ready(credentials)

    async def stop(self) -> None:
        """End the process; the seat stays."""
        server, self._server = self._server, None
        if server is None and self._systemd:
            server = self._make_server()  # it may run all the same: it outlives agents
        if server is not None:
            await server.stop()

    async def close(self) -> None:
        """The agent ends. A child ends with it; under systemd etcd goes on."""
        if self._server is not None:
            await self._server.close()
            self._server = None

    async def leave(self) -> None:
        """The seat is gone: end it, and move its data aside."""
        await self.stop()
        if self.home.retire():
            log.info("this node has no seat any more: etcd is stopped, its data moved aside")

    async def wait_ready(self, credentials: Credentials, limit_s: float = READY_S) -> None:
        """Until it serves. Raises StoreUnreachable with what kept it from starting."""
        plan = self.home.plan()
        assert plan is not None
        end = time.monotonic() + limit_s
        async with EtcdClient([plan.client_url], credentials, timeout_s=1.0, deadline_s=1.0) as client:
            while True:
                try:
                    await client.get(b"\0ready")
                    return
                except StoreRefused:
                    return  # it serves; this key is only none of ours
                except StoreError as error:
                    if time.monotonic() >= end:
                        raise StoreUnreachable(self.problem or error.message) from None
                await asyncio.sleep(_AGAIN_S)

    async def learn_id(self, credentials: Credentials) -> None:
        """One that began here asks which member it became, so that its data is known as that member's."""
        plan = self.home.plan()
        if plan is None or plan.member:
            return
        members = Members([plan.client_url], lambda: credentials)
        try:
            mine = next((m.id for m in await members.list() if m.name == plan.name), 0)
        finally:
            await members.aclose()
        if mine:
            self.home.adopt(replace(plan, member=mine))

    def _make_server(self) -> EtcdServer:
        if self._systemd:
            return SystemdEtcd(self.home, check=self._check)
        return ChildEtcd(self.home, find_etcd(), check=self._check)

    def _check(self) -> None:
        plan = self.home.plan()
        if plan is not None:
            for warning in check_startable(self.home, plan, find_etcd(), production=self._production):
                log.warning("%s", warning)
