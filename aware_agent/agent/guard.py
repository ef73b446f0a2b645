"""Guarding etcd: from then on it lets in who has a user, and every node of the colony has one.

A node's user is its id, the common name of its certificate. The queen adds and removes users as nodes come and go.
May be repeated, and may be done long after the founding, while nodes run.
"""

from __future__ import annotations

import msgspec

from aware_agent.colony.errors import Conflict
from aware_agent.colony.node import Record
from aware_agent.security.records import ColonyRecord
from aware_agent.store import ops
from aware_agent.store.access import ROOT, Access, NodeAccess
from aware_agent.store.client import EtcdClient
from aware_agent.store.keys import Keys, prefix_end


async def guard(client: EtcdClient, keys: Keys) -> bool:
    """Set up users, roles and auth with a ``client`` whose user is root. Returns whether it was not guarded before.

    Raises Conflict when no colony was founded here, or somebody else writes at the same time; StoreError.
    """
    stored = await client.get(keys.key("colony"))
    if stored is None:
        raise Conflict(f"no colony {keys.colony!r} is in this etcd", hint="found it first: aware colony found")
    record = msgspec.json.decode(stored.value, type=ColonyRecord)
    access, nodes = Access(client), NodeAccess(client, keys)
    await access.add_user(ROOT)
    await access.assign(ROOT, ROOT)
    if not record.etcd_auth:
        # First of all: from now on the queen adds users herself, so that whoever joins meanwhile has one.
        after = msgspec.json.encode(msgspec.structs.replace(record, etcd_auth=True))
        compare = [ops.modified(stored.key, stored.mod_revision)]
        if not (await client.txn(compare, [ops.put(stored.key, after)])).succeeded:
            raise Conflict("somebody else changes the colony's record", hint="try again")
    start = keys.key("nodes/")
    for kv in (await client.range(start, prefix_end(start))).kvs:
        node = msgspec.json.decode(kv.value, type=Record)
        await nodes.admit(node.id, whole=node.candidate)
    await access.enable()
    return not record.etcd_auth
