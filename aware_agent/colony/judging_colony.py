"""Judgements over a whole colony, from what its gateway and its nodes say of it. Pure.

Documents come from others: whatever lacks a field or has another kind of value is left out of the judgement.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aware_agent.colony.finding import Said, doubtful, fine, skipped, wrong
from aware_agent.colony.judging_host import percentile

READ_GOOD_S, READ_BAD_S = 0.050, 0.500
_SHOWN = 5
_GONE = ("left", "away")
Node = Mapping[str, Any]


def health(cluster: Mapping[str, Any]) -> Said:
    """What the gateway says of the colony as a whole."""
    status, reason = str(cluster.get("status")), str(cluster.get("reason") or "")
    said = f"the colony is {status}" + (f": {reason}" if reason else "")
    if cluster.get("queen") is None:
        return wrong("the colony has no queen", "aware explain says who waits for what")
    if status == "healthy":
        return fine(said)
    if status == "forming":
        return doubtful(said, "start the agents that are missing, or correct size in the spec: aware spec show")
    return doubtful(said, "see each node: aware nodes list; and what happened: aware events")


def readiness(ready: Mapping[str, str]) -> Said:
    """Nodes by name, each with why it is not ready; "" for one that is."""
    if not ready:
        return skipped("no node answered")
    late = {name: reason for name, reason in ready.items() if reason}
    if late:
        first = sorted(late)[0]
        return wrong(
            f"{_some(late)} not ready ({first}: {late[first]})",
            f"what {first} is doing: aware nodes diagnostics {first}",
        )
    return fine(f"{_many(len(ready), 'node')} say that they are ready")


def reachable(silent: Mapping[str, str], asked: int) -> Said:
    """Nodes whose gateway cannot be reached from here, each with the reason."""
    if not asked:
        return skipped("no node tells an address of its gateway")
    if not silent:
        return fine(f"the gateways of {_many(asked, 'node')} can be reached from here")
    first = sorted(silent)[0]
    return doubtful(
        f"{_some(silent)} cannot be reached from here ({first}: {silent[first]})",
        "start their agents, or let the gateway's port pass on the way",
    )


def duplicates(nodes: Sequence[Node], machines: Mapping[str, str]) -> list[Said]:
    """Names, addresses and machine ids that several nodes have. ``machines``: a mark of the machine id by node name."""
    present = [node for node in nodes if node.get("status") not in _GONE and isinstance(node.get("name"), str)]
    said = []
    for what, key, to_do in (
        ("the gateway address", "url", "give each agent its own address or gateway.port"),
        ("the name", "name", "remove one: aware nodes remove"),
    ):
        said += [
            wrong(f"{' and '.join(names)} have {what} {value}", to_do)
            for value, names in _shared((str(node.get(key) or "").lower(), str(node["name"])) for node in present)
        ]
    address = {str(node["name"]): str(node.get("address") or "") for node in present}
    for _, names in _shared((mark, name) for name, mark in machines.items() if mark):
        if len({address.get(name, "") for name in names}) > 1:  # agents side by side on one machine share its address
            said.append(
                doubtful(
                    f"{' and '.join(names)} have one machine id at different addresses: a cloned image",
                    "DHCP and journals take them for one machine: empty /etc/machine-id of the image and reboot",
                )
            )
    about = "names and addresses" if not machines else "names, addresses and machine ids"
    return said or [fine(f"{about} of {_many(len(present), 'node')} are each there once")]


def versions(nodes: Sequence[Node], own: str) -> Said:
    """Releases of the agents against each other and against this command line's."""
    running: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        if node.get("status") not in _GONE and node.get("version"):
            running[str(node["version"])].append(str(node.get("name")))
    if not running:
        return skipped("no node tells its version")
    if len(running) > 1:
        told = "; ".join(f"{version}: {_some(names)}" for version, names in sorted(running.items()))
        return doubtful(f"agents of {len(running)} versions run ({told})", "bring all to one: playbooks/upgrade.yml")
    (version,) = running
    if version != own:
        return doubtful(f"all agents run {version}, this command is of {own}", f"install aware-agent {version} here")
    return fine(f"all agents and this command are of version {version}")


def council(members: Mapping[str, Any], nodes: Sequence[Node]) -> Said:
    """The members of etcd, as the queen keeps them."""
    if members.get("wanted") is None:
        return skipped("etcd is its operators' own here: the queen does not keep it")
    seats = [seat for seat in members.get("members") or () if isinstance(seat, Mapping)]
    if members.get("trouble"):
        return wrong(str(members["trouble"]), "see the members: aware council list; and docs/council.md")
    sick = [str(seat.get("name")) for seat in seats if not seat.get("healthy", True)]
    if sick:
        return wrong(
            f"the etcd of {_some(sick)} does not answer", "start those hosts; the queen replaces what stays away"
        )
    voters = [seat for seat in seats if not seat.get("learner")]
    size = members["wanted"].get("size") if isinstance(members["wanted"], Mapping) else None
    if len(voters) != len(seats) or (isinstance(size, int) and len(voters) != size):
        doing = str(members.get("message") or "the queen has not said what she does about it")
        return doubtful(f"{len(voters)} of {size} seats are taken: {doing}", "wait for it: aware council list")
    return _spread(voters, nodes)


def _spread(voters: Sequence[Mapping[str, Any]], nodes: Sequence[Node]) -> Said:
    """Whether losing one host or one zone loses the colony."""
    if len(voters) == 1:
        return doubtful("one member carries the colony: losing it loses the colony", "raise council.size to 3")
    zone = {node.get("id"): (node.get("capabilities") or {}).get("zone") for node in nodes}
    zones = {zone.get(seat.get("node")) for seat in voters} - {None, ""}
    everywhere = {found for found in zone.values() if found}
    if len(zones) == 1 < len(everywhere):
        return doubtful(
            f"all {len(voters)} members are in zone {next(iter(zones))}, although nodes are in {len(everywhere)} zones",
            "let nodes of other zones into the council: join tokens with --eligible",
        )
    return fine(f"{_many(len(voters), 'member')} of etcd are healthy")


def store(states: Mapping[str, Mapping[str, Any]]) -> Said:
    """How etcd is, as each council member sees it, by name."""
    if not states:
        return skipped("no council member answered")
    troubled = {
        name: str(state.get("detail") or state["trouble"]) for name, state in states.items() if state.get("trouble")
    }
    if not troubled:
        return fine(f"{_many(len(states), 'council member')} reach etcd, which has a majority and no alarm")
    first = sorted(troubled)[0]
    hint = str(states[first].get("hint") or "see docs/council.md")
    return wrong(f"{troubled[first]} (says {_some(troubled)})", hint)


def reads(times: Sequence[float], where: str) -> Said:
    """Seconds that reads confirmed by a majority took."""
    if not times:
        return skipped(f"{where} answered no read in time")
    p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
    said = f"{len(times)} reads that a majority confirmed: median {p50 * 1000:.1f} ms, slowest {p99 * 1000:.1f} ms"
    if p99 > READ_BAD_S:
        return wrong(said, "etcd or the network between its members is overloaded: elections may follow")
    if p99 > READ_GOOD_S:
        return doubtful(said, "see the disk and the load of etcd's hosts; members far apart are slow for every write")
    return fine(said)


def _shared(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Values that more than one name has."""
    found: dict[str, list[str]] = defaultdict(list)
    for value, name in pairs:
        if value:
            found[value].append(name)
    return [(value, sorted(names)) for value, names in sorted(found.items()) if len(names) > 1]


def _some(names: Iterable[str]) -> str:
    known = sorted(names)
    return ", ".join(known[:_SHOWN]) + (f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
