# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a project may have of everything, what it has by now, and what of that does not do for a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import Cloud, CloudError, at

# Quota: names in Nova's limits, of the most and of what is used.
_COMPUTE = dict(
    instances=("maxTotalInstances", "totalInstancesUsed"),
    cores=("maxTotalCores", "totalCoresUsed"),
    ram=("maxTotalRAMSize", "totalRAMUsed"),
    server_groups=("maxServerGroups", "totalServerGroupsUsed"),
    server_group_members=("maxServerGroupMembers", ""),
    key_pairs=("maxTotalKeypairs", ""),
    metadata_items=("maxServerMeta", ""),
)
NETWORK = ("port", "floatingip", "security_group", "security_group_rule")
VOLUME = ("volumes", "gigabytes", "per_volume_gigabytes")
# Quota: what it counts, for one and for several; the option of "openstack quota set".
_WORDS = dict(
    instances=("instance", "instances", "instances"),
    cores=("core", "cores", "cores"),
    ram=("MiB of RAM", "MiB of RAM", "ram"),
    server_groups=("server group", "server groups", "server-groups"),
    server_group_members=("member of one server group", "members of one server group", "server-group-members"),
    key_pairs=("keypair", "keypairs", "key-pairs"),
    metadata_items=("metadata item of one server", "metadata items of one server", "properties"),
    port=("port", "ports", "ports"),
    floatingip=("floating address", "floating addresses", "floating-ips"),
    security_group=("security group", "security groups", "secgroups"),
    security_group_rule=("security group rule", "security group rules", "secgroup-rules"),
    volumes=("volume", "volumes", "volumes"),
    gigabytes=("GiB of volumes", "GiB of volumes", "gigabytes"),
    per_volume_gigabytes=("GiB of one volume", "GiB of one volume", "per-volume-gigabytes"),
)
_PER_THING = ("server_group_members", "metadata_items", "per_volume_gigabytes")


@dataclass(frozen=True)
class Quota:
    """``most`` is -1 where there is no limit. Reservations count as used."""

    most: int
    used: int = 0


@dataclass(frozen=True)
class Need:
    """What a run asks of a quota. ``freed`` goes before; ``used`` is known where the service does not count."""

    quota: str
    wanted: int
    freed: int = 0
    used: int = 0
    otherwise: str = ""  # what to wish for instead


class Quotas:
    """The quotas of the project, each service asked once and only when needed. What cannot be asked limits nothing."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._known: dict = {}

    def of(self, quota: str) -> Quota | None:
        """That quota; None when the service does not tell."""
        read = self._network if quota in NETWORK else self._volume if quota in VOLUME else self._compute
        if read not in self._known:
            self._known[read] = told(read, {})
        return self._known[read].get(quota)

    def _compute(self) -> dict:
        limits = self.cloud.get("compute", "/limits")["limits"]["absolute"]
        return dict(
            (quota, Quota(int(limits[most]), int(limits.get(used) or 0)))
            for quota, (most, used) in _COMPUTE.items()
            if most in limits
        )

    def _network(self) -> dict:
        quotas = self.cloud.get("network", at("quotas", self.cloud.project, "details.json"))["quota"]
        return dict((quota, _counted(quotas[quota], "used")) for quota in NETWORK if quota in quotas)

    def _volume(self) -> dict:
        path = at("os-quota-sets", self.cloud.project)
        quotas = self.cloud.get("block_storage", path, {"usage": "true"})["quota_set"]
        return dict((quota, _counted(quotas[quota], "in_use")) for quota in VOLUME if quota in quotas)


def _counted(detail: Mapping, used: str) -> Quota:
    return Quota(int(detail["limit"]), int(detail.get(used) or 0) + int(detail.get("reserved") or 0))


def told(ask: Callable, otherwise: Any) -> Any:
    """What ``ask()`` returns, or ``otherwise``: a service may not be there, not tell, or tell something else."""
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import SDKException

    try:
        return ask()
    except (CloudError, ClientException, SDKException, AttributeError, KeyError, TypeError, ValueError):
        return otherwise


def shortages(needs: Iterable, quota_of: Callable, project: str) -> list:
    """Sentences that say which quotas do not do, by how much, and how they are set; empty when all do."""
    texts, options = [], []
    for need in needs:
        quota = quota_of(need.quota) if need.wanted > 0 else None
        if quota is None or quota.most < 0:
            continue
        others = 0 if need.quota in _PER_THING else max(max(quota.used, need.used) - need.freed, 0)
        least = others + need.wanted
        if least > quota.most:
            texts.append(_shortage(need, quota, max(quota.most - others, 0), least))
            options.append("--%s %d" % (_WORDS[need.quota][2], least))
    if not texts:
        return []
    command = "an administrator sets quotas with: openstack quota set %s %s" % (" ".join(options), project)
    return ["quota: %s; nothing was made; %s" % ("; ".join(texts), command)]


def _shortage(need: Need, quota: Quota, left: int, least: int) -> str:
    one, many, unused = _WORDS[need.quota]
    wanted = "%d %s %s wanted" % (need.wanted, one if need.wanted == 1 else many, "is" if need.wanted == 1 else "are")
    if need.quota in _PER_THING:
        there = "%d %s allowed" % (quota.most, "is" if quota.most == 1 else "are")
    else:
        there = "%d of %d %s left" % (left, quota.most, "is" if left == 1 else "are")
    remedy = "set quota %s to at least %d" % (need.quota, least)
    return "%s, %s: %s%s" % (wanted, there, remedy, ", or %s" % need.otherwise if need.otherwise else "")
