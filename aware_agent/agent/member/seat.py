"""This node's seat: what the queen tells it about etcd, carried out for the life of the agent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from aware_agent.agent.settings import Settings
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.colony.errors import AwareError
from aware_agent.colony.node import EtcdReport
from aware_agent.colony.seats import CouncilRecord, SeatRecord

if TYPE_CHECKING:
    from aware_agent.agent.member.etcd_home import EtcdPair, EtcdPlan
    from aware_agent.agent.member.etcd_unit import EtcdUnit

log = logging.getLogger(__name__)

RETRY_S = 5.0


class EtcdSeat:
    """etcd on this node. :meth:`tell` what the colony says whenever it changes; :meth:`run` carries it out."""

    def __init__(self, settings: Settings, state_dir: StateDir, node: str, unit: EtcdUnit) -> None:
        from aware_agent.agent.member.etcd_follower import EtcdFollower

        self.offered: EtcdReport | None = None
        self.changed: Callable[[], None] = _nobody  # called when :attr:`offer` says something else
        self.follower = EtcdFollower(node, state_dir, unit, self._changed)
        self.follower.council = lambda: self._told[1]
        self._settings = settings
        self._state_dir = state_dir
        self._node = node
        self._unit = unit
        self._told: tuple[SeatRecord | None, CouncilRecord | None] = (None, None)
        self._news = asyncio.Event()

    @property
    def offer(self) -> EtcdReport | None:
        """What this node tells the others: what it could do, and which CAs its etcd believes."""
        return replace(self.offered, believes=self.follower.believes()) if self.offered else None

    def post(self, seat: SeatRecord | None, council: CouncilRecord | None) -> None:
        """What etcd says of this node's seat, and who the members are."""
        if (seat, council) != self._told:
            self._told = seat, council
            self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._apply(*self._told)
            except AwareError as error:
                log.error("the seat in the council is not taken: %s", error)
                await asyncio.sleep(RETRY_S)
                self._news.set()

    def pair(self) -> EtcdPair | None:
        """What etcd shows and believes; None before the join."""
        from aware_agent.agent.member.etcd_access import etcd_pair

        state = self._state_dir.load()
        return etcd_pair(state) if state and state.council else None

    async def _apply(self, seat: SeatRecord | None, council: CouncilRecord | None) -> None:
        plan, pair = self._unit.home.plan(), self.pair()
        if seat is not None and pair is not None:
            await self._take(seat, plan, pair)
        elif plan is not None and council is not None and self._node not in {one.node for one in council.seats}:
            # Not when only the word about the seat is missing: the member list decides, or a founder's data would go.
            await self._unit.leave()

    async def _take(self, seat: SeatRecord, plan: EtcdPlan | None, pair: EtcdPair) -> None:
        if plan is not None and plan.member in (0, seat.member):
            if not plan.member:  # it began here, and learns only now which member it is
                self._unit.home.adopt(replace(plan, member=seat.member))
            return
        log.info("this node has a seat in the council: starting etcd")
        await self._unit.run(self._plan(seat), pair)

    def _changed(self) -> None:
        self.changed()

    def _plan(self, seat: SeatRecord) -> EtcdPlan:
        from aware_agent.agent.member.etcd_home import EtcdPlan

        return EtcdPlan(
            name=self._node,
            client_url=self._settings.own_url(self._settings.council.client_port),
            peer_url=self._settings.own_url(self._settings.council.peer_port),
            peers=seat.peers,
            token=self._settings.colony,
            joins=True,
            member=seat.member,
        )


@contextlib.asynccontextmanager
async def open_seat(settings: Settings, state_dir: StateDir, state: NodeState) -> AsyncIterator[EtcdSeat | None]:
    """Run etcd as long as the block lives, when this node has a seat. None, and nothing is loaded, for a worker."""
    if not (settings.runs_etcd and state.membership.whole):
        yield None
        return
    from aware_agent.agent.member.etcd_unit import EtcdUnit

    unit = EtcdUnit(
        Path(settings.state_dir),
        production=settings.store.production,
        systemd=settings.council.etcd == "systemd",
        quota_mib=settings.council.quota_mib,
    )
    seat = EtcdSeat(settings, state_dir, state.identity.id, unit)
    seat.offered = await asyncio.to_thread(_offer, settings, unit)
    pair = seat.pair()
    if pair is not None:
        await unit.resume(pair)
    following = asyncio.create_task(seat.follower.run(), name="etcd-certificates")
    try:
        yield seat
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await unit.close()


def _nobody() -> None:
    """Nobody wants to know."""


def _offer(settings: Settings, unit: EtcdUnit) -> EtcdReport | None:
    """What this node has for a seat; None, and one line, when it has no etcd that may carry a colony."""
    from aware_agent.store.etcd_binary import find_etcd
    from aware_agent.store.version import gate

    try:
        binary = find_etcd()
        gate(binary.version, settings.store.production)
    except AwareError as error:
        log.warning("this node cannot take a seat in the council: %s", error)
        return None
    return EtcdReport(
        version=binary.version,
        client_url=settings.own_url(settings.council.client_port),
        peer_url=settings.own_url(settings.council.peer_port),
        free_mib=unit.home.free_mib(),
        quota_mib=settings.council.quota_mib,
    )
