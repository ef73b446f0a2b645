"""What a node counts of itself, as metrics."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator, Mapping
from pathlib import Path

from aware_agent import __version__
from aware_agent.telemetry import Family, counter, gauge


def node_families(
    *,
    term: int,
    colony_term: int,
    ready: bool,
    uptime_s: float,
    revision: int | None,
    stale_s: float | None,
    beacons: Mapping[str, int],
    certificates: Mapping[str, float],
    state_dir: Path,
    channels: Mapping[str, int],
    held: Mapping[str, int],
) -> Iterator[Family]:
    """The agent's part of ``/metrics``."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    yield gauge("aware_build_info", "Version of the agent.", 1, version=__version__)
    yield gauge("aware_node_queen", "1 on the node that reigns.", 1 if term else 0)
    yield gauge("aware_node_term", "Term this node reigns under, 0 for a worker.", term)
    yield gauge("aware_colony_term", "Term of the queen this node knows of, 0 when it knows none.", colony_term)
    yield gauge("aware_node_ready", "1 while the node takes part in the colony.", 1 if ready else 0)
    yield gauge("aware_node_uptime_seconds", "Seconds since the agent started.", round(uptime_s, 3))
    if revision is not None and stale_s is not None:  # a worker has nothing to do with etcd
        yield gauge("aware_store_revision", "etcd revision this node has seen.", revision)
        text = "Seconds without contact to etcd, 0 when in contact."
        yield gauge("aware_store_silence_seconds", text, round(stale_s, 3))
    yield counter("process_cpu_seconds_total", "CPU time used.", round(usage.ru_utime + usage.ru_stime, 3))
    yield gauge("process_max_resident_memory_bytes", "Largest resident memory so far.", usage.ru_maxrss * 1024)
    peers = dict(beacons)
    yield gauge("aware_beacon_peers", "Peers heard by beacon.", peers.pop("peers", 0))
    samples = [({"kind": kind}, float(count)) for kind, count in sorted(peers.items())]
    yield Family("aware_beacons_total", "counter", "Beacons by what became of them.", samples)
    yield Family(
        "aware_certificate_expiry_timestamp_seconds",
        "gauge",
        "When a certificate this node uses runs out, Unix time.",
        [({"certificate": name}, end) for name, end in sorted(certificates.items())],
    )
    yield _channels(channels, held)
    yield from _disk(state_dir)


def _channels(own: Mapping[str, int], held: Mapping[str, int]) -> Family:
    samples = [
        ({"end": end, "state": state}, float(count))
        for end, states in (("node", own), ("member", held))
        for state, count in sorted(states.items())
    ]
    text = "Channels by state: this node's own to queen and heir (node), and those of others that end here (member)."
    return Family("aware_channels", "gauge", text, samples)


def _disk(state_dir: Path) -> Iterator[Family]:
    """Room where the node keeps its identity; nothing when the file system does not answer."""
    with contextlib.suppress(OSError):
        disk = os.statvfs(state_dir)
        yield gauge("aware_state_disk_size_bytes", "Size of the disk with the state.", disk.f_blocks * disk.f_frsize)
        yield gauge("aware_state_disk_free_bytes", "Room the agent can use there.", disk.f_bavail * disk.f_frsize)
