"""etcd in memory: the same semantics in one process, for the simulator and for tests.

``tests/store/test_conformance.py`` runs the same operations against it and against a real etcd.
"""

from aware_agent.store.memory.client import MemoryStore
from aware_agent.store.memory.etcd import MemoryEtcd

__all__ = ["MemoryEtcd", "MemoryStore"]
