"""Judgements over one host: what its clock, disk, network and environment mean for a colony. Pure.

Bounds are those of the parts that suffer: etcd's advice on disks (99 of 100 syncs within 10 ms) and its heartbeat of
100 ms, the 30 s within which a beacon counts, the 1280 bytes every IPv6 link has to carry.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterable, Mapping, Sequence

from aware_agent.colony.finding import Said, doubtful, fine, skipped, wrong

SYNC_GOOD_S, SYNC_BAD_S = 0.010, 0.100
CLOCK_GOOD_S = 2.0  # dates of answers are in whole seconds
ROOM_BAD_MIB, ROOM_WARN_MIB, ROOM_SEAT_MIB = 64, 300, 1024
FEW_INODES = 1000
MTU_LEAST, MTU_USUAL = 1280, 1500
DAY_S = 86400.0
AUTHORITY_WARN_S = 30 * DAY_S
_OTHERS_WRITE = 0o022
_MACHINE_ID = re.compile(r"[0-9a-f]{32}")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_CHRONY = "synchronise the clock of each host, for instance with chrony"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of ``values`` that at least ``share`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def sync_times(times: Sequence[float], *, seat: bool, where: str) -> Said:
    """Seconds that writing a little and waiting for the disk took. ``seat``: etcd's data are or may come there."""
    if not times:
        return skipped(f"no write to {where} was finished in time", "see dmesg: does the disk answer at all?")
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    said = f"{len(times)} synced writes to {where}: median {_ms(p50)}, 99 % within {_ms(p99)}"
    if p99 > SYNC_BAD_S:
        to_do = "give the state directory and etcd a faster disk (SSD, no network file system), or move what loads it"
        return wrong(said, to_do) if seat else doubtful(said, to_do)
    if p99 > SYNC_GOOD_S and seat:
        return doubtful(f"{said}; etcd wants 10 ms", "a disk of its own for etcd; until then expect slower writes")
    return fine(said)


def room(free_mib: int, inodes: int, *, seat: bool, where: str) -> Said:
    """Free space and free inodes (a negative number: the file system has none) of a file system."""
    said = f"{free_mib} MiB are free in {where}"
    if free_mib < ROOM_BAD_MIB:
        return wrong(said, "free some space: below that joins, renewals and etcd fail")
    if 0 <= inodes < FEW_INODES:
        return wrong(f"{inodes} inodes are free in {where}", "remove small files; find which: du --inodes -d2 /")
    least = ROOM_SEAT_MIB if seat else ROOM_WARN_MIB
    if free_mib < least:
        return doubtful(said, f"free some space: {least} MiB leave room for an upgrade" + (" and etcd" * seat))
    return fine(said)


def own_clock(synchronised: bool | None) -> Said:
    """What the kernel says of this host's clock."""
    if synchronised is None:
        return skipped("the kernel does not tell whether the clock is synchronised")
    if synchronised:
        return fine("the kernel says that the clock is synchronised")
    return doubtful("the kernel says that the clock is not synchronised", _CHRONY)


def clocks(ahead: Mapping[str, float], window_s: float) -> Said:
    """How many seconds the clocks of others are ahead of this one, by name; each known to about a second."""
    if not ahead:
        return skipped("nobody answered with the time")
    low, high = min(ahead, key=lambda n: ahead[n]), max(ahead, key=lambda n: ahead[n])
    spread, off = ahead[high] - ahead[low], max((ahead[low], ahead[high]), key=abs)
    apart = f"{high} is {spread:.1f} s ahead of {low}" if spread > CLOCK_GOOD_S else ""
    if apart and spread > window_s:
        return wrong(f"{apart}: beyond {window_s:.0f} s they refuse each other's beacons", _CHRONY)
    if abs(off) > window_s:
        side = "behind" if off > 0 else "ahead of"
        return wrong(
            f"this clock is {abs(off):.1f} s {side} those of {len(ahead)} nodes: above {window_s:.0f} s joins and "
            "certificates fail",
            "synchronise the clock of this host, for instance with chrony",
        )
    if apart:
        return doubtful(apart, _CHRONY)
    if abs(off) > CLOCK_GOOD_S:
        side = "behind" if off > 0 else "ahead of"
        return doubtful(f"this clock is {abs(off):.1f} s {side} those of {len(ahead)} nodes", "synchronise it")
    return fine(f"the clocks of {_many(len(ahead), 'node')} agree with this one within {CLOCK_GOOD_S:g} s")


def umask(mask: int, whose: str) -> Said:
    """The file mode creation mask of a process."""
    said = f"the umask of {whose} is {mask:04o}"
    if mask & _OTHERS_WRITE != _OTHERS_WRITE:
        return doubtful(f"{said}: others may change files it makes", "set it to 0022 or 0077 (UMask=, umask)")
    return fine(said)


def proxies(environment: Mapping[str, str], hosts: Iterable[str], whose: str) -> Said:
    """Proxies in an environment, against the ``hosts`` of the colony. Values are not shown: they may hold passwords."""
    names = [name for name in PROXIES if environment.get(name)]
    if not names:
        return fine(f"the environment of {whose} names no proxy")
    exempt = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    caught = sorted({host for host in hosts if not _exempt(host, exempt)})
    said = f"{', '.join(names)} in the environment of {whose}"
    if caught:
        return doubtful(
            f"{said} would take what goes to {', '.join(caught[:5])}; AWARE itself uses no proxy, "
            "curl, pip and Ansible do",
            f"add them to no_proxy: no_proxy={','.join(caught[:5])}",
        )
    return fine(f"{said}; no_proxy names every host of the colony that is known here")


def _exempt(host: str, exempt: str) -> bool:
    """Whether no_proxy (names, suffixes, networks, ``*``) covers a host."""
    for word in (part.strip().lower() for part in exempt.split(",")):
        name = word.lstrip(".")
        if word == "*" or (name and (host.lower() == name or host.lower().endswith(f".{name}"))):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(word, strict=False):
                return True
        except (ValueError, TypeError):
            continue
    return False


def link_mtu(mtu: int | None, interface: str) -> Said:
    """The largest packet an interface sends whole."""
    if mtu is None:
        return skipped("no interface carries the node's address", "correct address in the settings of the agent")
    said = f"the MTU of {interface} is {mtu}"
    if mtu < MTU_LEAST:
        return wrong(said, f"raise it: every link has to carry {MTU_LEAST} bytes")
    return fine(said)


def path_mtu(segments: Mapping[str, int]) -> Said:
    """The largest TCP segment (bytes) to each peer, as the two ends agreed on it."""
    if not segments:
        return skipped("no peer answered")
    small = {name: size for name, size in segments.items() if size < MTU_LEAST - 60}
    least = min(segments.values())
    if small:
        return doubtful(
            f"TCP sends segments of only {least} bytes to {', '.join(sorted(small)[:5])}",
            "look for a tunnel or VPN with a small MTU on the way",
        )
    return fine(f"TCP sends segments of {least} bytes or more to {_many(len(segments), 'peer')}")


def large_answers(small: bool, large: bool, peer: str) -> Said:
    """Whether a small and a large answer of ``peer`` came: large ones alone get lost where a path's MTU is wrong."""
    if small and large:
        return fine(f"an answer of many packets came from {peer} whole")
    if small:
        return wrong(
            f"{peer} answers, but a large answer got lost on the way",
            "the path has a smaller MTU than its ends: set the MTU of the interfaces to the path's, "
            "and let ICMP 'fragmentation needed' pass",
        )
    return skipped(f"{peer} does not answer")


def names(found: Mapping[str, tuple[tuple[str, ...], str]]) -> Said:
    """Host names with the addresses they resolve to, or why they do not."""
    if not found:
        return fine("no name has to be looked up: all are addresses")
    broken = {name: trouble for name, (_, trouble) in found.items() if trouble}
    if broken:
        first = next(iter(broken))
        return wrong(
            f"{', '.join(sorted(broken)[:5])} cannot be looked up: {broken[first]}",
            "correct the name, or /etc/resolv.conf; or use addresses",
        )
    local = sorted(name for name, (addresses, _) in found.items() if _all_loopback(addresses) and name != "localhost")
    if local:
        return doubtful(
            f"{', '.join(local)} resolves to this machine itself (127.0.0.0/8)", "correct /etc/hosts or the name"
        )
    return fine(f"{_many(len(found), 'name')} can be looked up: {', '.join(sorted(found)[:5])}")


def _all_loopback(addresses: Iterable[str]) -> bool:
    found = list(addresses)
    return bool(found) and all(ipaddress.ip_address(one.partition("%")[0]).is_loopback for one in found)


def machine_id(text: str | None) -> Said:
    """Content of /etc/machine-id; None when there is no such file."""
    if text is None:
        return skipped("this host has no /etc/machine-id")
    if _MACHINE_ID.fullmatch(text.strip()) and set(text.strip()) != {"0"}:
        return fine("/etc/machine-id names this machine")
    return doubtful("/etc/machine-id is empty or no id", "systemd-machine-id-setup makes one")


def certificate(what: str, ends: float, began: float, now: float, *, authority: bool = False) -> Said:
    """A certificate that counts from ``began`` to ``ends`` (Unix seconds); 0: its beginning is not known."""
    left = ends - now
    if left <= 0:
        to_do = "rotate the CAs: aware rotation start" if authority else "start its agent: it renews it by itself"
        return wrong(f"{what} ran out {_span(-left)} ago", f"{to_do}; is the clock right?")
    if began > now:
        return wrong(f"{what} is valid only in {_span(began - now)}", "correct the clock of this host")
    said = f"{what} is good for {_span(left)}"
    if authority and left < AUTHORITY_WARN_S:
        return doubtful(said, "rotate the CAs: aware rotation start")
    if not authority and (left < DAY_S or (began and left < (ends - began) / 4)):
        return doubtful(
            f"{said} and should have been renewed", "see why in the log of its agent: journalctl -u aware-agent"
        )
    return fine(said)


def certificate_names(what: str, has: Iterable[str], needs: Iterable[str]) -> Said:
    """Names and addresses in a certificate against those it is reached by."""
    have = {_canonical(name) for name in has}
    missing = [name for name in needs if _canonical(name) not in have]
    if not missing:
        return fine(f"{what} names what it is reached by")
    return wrong(
        f"{what} does not name {', '.join(missing)}",
        "pin the address and wait for the renewal: aware nodes pin NODE ADDRESS; or correct the URL",
    )


def _canonical(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()


def broadcast(heard: Sequence[str], refused: int, waited_s: float, others: int, port: int) -> Said:
    """Members heard by beacon in ``waited_s``, datagrams that were not the colony's, members known besides this one."""
    if heard:
        return fine(f"beacons of {', '.join(sorted(heard)[:5])} arrive by broadcast")
    if refused:
        return doubtful(
            f"{refused} datagrams came to port {port}, none of this colony",
            "another colony or program uses that port; or this node missed a rotation: see aware rotation status",
        )
    if not others:
        return skipped("this node knows no other member that could be heard")
    return doubtful(
        f"no beacon of {_many(others, 'other member')} came in {waited_s:.0f} s",
        f"let UDP port {port} pass between the nodes; where broadcast cannot reach, name gateways in discovery.seeds",
    )


def _span(seconds: float) -> str:
    for size, unit in ((DAY_S, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
