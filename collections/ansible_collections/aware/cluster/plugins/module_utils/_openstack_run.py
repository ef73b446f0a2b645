# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a run is, whether it makes or removes a colony: its lock, what it did, and how it tells of it."""

from __future__ import annotations

import getpass
import os
import socket
from typing import Any

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_apply import Builder
from ansible_collections.aware.cluster.plugins.module_utils._openstack_around import Surroundings
from ansible_collections.aware.cluster.plugins.module_utils._openstack_lock import Lock
from ansible_collections.aware.cluster.plugins.module_utils._openstack_tickets import live
from ansible_collections.aware.cluster.plugins.module_utils._openstack_wish import check_colony


class Run:
    """What both states have in common."""

    def __init__(self, module: Any, cloud: Cloud) -> None:
        self.module, self.cloud, self.params = module, cloud, module.params
        self.colony, self.options = self.params["colony"], self.params["infrastructure"]
        self.start = cloud.clock()
        self.progress: list = []
        self.done: list = []  # sentences; each was seen to be so
        self.gone: list = []  # steps of servers that were seen to be gone
        check_colony(self.colony)
        if self.params["parallel"] < 1:
            raise CloudError("parallel %d is impossible: 1 or more" % self.params["parallel"])
        self.around = Surroundings(cloud, self.colony, self.options)

    def tell(self, text: str) -> None:
        """Note progress; the same line is not told twice in a row."""
        if self.progress and self.progress[-1].endswith("s " + text):
            return
        line = "%7.1f s %s" % (self.cloud.clock() - self.start, text)
        self.progress.append(line)
        if self.params["progress_file"]:
            try:
                with open(self.params["progress_file"], "a", encoding="utf-8") as stream:
                    stream.write(line + "\n")
            except OSError as exc:
                raise CloudError("progress_file: %s" % exc) from None

    def lock(self) -> Lock:
        who = "%s@%s" % (_user(), socket.gethostname())
        return Lock(self.cloud, self.colony, who, self.params["lock_wait"], self.params["lock_life"], self.tell)

    def warn_of_others(self, groups: list) -> None:
        """In check mode nobody waits for the end of another run."""
        held = live(self.cloud, groups, self.params["lock_life"])
        if held:
            self.module.warn(
                "colony %s is being changed by %s: this plan is of the middle of it" % (self.colony, ", ".join(held))
            )

    def builder(self, blueprint: Any = None) -> Builder:
        builder = Builder(
            self.cloud,
            blueprint,
            self.params["timeout"],
            self.params["parallel"],
            self.params["multi_create"],
            self.tell,
        )
        builder.done, builder.gone = self.done, self.gone
        return builder

    def outcome(self, sentences: list, deletes: list) -> dict:
        """What both states tell: in check mode what would be done, else what was. Another run may have done the rest."""
        if self.module.check_mode:
            changed, gone = bool(sentences), deletes
        else:
            changed, gone = bool(self.done), self.gone
        return dict(
            changed=changed,
            plan=sentences or list(self.done),
            done=self.done,
            removed=[dict(name=step.node, id=step.server) for step in gone],
            progress=self.progress,
        )

    def act(self, steps: list) -> None:
        """Do (sentence, function) pairs in order. A function returns when it has seen that its sentence came true, else it raises."""
        for sentence, function in steps:
            function()
            self.done.append(sentence)
            self.tell(sentence)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
