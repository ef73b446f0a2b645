"""Checks of a whole colony, from what its gateway says and from one look at every node."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from aware_agent import __version__
from aware_agent.cli.context import Context
from aware_agent.cli.doctor_controller import certificate
from aware_agent.cli.doctor_look import Look, look
from aware_agent.cli.doctor_run import Check, Once, Skip, at_once
from aware_agent.cli.node_argument import node_path
from aware_agent.colony import judging_colony as judge
from aware_agent.colony import judging_host
from aware_agent.colony.errors import AwareError
from aware_agent.colony.finding import Said, doubtful, fine, skipped, wrong
from aware_agent.colony.urls import origin
from aware_agent.discovery.replay import WINDOW_S

MOST_NODES = 200  # looked at; of a larger colony these are enough to see what is wrong
MOST_ORDERS = 64
_GONE = ("left", "away")
_ASK = ("nodes were not asked for their own view of their hosts", "aware doctor colony --ask-nodes, as admin")


class Documents(NamedTuple):
    """What the gateway says."""

    cluster: dict[str, Any]
    nodes: list[dict[str, Any]]
    council: dict[str, Any]


class Colony:
    """What the checks look at. ``ask_nodes``: also have every node tell of its host, which is an event for each."""

    def __init__(self, context: Context, *, ask_nodes: bool = False) -> None:
        self.context, self.ask_nodes = context, ask_nodes
        self.documents = Once(self._read)
        self.looks = Once(self._look)
        self.hosts = Once(self._ask)

    def said(self) -> Documents:
        """What the gateway says. Raises Skip when it says nothing: one check tells why."""
        try:
            return self.documents()
        except AwareError:
            raise Skip("nothing could be read from the gateway: see gateway") from None

    def nodes(self) -> list[dict[str, Any]]:
        """Nodes that did not leave, each with a name and the URL of its gateway ("" if it has none)."""
        return [node for node in self.said().nodes if node.get("status") not in _GONE]

    def answering(self) -> dict[str, Look]:
        """Looks at nodes that answered, by name. Raises Skip when there are none."""
        found = {name: one for name, one in self.looks().items() if not one.trouble}
        if not found:
            raise Skip("no node of the colony answered a direct question")
        return found

    def told(self) -> dict[str, dict[str, Any]]:
        """What nodes told of themselves, if they were asked and could be."""
        if not self.ask_nodes:
            return {}
        try:
            return self.hosts()
        except (AwareError, Skip):
            return {}

    def _read(self) -> Documents:
        from aware_agent.cli.client import Gateway

        with Gateway(self.context, deadline_s=6.0) as client:
            cluster = client.get("/v1/cluster").data
            nodes = client.get("/v1/nodes").data
            council = client.get("/v1/council/members").data
        found = nodes.get("nodes") if isinstance(nodes, dict) else None
        whole = [node for node in found or () if isinstance(node, dict) and isinstance(node.get("name"), str)]
        return Documents(
            cluster if isinstance(cluster, dict) else {}, whole, council if isinstance(council, dict) else {}
        )

    def _look(self) -> dict[str, Look]:
        from aware_agent.cli.verified import Verifier

        verifier = Verifier(self.context)
        if not verifier.name:
            raise Skip("the context names no CA file of the colony, which the nodes' certificates are verified with")
        tls = verifier.stranger()
        urls = {str(node["name"]): origin(str(node.get("url") or "")) for node in self.nodes()[:MOST_NODES]}
        asked = {name: url for name, url in urls.items() if url}
        found = at_once(asked, lambda name: look(asked[name] or "", tls), limit_s=12.0, width=32)
        return {name: found.get(name, Look(trouble="it does not answer in time")) for name in asked}

    def _ask(self) -> dict[str, dict[str, Any]]:
        from aware_agent.cli.client import Gateway

        if not self.ask_nodes:
            raise Skip(*_ASK)
        names = [str(node["name"]) for node in self.nodes() if node.get("status") == "ready"][:MOST_ORDERS]
        with Gateway(self.context, deadline_s=6.0) as client:
            found = at_once(names, lambda name: diagnostics(client, name), limit_s=20.0, width=4)
        return {name: answer for name in names if (answer := found.get(name, {"trouble": "it did not answer in time"}))}


def diagnostics(client: Any, name: str) -> dict[str, Any]:
    """What a node tells of itself when it is ordered to; ``{"trouble": why}`` when it does not. Raises nothing."""
    try:
        data = client.request("POST", node_path(name, "commands"), body={"command": {"type": "diagnostics"}}).data
    except AwareError as error:
        return {"trouble": error.message}
    answer = data.get("answer") if isinstance(data, dict) else None
    return answer if isinstance(answer, dict) else {"trouble": "its answer is not that of this version of AWARE"}


def check_gateway(sight: Colony) -> Said:
    """What the gateway says of the colony; the only check that tells why it says nothing."""
    return judge.health(sight.documents().cluster)


def check_ports(sight: Colony) -> Said:
    """Whether every node's gateway can be reached from here."""
    looks = sight.looks()
    return judge.reachable({name: one.trouble for name, one in looks.items() if one.trouble}, len(looks))


def check_readiness(sight: Colony) -> Said:
    """Whether every node that answers says that it does its work."""
    return judge.readiness({name: one.ready for name, one in sight.answering().items()})


def check_council(sight: Colony) -> Said:
    """The members of etcd and their seats."""
    return judge.council(sight.said().council, sight.nodes())


def check_etcd(sight: Colony) -> Said:
    """How etcd is, as each council member sees it."""
    return judge.store({name: one.page["store"] for name, one in sight.answering().items() if one.page.get("store")})


def check_clock(sight: Colony) -> Said:
    """The clocks of all nodes against this machine's and each other."""
    ahead = {name: one.ahead_s for name, one in sight.answering().items() if one.ahead_s is not None}
    return judging_host.clocks(ahead, WINDOW_S)


def check_certificates(sight: Colony) -> list[Said]:
    """Whether the certificates of all nodes count and name them."""
    address = {str(node["name"]): str(node.get("address") or "") for node in sight.nodes()}
    found = sight.answering()
    said = [one for name, shown in found.items() for one in certificate(name, shown, address.get(name, ""))]
    bad = [one for one in said if one.to_do]
    return bad or [fine(f"the certificates of {_many(len(found), 'node')} count and name them")]


def check_versions(sight: Colony) -> Said:
    """Releases of the agents."""
    return judge.versions(sight.nodes(), __version__)


def check_duplicates(sight: Colony) -> list[Said]:
    """Whether names, addresses and machine ids are each there once."""
    try:
        machines = {name: str(host.get("machine") or "") for name, host in _hosts(sight).items()}
    except Skip:
        machines = {}
    return judge.duplicates(sight.nodes(), machines)


def check_hosts(sight: Colony) -> list[Said]:
    """What every node tells of its own host: room, umask, MTU, proxies."""
    found = _hosts(sight)
    said = [one for name, host in found.items() for one in _host(name, host)]
    said += [
        doubtful(f"{name} was asked and told nothing: {answer['trouble']}", "its log says more; only an admin may ask")
        for name, answer in sight.hosts().items()
        if "trouble" in answer
    ]
    return said or [fine(f"{_many(len(found), 'node')} have room, and no umask, MTU or proxy that gets in the way")]


def _hosts(sight: Colony) -> dict[str, dict[str, Any]]:
    return {name: answer["host"] for name, answer in sight.hosts().items() if isinstance(answer.get("host"), dict)}


def _host(name: str, host: dict[str, Any]) -> list[Said]:
    """What is wrong with one; what it says of itself may be anything."""
    said = []
    free, inodes, mtu, umask = (host.get(key) for key in ("free_mib", "free_inodes", "mtu", "umask"))
    if isinstance(free, int) and isinstance(inodes, int):
        said.append(judging_host.room(free, inodes, seat=False, where=f"the state directory of {name}"))
    if isinstance(mtu, int):
        said.append(judging_host.link_mtu(mtu, f"{host.get('interface')} of {name}"))
    if isinstance(umask, str) and re.fullmatch("[0-7]{1,4}", umask):
        said.append(judging_host.umask(int(umask, 8), f"the agent of {name}"))
    proxies = host.get("proxies")
    if isinstance(proxies, list) and any(str(one).lower() != "no_proxy" for one in proxies):
        said.append(
            doubtful(
                f"the agent of {name} has {', '.join(map(str, proxies))} in its environment",
                "AWARE uses no proxy between nodes; set aware_proxy_env, which only its helpers use",
            )
        )
    return [one for one in said if one.to_do]


def check_mtu(sight: Colony) -> list[Said]:
    """Whether full packets reach every node, and all nodes send packets of one size."""
    segments = {name: one.segment for name, one in sight.answering().items() if one.segment is not None}
    said = [judging_host.path_mtu(segments)]
    try:
        sizes = {name: host["mtu"] for name, host in _hosts(sight).items() if isinstance(host.get("mtu"), int)}
    except Skip as skip:
        return [*said, skip.said]
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name}: {size}" for name, size in sorted(sizes.items())[:6])
        said.append(doubtful(f"nodes have interfaces of different MTU ({told})", "one MTU on all hosts of one network"))
    return said


def check_size(sight: Colony) -> Said:
    """Whether all nodes were looked at."""
    number = len(sight.nodes())
    if number > MOST_NODES:
        return skipped(f"of {number} nodes {MOST_NODES} were looked at", "run aware doctor node on the others")
    return fine(f"{_many(number, 'node')}") if number else wrong("the colony has no nodes", "aware tokens create")


CHECKS: tuple[Check[Colony], ...] = (
    Check("gateway", check_gateway, 20.0),
    Check("nodes", check_size, 20.0),
    Check("ports", check_ports, 40.0),
    Check("readiness", check_readiness, 40.0),
    Check("council", check_council, 20.0),
    Check("etcd", check_etcd, 40.0),
    Check("clock", check_clock, 40.0),
    Check("certificates", check_certificates, 40.0),
    Check("versions", check_versions, 20.0),
    Check("duplicates", check_duplicates, 60.0),
    Check("hosts", check_hosts, 60.0),
    Check("mtu", check_mtu, 60.0),
)


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
