# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What each state Nova shows of a server means for the colony: one table, which all decisions read. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class State:
    """One status of Nova's."""

    there: bool = True  # it has a place in the colony; otherwise it counts for nothing, and another is made
    busy: bool = False  # Nova is at it, and soon done: wait until it has another status
    works: bool = False  # its guest runs
    writable: bool = False  # Nova takes metadata and tags
    off: bool = False  # to be started
    failed: bool = False  # reported, and replaced when asked
    say: str = ""  # what to tell whoever runs this; such a server is left as it is


_RESIZED = "confirm or revert its resize (openstack server resize confirm, or revert)"
_MOVED = "Nova moves it; what could not be written now, a later run writes"
STATES = {
    "ACTIVE": State(works=True, writable=True),
    "BUILD": State(busy=True),
    "REBUILD": State(busy=True),
    "REBOOT": State(busy=True),
    "HARD_REBOOT": State(busy=True),
    "PASSWORD": State(busy=True),
    "SHUTOFF": State(writable=True, off=True),
    "PAUSED": State(writable=True, say="wake it with openstack server unpause"),
    "SUSPENDED": State(writable=True, say="wake it with openstack server resume"),
    "RESCUE": State(say="end that with openstack server unrescue"),
    "SHELVED": State(say="bring it back with openstack server unshelve"),
    "SHELVED_OFFLOADED": State(say="bring it back with openstack server unshelve"),
    "VERIFY_RESIZE": State(say=_RESIZED),
    "REVERT_RESIZE": State(say=_MOVED),
    "RESIZE": State(say=_MOVED),
    "MIGRATING": State(say=_MOVED),
    "ERROR": State(failed=True),
    "DELETED": State(there=False),
    "SOFT_DELETED": State(there=False),  # its ports, addresses and groups stay until Nova reclaims it
    "UNKNOWN": State(say="Nova does not know its state; ask the cloud's operator"),
}
_LEAVING_TASKS = ("deleting", "soft-deleting")
_STARTING = "powering-on"


def state_of(status: str) -> State:
    """Its row; a status of another Nova is treated as UNKNOWN."""
    return STATES.get(status, STATES["UNKNOWN"])


def is_leaving(status: str, task: str) -> bool:
    """True for a server that is gone or on its way out: it counts for nothing."""
    return not state_of(status).there or task in _LEAVING_TASKS


def is_busy(status: str, task: str) -> bool:
    """True while Nova will show another status by itself soon."""
    return state_of(status).busy or (state_of(status).off and task == _STARTING)


def to_be_started(status: str, task: str) -> bool:
    """True if a start would be accepted and is needed."""
    return state_of(status).off and not task


def remark(name: str, status: str, task: str) -> str:
    """What to tell about a server that is left as it is; empty when there is nothing to tell."""
    state = state_of(status)
    if state.say:
        return "server %s is %s; it counts, and is left as it is: %s" % (name, status, state.say)
    if state.off and task and not is_busy(status, task):
        return "server %s is %s and busy (%s), so it is not started; a later run does" % (name, status, task)
    return ""


def unlock_hint(server: str) -> str:
    """What to do about a locked server."""
    return "somebody locked it, so that nobody changes it by mistake: openstack server unlock %s" % server


def kept_by_lock(name: str, server: str) -> str:
    """Why a locked server cannot go."""
    return "server %s cannot be deleted: %s" % (name, unlock_hint(server))
