"""Names, addresses and directories of a lab. Whether something exists is asked of the kernel and of podman."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
CHECKOUT = HERE.parent.parent
# Image, keys and podman's storage: dear to build, shared by all labs, outlive them.
DIRECTORY = Path("/var/tmp/aware-hosts")
# What must not outlive the machine's boot.
RUN = Path("/run/aware-hosts")
NETWORK = "10.77.0.0/24"
CONTROLLER = "10.77.0.1"
MOST_HOSTS = 100
SUITES = ("trixie", "bookworm", "noble")


class LabError(Exception):
    """One sentence for the person at the terminal."""


@dataclass(frozen=True, kw_only=True)
class Lab:
    """One lab. Labs with different names do not see each other, although their addresses are the same."""

    name: str

    @property
    def namespace(self) -> str:
        """The network namespace with the bridge and the controller's address."""
        return f"aware-hosts.{self.name}"

    @property
    def directory(self) -> Path:
        """Pid files, inventories, records of running delays."""
        return RUN / "labs" / self.name

    def namespace_of(self, host: str) -> str:
        """The host's network namespace; a name cannot hold a dot, so no lab's names begin with another's."""
        return f"aware-hosts.{self.name}.{host}"

    def container(self, host: str) -> str:
        """The host's name in podman."""
        return self.namespace_of(host)

    def pid_file(self, host: str) -> Path:
        """Holds the machine's id of the host's process 1, while it runs."""
        return self.directory / f"{host}.pid"

    def inventory(self, connection: str) -> Path:
        """The inventory file for ``connection`` (nsenter or ssh)."""
        return self.directory / f"{connection}.yml"


def lab(name: str | None = None) -> Lab:
    """The lab ``name``, else AWARE_LAB, else "lab". Raises LabError for what is no name."""
    chosen = name or os.environ.get("AWARE_LAB") or "lab"
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", chosen):
        raise LabError(f"{chosen!r} is no name for a lab: small letters, digits and '-', at most 31, a letter first")
    return Lab(name=chosen)


def hosts(count: int) -> list[str]:
    """h1, h2, ... Raises LabError when ``count`` is out of bounds."""
    if not 0 <= count <= MOST_HOSTS:
        raise LabError(f"a lab has 0 to {MOST_HOSTS} hosts, not {count}")
    return [f"h{number}" for number in range(1, count + 1)]


def number(host: str) -> int:
    """2 for h2. Raises LabError for what is no host."""
    if not re.fullmatch(r"h[1-9][0-9]?|h100", host):
        raise LabError(f"{host!r} is no host of a lab: h1, h2, ...")
    return int(host[1:])


def address(host: str) -> str:
    """10.77.0.11 for h1, 10.77.0.1 for controller."""
    return CONTROLLER if host == "controller" else f"10.77.0.{10 + number(host)}"


def host_at(place: str) -> str:
    """h1 for 10.77.0.11; a name stays what it is. Raises LabError for another address."""
    known = {address(f"h{each}"): f"h{each}" for each in range(1, MOST_HOSTS + 1)} if "." in place else {place: place}
    if place not in known:
        raise LabError(f"{place} is no address of a lab's host: those are {address('h1')} and up")
    return known[place]


def suite() -> str:
    """The release of Debian or Ubuntu for new hosts, LAB_SUITE. Raises LabError for one we have no recipe for."""
    chosen = os.environ.get("LAB_SUITE") or SUITES[0]
    if chosen not in SUITES:
        raise LabError(f"LAB_SUITE={chosen} is none of {', '.join(SUITES)}")
    return chosen
