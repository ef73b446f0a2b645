"""A whole colony in virtual time: the agent's own drivers of the election over the etcd in memory, with seeded faults.

Everything follows from the seed; a run that breaks a rule is replayed by naming it. What counts is drawn from a
generator made of the seed, and the only clock is :class:`clock.Queue`. (Ids of events are random all the same; nothing
depends on them.)
"""

from aware_agent.simulator.checker import Broken
from aware_agent.simulator.run import Report, Settings, simulate
from aware_agent.simulator.world import World

__all__ = ["Broken", "Report", "Settings", "World", "simulate"]
