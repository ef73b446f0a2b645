# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The keypair of a colony.

A keypair belongs to a user, not to a project, and has neither tags nor a description. What is made for a colony has
the project in its name, so that colonies of one name in two projects do not share it, and says in the comment of its
public key whose it is. Only what says so is ever deleted.
"""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, Refused, at
from ansible_collections.aware.cluster.plugins.module_utils._openstack_owned import keypairs


def keypair_name(colony: str, project: str) -> str:
    """Name of the keypair that is made when none is named."""
    return "aware-%s-%s" % (colony, project[:8])


def key_mark(colony: str, project: str) -> str:
    """Last word of the public key's comment, by which a keypair made by us is known."""
    return "aware:%s@%s" % (colony, project)


def same_key(one: str, other: str) -> bool:
    """True if two public keys differ in their comment only."""
    return one.split()[:2] == other.split()[:2]


class Keypairs:
    """The keypair servers are made with, and those that go with the colony."""

    def __init__(self, cloud: Cloud, colony: str) -> None:
        self.cloud, self.colony = cloud, colony

    def look(self, wanted: Mapping) -> tuple:
        """``(name, public key to make it of or "")``. Raises CloudError for one that is not there or holds another key."""
        key = (wanted.get("public_key") or "").strip()
        name = wanted.get("name") or keypair_name(self.colony, self.cloud.project)
        there = self._named(name)
        if there is None:
            if not key:
                raise CloudError("there is no keypair %r: create it, or give its public_key" % name)
            return name, key
        if key and not same_key(there["public_key"], key):
            raise CloudError(_other_key(there))
        return name, ""

    def make(self, name: str, key: str) -> None:
        """Make it with our mark. One of this name that came meanwhile is as good when it holds the same key."""
        marked = "%s %s" % (key, key_mark(self.colony, self.cloud.project))
        try:
            self.cloud.create("compute", "/os-keypairs", {"keypair": {"name": name, "public_key": marked}})
        except Refused as exc:
            there = self._named(name) if exc.status == 409 else None
            if there is None:
                raise
            if not same_key(there["public_key"], key):
                raise CloudError(_other_key(there)) from exc

    def owned(self) -> list:
        """Names of the user's keypairs that were made for this colony of this project."""
        mark = key_mark(self.colony, self.cloud.project)
        return sorted(pair["name"] for pair in keypairs(self.cloud) if pair["public_key"].split()[-1:] == [mark])

    def delete(self, name: str) -> None:
        """Delete one of ours."""
        self.cloud.delete("compute", at("os-keypairs", name), lambda: self._named(name) is not None)

    def _named(self, name: str) -> Any:
        return next((pair for pair in keypairs(self.cloud) if pair["name"] == name), None)


def _other_key(there: Mapping) -> str:
    return "keypair %r holds another public key (%s): delete it, or choose another name" % (
        there["name"],
        there["fingerprint"],
    )
