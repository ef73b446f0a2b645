"""What is done to a restored colony before anybody may connect to it: nothing in it may claim to be alive."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from aware_agent.agent.found import ADMIN
from aware_agent.agent.state import Identity, Membership, StateDir
from aware_agent.colony.errors import Conflict, NotFound
from aware_agent.colony.event import Event, Severity
from aware_agent.colony.ids import ulid
from aware_agent.colony.node import Record
from aware_agent.colony.rotation import Trust
from aware_agent.queen.backup.format import Header
from aware_agent.security import pki
from aware_agent.security.files import write_atomic
from aware_agent.security.keyring import share
from aware_agent.security.password import hash_password
from aware_agent.security.records import ColonyRecord, UserRecord
from aware_agent.security.roles import Role
from aware_agent.security.sealed import KeyringSealer
from aware_agent.security.token import JoinToken, TokenRecord, beacon_key, verifier
from aware_agent.store import ops
from aware_agent.store.client import EtcdClient
from aware_agent.store.keys import Keys, prefix_end
from aware_agent.store.model import KeyValue
from aware_agent.store.snapshot_tools import lift

ACTOR = "colony"
TOKEN_TTL_S = 86400.0
_CHUNK = 50  # operations in one transaction; etcd takes 128


class Heritage(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup leaves to the colony that comes back, and the join token made for it."""

    header: Header
    membership: Membership
    ca: pki.Pair
    bundle: bytes  # the CAs its nodes believe, PEM
    token: JoinToken

    def __repr__(self) -> str:
        """Without secrets."""
        return f"Heritage({self.header.colony!r})"


class Newcomer(msgspec.Struct, frozen=True, kw_only=True):
    """A node that gets its old place back on a fresh host."""

    id: str
    name: str
    address: str
    joined_at: float
    candidate: bool
    signed_by: int  # generation of the CA
    key: bytes  # PEM, new

    def __repr__(self) -> str:
        """Without the key."""
        return f"Newcomer({self.id!r}, {self.name!r})"


class Cleaned(msgspec.Struct, frozen=True, kw_only=True):
    """The revision everything afterwards is above, and the nodes that get a state directory."""

    revision: int
    newcomers: tuple[Newcomer, ...]


async def clean(
    client: EtcdClient,
    heritage: Heritage,
    *,
    nodes: Mapping[str, str],
    admin_password: str,
    lift_by: int,
    now: float,
) -> Cleaned:
    """Take away what was alive, lift the revision, give ``nodes`` new keys, tell of it in the history.

    ``admin_password``: user admin has it from now on, and is made when it is not there; empty: nothing changes.

    Raises NotFound for a node the backup does not know, Conflict when this is no colony, StoreError.
    """
    header, token = heritage.header, heritage.token
    keys = Keys(header.colony)
    found = await client.range(*keys.everything())
    kvs = {kv.key: kv for kv in found.kvs}
    _check(kvs, keys, header)
    newcomers = _newcomers(kvs, keys, nodes)
    if lift_by:
        await lift(client, keys.key("restore-lift"), found.revision + lift_by)
    await _bury(client, kvs, keys)
    sealer = KeyringSealer(heritage.membership.keyring())
    record = TokenRecord(
        id=token.id,
        verifier=verifier(token),
        beacon_key=sealer.seal(beacon_key(token), keys.key("tokens", token.id)),
        created_at=now,
        created_by=ACTOR,
        expires_at=now + TOKEN_TTL_S,
    )
    event = _event(header, now)
    changes = [
        ops.put(keys.key("tokens", record.id), msgspec.json.encode(record)),
        ops.put(keys.key("events", event.id), msgspec.json.encode(event)),
        *(_with_new_key(kvs, keys, newcomer) for newcomer in newcomers),
    ]
    if admin_password:
        changes.append(_admin(kvs, keys, admin_password, now))
    revision = found.revision
    for start in range(0, len(changes), _CHUNK):
        revision = (await client.txn([], changes[start : start + _CHUNK])).revision
    return Cleaned(revision=revision, newcomers=newcomers)


def issue_state(directory: Path, newcomer: Newcomer, heritage: Heritage, *, now: float) -> None:
    """A state directory with which ``newcomer`` starts as the node it was; it renews its certificate by itself."""
    membership = heritage.membership
    state = StateDir(directory)
    state.prepare()
    sans = pki.node_sans(membership.colony, newcomer.name, [newcomer.address])
    pair = pki.issue(heritage.ca, newcomer.key, common_name=newcomer.id, sans=sans, now=now)
    write_atomic(state.identity_path, msgspec.json.encode(Identity(id=newcomer.id, name=newcomer.name)))
    state.save_key(newcomer.key)
    own = msgspec.structs.replace(
        membership,
        secret=share(membership.secret, whole=newcomer.candidate),
        others={number: share(secret, whole=newcomer.candidate) for number, secret in membership.others.items()},
        joined_at=newcomer.joined_at,
        signed_by=newcomer.signed_by,
        issued_at=0.0,  # no queen signed it: the node asks for another certificate at once
        whole=newcomer.candidate,
    )
    state.save(own, certificate=pair.certificate, ca=heritage.bundle)


def _check(kvs: Mapping[bytes, KeyValue], keys: Keys, header: Header) -> None:
    founded = kvs.get(keys.key("colony"))
    if founded is None or msgspec.json.decode(founded.value, type=ColonyRecord).name != header.colony:
        raise Conflict(f"the snapshot holds no colony {header.colony!r}", hint="choose another backup")


def _newcomers(kvs: Mapping[bytes, KeyValue], keys: Keys, nodes: Mapping[str, str]) -> tuple[Newcomer, ...]:
    prefix = keys.key("nodes/")
    records = [msgspec.json.decode(kv.value, type=Record) for key, kv in kvs.items() if key.startswith(prefix)]
    by_name = {record.name: record for record in records}
    unknown = [name for name in nodes if name not in by_name]
    if unknown:
        raise NotFound(
            f"the backup knows no node {', '.join(unknown)}", hint=f"it knows {', '.join(sorted(by_name)) or 'none'}"
        )
    trust = kvs.get(keys.key("pki"))
    signed_by = msgspec.json.decode(trust.value, type=Trust).generation if trust else 1
    return tuple(
        Newcomer(
            id=by_name[name].id,
            name=name,
            address=address,
            joined_at=by_name[name].joined_at,
            candidate=by_name[name].candidate,
            signed_by=signed_by,
            key=pki.make_key(),
        )
        for name, address in nodes.items()
    )


async def _bury(client: EtcdClient, kvs: Mapping[bytes, KeyValue], keys: Keys) -> None:
    """Remove the queen, her hand-over and all presence, with their leases: nobody can keep them alive again."""
    presence = keys.key("presence/")
    leases = {kv.lease for key, kv in kvs.items() if kv.lease and (key == keys.queen or key.startswith(presence))}
    for lease in sorted(leases):
        await client.revoke(lease)
    gone = [ops.delete(keys.queen), ops.delete(keys.handover), ops.delete_range(presence, prefix_end(presence))]
    await client.txn([], gone)


def _with_new_key(kvs: Mapping[bytes, KeyValue], keys: Keys, newcomer: Newcomer) -> ops.Op:
    key = keys.key("nodes", newcomer.id)
    record = msgspec.json.decode(kvs[key].value, type=Record)
    return ops.put(key, msgspec.json.encode(msgspec.structs.replace(record, key_pin=pki.key_pin(newcomer.key))))


def _admin(kvs: Mapping[bytes, KeyValue], keys: Keys, password: str, now: float) -> ops.Op:
    key = keys.key("users", ADMIN)
    before = msgspec.json.decode(kvs[key].value, type=UserRecord) if key in kvs else None
    record = UserRecord(
        name=ADMIN,
        role=Role.ADMIN,
        password_hash=hash_password(password, os.urandom(16)),
        created_at=before.created_at if before else now,
        changed_at=now,
        password_at=now,
    )
    return ops.put(key, msgspec.json.encode(record))


def _event(header: Header, now: float) -> Event:
    return Event(
        id=ulid(now, os.urandom(10)),
        time=now,
        term=header.term,
        actor=ACTOR,
        type="colony.restored",
        subject=header.colony,
        message=f"colony {header.colony} was restored from a backup of revision {header.revision}",
        severity=Severity.WARNING,
        payload={"revision": header.revision, "created_at": header.created_at, "sha256": header.sha256},
    )
