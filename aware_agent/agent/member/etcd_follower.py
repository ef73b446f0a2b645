"""Keeps etcd on this node at the certificates of now: the newest in its files, and a restart when the CAs change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence

from aware_agent.agent.member.etcd_access import etcd_credentials, etcd_pair
from aware_agent.agent.member.etcd_unit import EtcdUnit
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.colony.errors import AwareError
from aware_agent.colony.etcd_restart import Believer, waits_for
from aware_agent.colony.node import Report
from aware_agent.colony.seats import CouncilRecord, Seat
from aware_agent.security.keyring import fingerprint
from aware_agent.store.members import Members, PeerEntry

log = logging.getLogger(__name__)

LOOK_S = 30.0  # when nobody says that there is something new
TURN_S = 1.0  # between two looks whether it is this member's turn


class EtcdFollower:
    """For the life of the agent. ``told`` is called when what :meth:`believes` says has changed."""

    def __init__(self, node: str, state_dir: StateDir, unit: EtcdUnit, told: Callable[[], None]) -> None:
        self.reports: Callable[[], Mapping[str, Report]] = dict  # of the members that are here
        self.council: Callable[[], CouncilRecord | None] = lambda: None
        self._node, self._state_dir, self._unit, self._told = node, state_dir, unit, told
        self._renewed = asyncio.Event()
        self._waiting = ""
        self._said = ""  # what it believed when that was told last

    def believes(self) -> str:
        """Fingerprint of the CAs that etcd here believes; empty while it does not run."""
        return fingerprint(self._unit.believes) if self._unit.believes else ""

    def renewed(self) -> None:
        """There are other certificates in the state directory."""
        self._renewed.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                late = await self._follow()
            except (AwareError, OSError) as error:
                log.warning("etcd does not get its certificates: %s", error)
                late = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TURN_S if late else LOOK_S):
                    await self._renewed.wait()
            self._renewed.clear()

    async def _follow(self) -> bool:
        """Write what is new; restart etcd when it has to and may. Returns whether it still has to."""
        state = self._state_dir.load()
        if state is None or state.council is None:
            return False
        self._unit.give(etcd_pair(state))
        if self._unit.outdated and not await self._wait_for(state):
            log.info("etcd restarts here to believe the council CAs of now")
            await self._unit.restart(etcd_credentials(state))
        if self.believes() != self._said:  # also when it was a new seat that started etcd
            self._said = self.believes()
            self._told()
        return self._unit.outdated

    async def _wait_for(self, state: NodeState) -> bool:
        """Whether another member has to be waited for; says so once."""
        council = self.council()
        voters = [seat for seat in council.seats if seat.node and not seat.learner] if council else []
        assert state.council is not None
        waiting = waits_for(self._node, await self._believers(voters, state), fingerprint(state.council.ca))
        if waiting and waiting != self._waiting:
            log.info("etcd has to restart here and waits for %s", waiting)
        self._waiting = waiting
        return bool(waiting)

    async def _believers(self, voters: Sequence[Seat], state: NodeState) -> list[Believer]:
        """All voters as they are at this moment."""
        credentials, reports = etcd_credentials(state), self.reports()
        members = Members([seat.endpoint for seat in voters] or ["none:1"], lambda: credentials)
        try:
            asked = [PeerEntry(id=seat.member, client_urls=(f"https://{seat.endpoint}",)) for seat in voters]
            said = await asyncio.gather(*(members.status(entry) for entry in asked))
        finally:
            await members.aclose()
        return [
            Believer(
                node=seat.node,
                healthy=status is not None and bool(status.leader),
                believes=_believed(reports.get(seat.node)),
            )
            for seat, status in zip(voters, said, strict=True)
        ]


def _believed(report: Report | None) -> str:
    return report.etcd.believes if report is not None and report.etcd is not None else ""
