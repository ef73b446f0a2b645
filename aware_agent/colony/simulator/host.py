"""A machine of the colony: what outlives the agents that run on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aware_agent.colony.node import Report

if TYPE_CHECKING:
    from aware_agent.colony.simulator.agent import Agent


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
    lossy: float = 0.0  # share of answers from etcd that get lost
    lives: int = 0  # agents started here so far
    agent: Agent | None = None

    def local(self, true: float) -> float:
        """The reading of its clock at a true time."""
        return true * self.rate

    def true(self, local: float) -> float:
        """The true time at which its clock reads ``local``."""
        return local / self.rate

    @property
    def up(self) -> bool:
        """True if an agent runs here."""
        return self.agent is not None and self.agent.alive

    @property
    def well(self) -> bool:
        """True if an agent runs here and nothing hinders it."""
        agent = self.agent
        return agent is not None and agent.well and not self.cut and not self.slow_watch_s and not self.lossy

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
        )
