# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a server carries so that it is known again: its name, metadata and tags, and the steps that complete them. Pure."""

from __future__ import annotations

from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Server, Step, Wish
from ansible_collections.aware.cluster.plugins.module_utils._openstack_states import unlock_hint


def node_name(colony: str, index: int) -> str:
    """Name of a node; the same index has the same name, always."""
    return "%s-%d" % (colony, index)


def own_marks(wish: Wish, index: int, caste: str) -> dict:
    """Metadata a server of the colony carries for good."""
    marks = dict((str(key), str(value)) for key, value in wish.marks.items())
    marks.update(
        aware_colony=wish.colony, aware_node=node_name(wish.colony, index), aware_index=str(index), aware_caste=caste
    )
    return marks


def can_be_marked(server: Server) -> bool:
    """True if Nova takes metadata of it, now or as soon as it is built."""
    return not server.locked and (server.state.writable or server.state.busy)


def mark_step(wish: Wish, server: Server, caste: str) -> tuple:
    """``(steps, warnings)``: what is to be written, and what would be if Nova took it."""
    wanted = own_marks(wish, server.index, caste)
    marks = dict((key, value) for key, value in wanted.items() if server.marks.get(key) != value)
    tags = tuple(tag for tag in wish.tags if tag not in server.tags)
    names = sorted(marks) + ["tag " + tag for tag in tags]
    if not names or server.state.failed:
        return [], []
    if not can_be_marked(server):
        why = unlock_hint(server.id) if server.locked else "Nova takes none while it is %s" % server.status
        return [], ["metadata of server %s is not written (%s): %s" % (server.name, ", ".join(names), why)]
    why = ", ".join(names)
    return [Step("mark", server.name, why, server.index, caste, server.zone, server.id, marks, tags)], []
