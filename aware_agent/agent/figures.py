"""What a node counts of itself, as metrics."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping

from aware_agent import __version__
from aware_agent.telemetry import Family, counter, gauge


def node_families(
    *,
    term: int,
    ready: bool,
    uptime_s: float,
    revision: int,
    stale_s: float,
    beacons: Mapping[str, int],
) -> Iterator[Family]:
    """The agent's part of ``/metrics``."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    yield gauge("aware_build_info", "Version of the agent.", 1, version=__version__)
    yield gauge("aware_node_queen", "1 on the node that reigns.", 1 if term else 0)
    yield gauge("aware_node_term", "Term this node reigns under, 0 for a worker.", term)
    yield gauge("aware_node_ready", "1 while the node takes part in the colony.", 1 if ready else 0)
    yield gauge("aware_node_uptime_seconds", "Seconds since the agent started.", round(uptime_s, 3))
    yield gauge("aware_store_revision", "etcd revision this node has seen.", revision)
    yield gauge("aware_store_silence_seconds", "Seconds without contact to etcd, 0 when in contact.", round(stale_s, 3))
    yield counter("process_cpu_seconds_total", "CPU time used.", round(usage.ru_utime + usage.ru_stime, 3))
    yield gauge("process_max_resident_memory_bytes", "Largest resident memory so far.", usage.ru_maxrss * 1024)
    peers = dict(beacons)
    yield gauge("aware_beacon_peers", "Peers heard by beacon.", peers.pop("peers", 0))
    samples = [({"kind": kind}, float(count)) for kind, count in sorted(peers.items())]
    yield Family("aware_beacons_total", "counter", "Beacons by what became of them.", samples)
