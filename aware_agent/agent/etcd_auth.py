"""Guarding etcd: from then on it lets in who has a user, and every eligible node of the colony has one.

A node's user is its id, the common name of its certificate. The queen adds and removes users as nodes come and go.
May be repeated, and may be done long after the founding, while nodes run.
"""

from __future__ import annotations

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import Conflict
from aware_agent.colony.node import Record
from aware_agent.security.records import ColonyRecord
from aware_agent.store import ops
from aware_agent.store.access import ROOT, Access, NodeAccess
from aware_agent.store.client import EtcdClient
from aware_agent.store.keys import Keys, prefix_end
from aware_agent.store.model import KeyValue

_TRIES = 8


async def enable_auth(client: EtcdClient, keys: Keys) -> bool:
    """Set up users, roles and auth with a ``client`` whose user is root. Returns whether it was not guarded before.

    Raises Conflict when no colony was founded here; StoreError.
    """
    await _colony(client, keys)
    access, nodes = Access(client), NodeAccess(client, keys)
    await access.add_user(ROOT)
    await access.assign(ROOT, ROOT)
    # First of all: from now on the queen adds users herself, so that whoever joins meanwhile has one.
    changed = await _record_auth(client, keys)
    start = keys.key("nodes/")
    for kv in (await client.range(start, prefix_end(start))).kvs:
        try:
            node = from_json(kv.value, Record)
        except UNDECODABLE:  # the queen reports it
            continue
        if node.eligible:
            await nodes.admit(node.id)
    await access.enable()
    return changed


async def _colony(client: EtcdClient, keys: Keys) -> KeyValue:
    """The colony's record."""
    stored = await client.get(keys.key("colony"))
    if stored is None:
        raise Conflict(f"no colony {keys.colony!r} is in this etcd", hint="found it first: aware colony found")
    return stored


async def _record_auth(client: EtcdClient, keys: Keys) -> bool:
    """Say in the colony's record that etcd is guarded. Returns whether it was not said before."""
    for _ in range(_TRIES):  # the queen writes there too, when she changes the CA
        stored = await _colony(client, keys)
        record = from_json(stored.value, ColonyRecord)
        if record.etcd_auth:
            return False
        after = msgspec.json.encode(msgspec.structs.replace(record, etcd_auth=True))
        compare = [ops.modified(stored.key, stored.mod_revision)]
        if (await client.txn(compare, [ops.put(stored.key, after)])).succeeded:
            return True
    raise Conflict("somebody else changes the colony's record all the time", hint="try again")
