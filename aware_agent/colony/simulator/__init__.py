"""A whole colony in virtual time: the election as the daemon drives it, against a simulated etcd, with seeded faults.

Everything follows from the seed; a run that breaks a rule is replayed by naming it. Still pure: the only randomness
is a generator made from the seed, the only clock is :class:`clock.Queue`.
"""

from aware_agent.colony.simulator.checker import Broken
from aware_agent.colony.simulator.run import Report, Settings, simulate
from aware_agent.colony.simulator.world import World

__all__ = ["Broken", "Report", "Settings", "World", "simulate"]
