"""A machine of the colony: what outlives the agents that run on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aware_agent.colony.node import Capabilities, EtcdReport, Report
from aware_agent.simulator.peers import peer_url

if TYPE_CHECKING:
    from aware_agent.simulator.agent import Agent


@dataclass
class Host:
    """One machine: its clock, its connection to etcd, and the agent that runs on it now."""

    id: str
    joined_at: float
    priority: int = 100
    candidate: bool = True
    rate: float = 1.0  # seconds its clock counts per true second
    cut: bool = False  # nothing passes between it and etcd
    slow_watch_s: float = 0.0  # added to every watch delivery
    slow_wire_s: float = 0.0  # added to requests to etcd and to its answers, up to so much to each
    lossy: float = 0.0  # share of answers from etcd that get lost
    deaf: bool = False  # nothing passes between it and other members
    loss: float = 0.0  # share of packets between it and other members that get lost
    serving: bool = True  # its gateway answers
    zone: str = ""
    skew_s: float = 0.0  # how wrong its wall clock is
    council: bool = False  # it has etcd and may have a seat
    powered: bool = True
    etcd_broken: bool = False  # its etcd ends and does not start
    etcd_down_since: float | None = None
    etcd_back: tuple[float, float] | None = None  # when it came back the last time, and since when it had been down
    etcd: int = 0  # the member of etcd whose data it has, 0 for none
    lives: int = 0  # agents started here so far
    agent: Agent | None = None

    def local(self, true: float) -> float:
        """The reading of its clock at a true time."""
        return true * self.rate

    def true(self, local: float) -> float:
        """The true time at which its clock reads ``local``."""
        return local / self.rate

    def runs_etcd(self, member: int) -> bool:
        """Whether that member of etcd runs here now."""
        return self.powered and not self.etcd_broken and self.etcd == member

    @property
    def up(self) -> bool:
        """True if an agent runs here."""
        return self.agent is not None and self.agent.alive

    @property
    def well(self) -> bool:
        """True if an agent runs here and nothing hinders it."""
        agent = self.agent
        busy = agent is not None and agent.loop.busy_s
        hindered = (
            self.cut
            or self.slow_watch_s
            or self.slow_wire_s
            or self.lossy
            or self.deaf
            or self.loss
            or busy
            or not self.powered
        )
        return agent is not None and agent.well and not hindered

    def report(self, leaving: bool) -> Report:
        """The value of its presence key."""
        return Report(
            name=self.id,
            address="",
            url="",
            incarnation=f"{self.id}.{self.lives}",
            joined_at=self.joined_at,
            candidate=self.candidate,
            priority=self.priority,
            leaving=leaving,
            serving=self.serving,
            home=f"/var/lib/{self.id}",
            capabilities=Capabilities(zone=self.zone),
            etcd=EtcdReport(
                version="3.5.21", client_url=f"https://{self.id}:2379", peer_url=peer_url(self.id), free_mib=9000
            )
            if self.council
            else None,
        )
