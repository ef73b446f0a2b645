"""The lab's network: one namespace with a bridge and the controller's address, one namespace for each host.

Everything but the names in /run/netns is inside those namespaces: the machine's own network sees nothing.
"""

from __future__ import annotations

from pathlib import Path

from hostlab.programs import attempt, run
from hostlab.settings import CONTROLLER, Lab, LabError, address, number

BRIDGE = "br0"


def veth(host: str) -> str:
    """The host's port of the bridge."""
    return f"v-{host}"


def _there() -> list[str]:
    return [path.name for path in Path("/run/netns").glob("aware-hosts.*")]


def names(lab: Lab) -> list[str]:
    """Namespaces of the lab that exist: its own, then its hosts'."""
    return sorted(name for name in _there() if name == lab.namespace or name.startswith(f"{lab.namespace}."))


def labs() -> set[str]:
    """Labs that have a network."""
    return {name.split(".")[1] for name in _there()}


def _ip(namespace: str, *words: str) -> None:
    run("ip", "-n", namespace, *words)


def _has(namespace: str, device: str) -> bool:
    return attempt(["ip", "-n", namespace, "link", "show", device]).returncode == 0


def _namespace(name: str) -> None:
    if _has(name, "lo"):
        return
    if Path("/run/netns", name).exists():
        run("ip", "netns", "del", name)  # only half made when its maker was killed
    run("ip", "netns", "add", name)
    _ip(name, "link", "set", "lo", "up")


def ensure(lab: Lab) -> None:
    """The bridge, with the controller's address on it."""
    _namespace(lab.namespace)
    if not _has(lab.namespace, BRIDGE):
        _ip(lab.namespace, "link", "add", BRIDGE, "type", "bridge")
    _ip(lab.namespace, "addr", "replace", f"{CONTROLLER}/24", "brd", "+", "dev", BRIDGE)
    _ip(lab.namespace, "link", "set", BRIDGE, "up")


def attach(lab: Lab, host: str) -> None:
    """A namespace for the host, with eth0 on the bridge."""
    inner = lab.namespace_of(host)
    _namespace(inner)
    if not _has(inner, "eth0"):
        mac = f"02:77:00:00:00:{10 + number(host):02x}"
        _ip(lab.namespace, "link", "add", veth(host), "type", "veth", "peer", "name", "eth0", "netns", inner)
        _ip(inner, "link", "set", "eth0", "address", mac)
        _ip(lab.namespace, "link", "set", veth(host), "master", BRIDGE, "up")
    plug(lab, host)


def plug(lab: Lab, host: str) -> None:
    """Link up on both sides, address and route as at the beginning: a link that goes down loses its routes."""
    inner = lab.namespace_of(host)
    _ip(lab.namespace, "link", "set", veth(host), "up")
    _ip(inner, "link", "set", "eth0", "up")
    _ip(inner, "addr", "replace", f"{address(host)}/24", "brd", "+", "dev", "eth0")
    _ip(inner, "route", "replace", "default", "via", CONTROLLER)


def unplug(lab: Lab, host: str) -> None:
    """Pull the cable: the host's eth0 loses its carrier."""
    _ip(lab.namespace, "link", "set", veth(host), "down")


def detach(lab: Lab, host: str) -> None:
    """Remove the host's namespace; its port of the bridge goes with it."""
    if lab.namespace_of(host) in names(lab):
        run("ip", "netns", "del", lab.namespace_of(host))
    if lab.namespace in names(lab) and _has(lab.namespace, veth(host)):
        # A process that still lives in the host's namespace holds it, but not its cable.
        _ip(lab.namespace, "link", "del", veth(host))


def remove(lab: Lab) -> None:
    """All of it."""
    for name in reversed(names(lab)):
        run("ip", "netns", "del", name)


def need(lab: Lab) -> None:
    """Raises LabError when the lab is not there."""
    if lab.namespace not in names(lab):
        raise LabError(f"no lab {lab.name!r} on this machine: tests/hosts/lab up --name {lab.name}")


def entering(lab: Lab) -> list[str]:
    """The words before a command that shall run in the lab's network, at the controller's address."""
    return ["nsenter", f"--net=/run/netns/{lab.namespace}", "--"]
