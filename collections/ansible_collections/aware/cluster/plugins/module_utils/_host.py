# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a Linux host is doing, read from /proc: who listens where, and how much room there is."""

from __future__ import annotations

import glob
import os
import re
from typing import Iterable

_LISTENS = {"tcp": "0A", "udp": "07"}


def listeners(protocol: str, ports: Iterable[int]) -> list:
    """Who listens on ``ports`` (``protocol`` is tcp or udp): ``{port, protocol, pid, program, unit}``, one for each port and process."""
    sockets = _sockets(protocol, frozenset(ports))
    if not sockets:
        return []
    found = []
    for pid, inodes in _owners(frozenset(sockets)).items():
        for port in sorted({sockets[inode] for inode in inodes}):
            found.append(dict(port=port, protocol=protocol, pid=pid, program=_program(pid), unit=_unit(pid)))
    known = {entry["port"] for entry in found}
    # Processes of others cannot be looked into without root.
    found += [
        dict(port=port, protocol=protocol, pid=0, program="", unit="") for port in sorted(set(sockets.values()) - known)
    ]
    return sorted(found, key=lambda entry: (entry["port"], entry["pid"]))


def free_mb(path: str) -> int:
    """Room left for root in the file system that holds ``path``, or would hold it, in MiB."""
    while not os.path.exists(path):
        path = os.path.dirname(path) or "/"
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize // (1 << 20)


def _sockets(protocol: str, ports: frozenset) -> dict:
    """Inode to port of each listening socket on one of ``ports``."""
    found = {}
    for family in (protocol, protocol + "6"):
        try:
            with open("/proc/net/" + family, encoding="ascii") as stream:
                lines = stream.readlines()[1:]
        except OSError:  # no IPv6
            continue
        for line in lines:
            fields = line.split()
            port = int(fields[1].rpartition(":")[2], 16)
            if port in ports and fields[3] == _LISTENS[protocol]:
                found[fields[9]] = port
    return found


def _owners(inodes: frozenset) -> dict:
    """Which process holds which of the sockets ``inodes``."""
    owners: dict = {}
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            match = re.match(r"socket:\[(\d+)\]$", os.readlink(path))
        except OSError:
            continue
        if match and match.group(1) in inodes:
            owners.setdefault(int(path.split("/")[2]), set()).add(match.group(1))
    return owners


def _program(pid: int) -> str:
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as stream:
            return stream.read().split(b"\0")[0].decode(errors="replace")
    except OSError:
        return ""


def _unit(pid: int) -> str:
    """The systemd service ``pid`` belongs to; empty when it belongs to none."""
    try:
        with open("/proc/%d/cgroup" % pid, encoding="utf-8", errors="replace") as stream:
            units = re.findall(r"/([^/\n]+\.service)\b", stream.read())
    except OSError:
        return ""
    return units[-1] if units else ""
