# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Servers of a colony: which are ours, how they are asked for, and what Ansible needs to reach them."""

from __future__ import annotations

import base64
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, Refused, at
from ansible_collections.aware.cluster.plugins.module_utils._openstack_model import Server, Size, Step, Wish
from ansible_collections.aware.cluster.plugins.module_utils._openstack_marks import node_name, own_marks
from ansible_collections.aware.cluster.plugins.module_utils._openstack_owned import owned
from ansible_collections.aware.cluster.plugins.module_utils._openstack_states import state_of


def colony_tag(colony: str) -> str:
    """The tag all servers of a colony carry."""
    return "aware:%s" % colony


def is_owned(raw: Mapping, colony: str) -> bool:
    """True if tag and metadata both say so; one alone may be a copy or a mistake."""
    return colony_tag(colony) in (raw.get("tags") or ()) and (raw.get("metadata") or {}).get("aware_colony") == colony


@dataclass(frozen=True)
class Found:
    """What is there: ``owned`` servers, their documents by id, and the names of ``foreign`` ones that look alike."""

    owned: tuple
    raw: Mapping
    foreign: frozenset = frozenset()


def find(cloud: Cloud, colony: str) -> Found:
    """List by tag, for servers that were renamed, and by name, for servers of others; both at once."""
    pattern = "^%s-[0-9]+$" % re.escape(colony).replace("\\-", "-")
    with ThreadPoolExecutor(2) as pool:
        named = pool.submit(owned, cloud, "server", name=pattern)
        tagged = list_owned(cloud, colony)
        failed = [raw["id"] for raw in tagged if raw["status"] == "ERROR" and not raw.get("fault")]
        # Lists do not have the fault of a server no host was found for; it is in another cell's database.
        faults = dict(zip(failed, pool.map(lambda one: _fault(cloud, one), failed)))
        tagged = [dict(raw, fault=faults[raw["id"]]) if raw["id"] in faults else raw for raw in tagged]
        foreign = [raw["name"] for raw in named.result() if not is_owned(raw, colony) and state_of(raw["status"]).there]
    # One of ours that was made between the two lists is in the second only, and the tag is never missing then.
    return Found(
        tuple(read_server(raw, colony) for raw in tagged), dict((raw["id"], raw) for raw in tagged), frozenset(foreign)
    )


def _fault(cloud: Cloud, server: str) -> dict:
    try:
        return cloud.get("compute", at("servers", server))["server"].get("fault") or {}
    except Refused:
        return {}


def list_owned(cloud: Cloud, colony: str) -> list:
    """Documents of all servers of the colony, in one request (and one for each thousand)."""
    found = owned(cloud, "server", tags=colony_tag(colony))
    return [raw for raw in found if is_owned(raw, colony) and index_of(raw, colony) > 0]


def index_of(raw: Mapping, colony: str) -> int:
    """Index from the metadata or, when they are not written yet, from the name; 0 when there is none."""
    text = str((raw.get("metadata") or {}).get("aware_index") or "")
    if not text.isdigit():
        match = re.match(r"^%s-(\d+)$" % re.escape(colony), raw.get("name") or "")
        text = match.group(1) if match else "0"
    return int(text)


def read_server(raw: Mapping, colony: str) -> Server:
    """Server from Nova's document."""
    marks, flavor, index = raw.get("metadata") or {}, raw.get("flavor") or {}, index_of(raw, colony)
    size = Size(int(flavor.get("vcpus") or 0), int(flavor.get("ram") or 0), int(flavor.get("disk") or 0))
    return Server(
        id=raw["id"],
        name=node_name(colony, index),
        index=index,
        status=raw["status"],
        caste=marks.get("aware_caste") or "",
        zone=raw.get("OS-EXT-AZ:availability_zone") or "",
        created=raw.get("created") or "",
        size=size,
        task=raw.get("OS-EXT-STS:task_state") or "",
        fault=" ".join(str((raw.get("fault") or {}).get("message") or "").split()),
        marks=marks,
        tags=tuple(raw.get("tags") or ()),
        locked=bool(raw.get("locked")),
    )


@dataclass(frozen=True)
class Blueprint:
    """All that is the same for new servers, with identifiers instead of names. ``flavors`` are by caste."""

    wish: Wish
    image: str
    flavors: Mapping
    networks: tuple = ()
    ports: tuple = ()  # of nodes 1, 2, ...
    security_groups: tuple = ()
    key_name: str = ""
    server_group: str = ""
    config_drive: bool = False
    user_data: str = ""
    boot_volume: Mapping = field(default_factory=dict)
    term: Any = None

    def body(self, step: Step) -> dict:
        """Request for one server."""
        marks = own_marks(self.wish, step.index, step.caste)
        return self._request(step, node_name(self.wish.colony, step.index), marks)

    def body_of_many(self, steps: list) -> dict:
        """Request for all servers of a new colony at once. Nova names them ``<colony>-1`` and so on; what differs is written later."""
        marks = dict(
            (key, value)
            for key, value in own_marks(self.wish, 0, "").items()
            if key not in ("aware_node", "aware_index", "aware_caste")
        )
        body = self._request(steps[0], self.wish.colony, marks)
        body["server"].update(min_count=len(steps), max_count=len(steps))
        return body

    def _request(self, step: Step, name: str, marks: dict) -> dict:
        server: dict = dict(
            name=name, flavorRef=self.flavors[step.caste].id, metadata=dict(marks), tags=sorted(self.wish.tags)
        )
        if self.term is not None:
            server["metadata"]["aware_term"] = str(self.term)
        if self.boot_volume:
            server["block_device_mapping_v2"] = [self._volume()]
        else:
            server["imageRef"] = self.image
        server["networks"] = self._interfaces(step.index)
        if self.security_groups:
            server["security_groups"] = [dict(name=group) for group in self.security_groups]
        for key, value in (
            ("key_name", self.key_name),
            ("availability_zone", step.zone),
            ("config_drive", self.config_drive),
        ):
            if value:
                server[key] = value
        if self.user_data:
            server["user_data"] = base64.b64encode(self.user_data.encode()).decode()
        body: dict = {"server": server}
        if self.server_group:
            body["os:scheduler_hints"] = {"group": self.server_group}
        return body

    def _interfaces(self, index: int) -> list:
        own = [dict(port=self.ports[index - 1])] if 0 < index <= len(self.ports) else []
        return own + [dict(uuid=network) for network in self.networks]

    def _volume(self) -> dict:
        return dict(
            boot_index=0,
            uuid=self.image,
            source_type="image",
            destination_type="volume",
            volume_size=self.boot_volume["size_gib"],
            delete_on_termination=self.boot_volume.get("delete_on_termination", True),
        )


def may_be_many(blueprint: Blueprint, steps: list, names: Any) -> bool:
    """True if one request can make them all: a new colony whose servers differ in nothing but name and caste."""
    if len(steps) < 2 or names or blueprint.ports or [step.index for step in steps] != list(range(1, len(steps) + 1)):
        return False
    return len({(step.zone, blueprint.flavors[step.caste].id) for step in steps}) == 1
