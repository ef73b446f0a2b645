"""What a host is like where an agent runs: cheap to ask, nothing secret in it. Linux only.

Asked for by diagnostics in the agent's event loop, so nothing here waits for a disk or the network.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aware_agent.discovery.interfaces import local_addresses

PROC, SYS, MACHINE_ID = Path("/proc"), Path("/sys"), Path("/etc/machine-id")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_MIB = 1 << 20


def host_facts(colony: str, address: str, state_dir: str) -> dict[str, Any]:
    """All of it, for diagnostics."""
    mask, (interface, mtu), room = umask_of("self"), mtu_of(address), room_in(Path(state_dir))
    return {
        "machine": machine_mark(colony),
        "umask": None if mask is None else f"{mask:04o}",
        "interface": interface,
        "mtu": mtu,
        "free_mib": room and room[0],
        "free_inodes": room and room[1],
        "proxies": proxy_names(os.environ),
    }


def machine_id() -> str | None:
    """Content of /etc/machine-id; None when it cannot be read."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return MACHINE_ID.read_text(encoding="ascii")[:64].strip()
    return None


def machine_mark(colony: str) -> str:
    """Tells this machine from others of the colony without telling its machine id, which is confidential
    (machine-id(5)); "" when it has none.
    """
    found = machine_id()
    return hashlib.sha256(f"aware-machine/1 {colony} {found}".encode()).hexdigest()[:16] if found else ""


def umask_of(pid: int | str) -> int | None:
    """The file mode creation mask of a process; None when the kernel does not tell."""
    with contextlib.suppress(OSError, ValueError):
        for line in (PROC / str(pid) / "status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return None


def mtu_of(address: str) -> tuple[str, int | None]:
    """The interface that carries ``address`` and its MTU; ``("", None)`` when none does."""
    try:
        wanted = ipaddress.ip_address(address)
    except ValueError:
        return "", None
    name = "lo" if wanted.is_loopback else _interface_of(wanted)
    if not name:
        return "", None
    with contextlib.suppress(OSError, ValueError):
        return name, int((SYS / "class" / "net" / name / "mtu").read_text(encoding="ascii"))
    return name, None


def room_in(directory: Path) -> tuple[int, int] | None:
    """Free MiB and free inodes (-1: the file system does not count them) for who is not root."""
    with contextlib.suppress(OSError):
        disk = os.statvfs(directory)
        return disk.f_frsize * disk.f_bavail // _MIB, disk.f_favail if disk.f_files else -1
    return None


def proxy_names(environment: Mapping[str, str]) -> list[str]:
    """Which variables name a proxy. Their values may hold passwords."""
    return sorted(name for name in environment if name.lower() in PROXIES and environment[name])


def _interface_of(wanted: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if wanted.version == 4:
        with contextlib.suppress(OSError):
            return next((name.partition(":")[0] for name, own in local_addresses() if own == str(wanted)), "")
        return ""
    with contextlib.suppress(OSError):
        for line in (PROC / "net" / "if_inet6").read_text(encoding="ascii").splitlines():
            number, *_, name = line.split()
            if ipaddress.IPv6Address(int(number, 16)) == wanted:
                return name
    return ""
