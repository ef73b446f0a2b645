# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Tickets: tags of a security group by which runs tell each other that they hold the lock of a colony, or wait for it."""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud
from ansible_collections.aware.cluster.plugins.module_utils._process import boot_id, start_time

_TICKET = re.compile(
    r"^lock\.(?P<run>[0-9a-f]{8})\.(?P<machine>[0-9a-f]{8})\.(?P<pid>\d+)\.(?P<born>\d+)\.(?P<beat>\d+)$"
)
_WHO = re.compile(r"^who\.(?P<run>[0-9a-f]{8})\.(?P<who>.*)$")


def machine() -> str:
    """Where process numbers mean the same: this boot of this machine and this container."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        space = 0
    return hashlib.sha256(("%s/%d" % (boot_id(), space)).encode()).hexdigest()[:8]


def tickets(groups: list) -> dict:
    """``{run: match of its newest ticket}`` from the tags of the groups."""
    found: dict = {}
    for match in filter(None, (_TICKET.match(tag) for group in groups for tag in group.get("tags") or ())):
        known = found.get(match.group("run"))
        if known is None or int(known.group("beat")) < int(match.group("beat")):
            found[match.group("run")] = match
    return found


def holder_text(groups: list, run: str) -> str:
    """Who has the ticket of this run."""
    names = [
        match
        for match in (_WHO.match(tag) for group in groups for tag in group.get("tags") or ())
        if match and match.group("run") == run
    ]
    return "%s (run %s)" % (names[0].group("who") if names else "somebody", run)


def holding(groups: list, runs: Any) -> list:
    """Those of ``runs`` that hold the lock, as far as they could say so by now; the others wait."""
    names = filter(None, (_WHO.match(tag) for group in groups for tag in group.get("tags") or ()))
    return [match.group("run") for match in names if match.group("run") in runs]


def is_stale(ticket: Any, now: float, life_s: float) -> bool:
    """True if the ticket counts no more: its process is known to be gone, or it is too old."""
    if ticket.group("machine") == machine():
        return str(start_time(int(ticket.group("pid")))) != ticket.group("born")
    return now - int(ticket.group("beat")) > life_s


def leftovers(groups: list, gone: Any, run: str = "") -> list:
    """(group, tag) of the tickets of runs that are ``gone``, and of names without a ticket, but for those of ``run``."""
    there = set(tickets(groups)) - set(gone) | {run}
    pairs = [(group, tag, _TICKET.match(tag) or _WHO.match(tag)) for group in groups for tag in group.get("tags") or ()]
    return [(group, tag) for group, tag, match in pairs if match and match.group("run") not in there]


def is_ticketed(groups: list) -> bool:
    """True if a run holds the lock or waits for it, or a killed one left a ticket that nobody will take away."""
    tags = [tag for group in groups for tag in group.get("tags") or ()]
    return any(_TICKET.match(tag) or _WHO.match(tag) for tag in tags)


def live(cloud: Cloud, groups: list, life_s: float) -> list:
    """Who holds the lock or waits for it, but for those whose ticket counts no more."""
    now = cloud.now().timestamp()
    return [
        holder_text(groups, run) for run, ticket in sorted(tickets(groups).items()) if not is_stale(ticket, now, life_s)
    ]
