# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies of the cluster spec as users write them."""

from __future__ import annotations

import re

from ansible_collections.aware.cluster.plugins.plugin_utils._checking import SpecError, short, without_none

_EVERY = re.compile(r"^([1-9][0-9]{0,5})([mhd])\Z")
_KEEP = dict(last=dict(type="int"), daily=dict(type="int"), weekly=dict(type="int"))
_BACKUP = dict(
    every=dict(type="str", required=True),
    keep=dict(type="dict", options=_KEEP),
    target=dict(type="str", choices=["directory", "s3", "swift"]),
)
POLICIES = dict(
    dead_after_s=dict(type="float"),
    replace_dead=dict(type="str", choices=["spare", "never"]),
    keep_events=dict(type="int"),
    keep_audit=dict(type="int"),
    backup=dict(type="dict", options=_BACKUP),
    jobs=dict(type="dict", options=dict(keep=dict(type="int"), log_kib=dict(type="int"))),
    limits=dict(
        type="dict",
        options=dict(
            cpu=dict(type="float"), memory=dict(type="float"), disk=dict(type="float"), for_s=dict(type="float")
        ),
    ),
    servers=dict(
        type="dict",
        options=dict(
            provider=dict(type="str", required=True, choices=["socket"]),
            after_s=dict(type="float"),
            most=dict(type="int"),
            within_s=dict(type="float"),
            join_s=dict(type="float"),
            eligible=dict(type="bool"),
        ),
    ),
    certificate_lifetime_s=dict(type="float"),
    session_lifetime_s=dict(type="float"),
    service_token_lifetime_s=dict(type="float"),
)


def check_policies(policies: dict) -> None:
    if policies.get("dead_after_s", 10.0) < 1:
        raise SpecError("policies.dead_after_s below 1 s would condemn healthy nodes")
    if policies.get("dead_after_s", 10.0) > 30 * 86400:
        raise SpecError("policies.dead_after_s is more than 30 days")
    if policies.get("keep_events", 10000) < 1000:
        raise SpecError("policies.keep_events below 1000 would forget what was done")
    if not 1000 <= policies.get("keep_audit", 5000) <= 20000:
        raise SpecError("policies.keep_audit is out of range: 1000 to 20000 lines")
    if policies.get("keep_events", 10000) > 1000000:
        raise SpecError("policies.keep_events is more than etcd should hold: at most 1000000")
    if not 10 <= policies.get("certificate_lifetime_s", 604800) <= 1095 * 86400:
        raise SpecError("policies.certificate_lifetime_s: a certificate lives 10 seconds to 1095 days")
    if not 300 <= policies.get("session_lifetime_s", 30 * 86400) <= 365 * 86400:
        raise SpecError("policies.session_lifetime_s: a session lasts 5 minutes to 365 days")
    if not 60 <= policies.get("service_token_lifetime_s", 90 * 86400) <= 366 * 86400:
        raise SpecError("policies.service_token_lifetime_s: a token lives 1 minute to 366 days")


def checked_jobs(values: dict) -> dict:
    jobs = without_none(values)
    for key, least, most in (("keep", 10, 2000), ("log_kib", 16, 512)):
        if key in jobs and not least <= jobs[key] <= most:
            raise SpecError("policies.jobs.%s %s is out of range: %d to %d" % (key, short(jobs[key]), least, most))
    return jobs


def checked_limits(values: dict) -> dict:
    limits = without_none(values)
    for key in ("cpu", "memory", "disk"):
        if not 0.05 <= limits.get(key, 1.0) <= 1:
            raise SpecError("policies.limits.%s %g is no share of a node: 0.05 to 1" % (key, limits[key]))
    if not 30 <= limits.get("for_s", 300.0) <= 86400:
        raise SpecError("policies.limits.for_s %g is out of range: 30 to 86400 seconds" % limits["for_s"])
    return limits


def checked_servers(values: dict) -> dict:
    servers = without_none(values)
    month = 30 * 86400
    for key, least, most in (("after_s", 5, month), ("most", 1, 1000), ("within_s", 60, month), ("join_s", 30, 86400)):
        never = key == "after_s" and servers.get(key) == 0
        if key in servers and not never and not least <= servers[key] <= most:
            raise SpecError("policies.servers.%s %g is out of range: %d to %d" % (key, servers[key], least, most))
    return servers


def checked_backup(values: dict) -> dict:
    policy = without_none(values)
    every = _EVERY.match(policy["every"])
    if not every or not 60 <= int(every.group(1)) * {"m": 60, "h": 3600, "d": 86400}[every.group(2)] <= 31 * 86400:
        raise SpecError("policies.backup.every %r is no duration from 1m to 31d, like 6h" % policy["every"])
    if "keep" in policy:
        policy["keep"] = without_none(policy["keep"])
        for key, count in policy["keep"].items():
            if not (3 if key == "last" else 0) <= count <= 1000:
                raise SpecError(
                    "policies.backup.keep.%s %s is out of range: %d to 1000"
                    % (key, short(count), 3 if key == "last" else 0)
                )
    return policy
