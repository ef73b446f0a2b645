"""What is done to a restored colony before anybody may connect to it: nothing in it may claim to be alive."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from aware_agent.agent.found import ADMIN
from aware_agent.agent.history import put_event
from aware_agent.agent.state import Identity, Membership, StateDir
from aware_agent.colony.audit import RESTORED, Asker, Kind
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import Conflict, NotFound
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.node import Record
from aware_agent.colony.rotation import Trust
from aware_agent.queen.audit import AuditTrail, Seals
from aware_agent.queen.backup.format import Header
from aware_agent.security import pki
from aware_agent.security.files import write_atomic
from aware_agent.security.keyring import share
from aware_agent.security.password import hash_password
from aware_agent.security.records import USER_ID_BYTES, ColonyRecord, CouncilAccess, UserRecord
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
T = TypeVar("T")


class Heritage(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup leaves to the colony that comes back, and the join token made for it."""

    header: Header
    membership: Membership
    ca: pki.Pair
    bundle: bytes  # the CAs its nodes believe, PEM
    council_ca: pki.Pair
    council_bundle: bytes  # the CAs etcd and its clients believe, PEM
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
    eligible: bool
    signed_by: int  # generation of the CA
    key: bytes  # PEM, new

    def __repr__(self) -> str:
        """Without the key."""
        return f"Newcomer({self.id!r}, {self.name!r})"


class Cleaned(msgspec.Struct, frozen=True, kw_only=True):
    """The revision everything afterwards is above, and the nodes that get a state directory."""

    revision: int
    newcomers: tuple[Newcomer, ...]
    users: tuple[str, ...]  # that can log in again, with the passwords of then
    tokens: tuple[str, ...]  # ids of join tokens that are good again, the new one aside
    sessions: int  # that were in the backup, and ended
    eligible: tuple[str, ...]  # names of nodes that may sit in the council
    unreadable: tuple[str, ...]  # keys whose values cannot be read: they stay as they are


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
    reading = _Reading(kvs, keys)
    records = reading.records()
    newcomers = _newcomers(records, nodes, reading.generation(heritage.membership), reading.unreadable)
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
        eligible=True,  # the hosts of a colony that comes back are its members
    )
    changes = [
        ops.put(keys.key("tokens", record.id), msgspec.json.encode(record)),
        put_event(keys, _line(header), term=header.term, actor=ACTOR, now=now),
        *(_with_new_key(records[newcomer.name], keys, newcomer) for newcomer in newcomers),
    ]
    if admin_password:
        changes.append(_admin(reading.admin(), keys, admin_password, now))
    back = {name: _named(kvs, keys.key(name, "")) for name in ("users", "tokens", "sessions")}
    changes += _audited(header, keys, kvs, heritage.membership, back)
    revision = found.revision
    for start in range(0, len(changes), _CHUNK):
        revision = (await client.txn([], changes[start : start + _CHUNK])).revision
    return Cleaned(
        revision=revision,
        newcomers=newcomers,
        users=back["users"],
        tokens=back["tokens"],
        sessions=len(back["sessions"]),
        eligible=tuple(sorted(record.name for record in records.values() if record.eligible)),
        unreadable=tuple(reading.unreadable),
    )


def issue_state(directory: Path, newcomer: Newcomer, heritage: Heritage, *, now: float) -> None:
    """A state directory with which ``newcomer`` starts as the node it was; it renews its certificate by itself."""
    membership = heritage.membership
    state = StateDir(directory)
    state.prepare()
    sans = pki.node_sans(membership.colony, newcomer.name, [newcomer.address], eligible=newcomer.eligible)

    def certify(ca: pki.Pair) -> bytes:
        return pki.issue(ca, newcomer.key, common_name=newcomer.id, sans=sans, now=now).certificate

    council = CouncilAccess(certificate=certify(heritage.council_ca), ca=heritage.council_bundle)
    write_atomic(state.identity_path, msgspec.json.encode(Identity(id=newcomer.id, name=newcomer.name)))
    state.save_key(newcomer.key)
    own = msgspec.structs.replace(
        membership,
        secret=share(membership.secret, whole=newcomer.eligible),
        others={number: share(secret, whole=newcomer.eligible) for number, secret in membership.others.items()},
        etcd=membership.etcd if newcomer.eligible else (),
        joined_at=newcomer.joined_at,
        signed_by=newcomer.signed_by,
        issued_at=0.0,  # no queen signed it: the node asks for another certificate at once
        whole=newcomer.eligible,
        addresses=(newcomer.address,),
    )
    state.save(
        own,
        certificate=certify(heritage.ca),
        ca=heritage.bundle,
        council=council if newcomer.eligible else None,
    )


class _Backed:
    """What the backup holds, as the audit chain reads it."""

    def __init__(self, kvs: Mapping[bytes, KeyValue]) -> None:
        self._kvs = kvs

    def get(self, key: bytes) -> KeyValue | None:
        return self._kvs.get(key)

    def items(self, prefix: bytes = b"") -> Iterator[KeyValue]:
        return (self._kvs[key] for key in sorted(self._kvs) if key.startswith(prefix))


def _named(kvs: Mapping[bytes, KeyValue], prefix: bytes) -> tuple[str, ...]:
    return tuple(sorted(key[len(prefix) :].decode(errors="replace") for key in kvs if key.startswith(prefix)))


def _audited(
    header: Header,
    keys: Keys,
    kvs: Mapping[bytes, KeyValue],
    membership: Membership,
    back: Mapping[str, tuple[str, ...]],
) -> list[ops.Op]:
    """The chain goes on from the backup's, with a line that says so: what was written since is in archives only."""
    trail = AuditTrail(keys, _Backed(kvs), header.term, Seals(header.colony, membership.keyring()))
    tokens, sessions = len(back["tokens"]), len(back["sessions"])
    change = (
        f"from a backup of revision {header.revision}, after line {trail.head.seq}; {sessions} sessions ended, "
        f"{tokens} join tokens and {len(back['users'])} users are as they were: {', '.join(back['users'])}"
    )
    told = trail.entry(Asker(kind=Kind.COLONY), RESTORED, ACTOR, subject=header.colony, change=change)
    return trail.step([told]).changes


class _Reading:
    """Reads records one by one. One that cannot be read, of a newer release or damaged, costs no colony."""

    def __init__(self, kvs: Mapping[bytes, KeyValue], keys: Keys) -> None:
        self.unreadable: list[str] = []
        self._kvs = kvs
        self._keys = keys

    def records(self) -> dict[str, Record]:
        """Of nodes, by name."""
        prefix = self._keys.key("nodes/")
        found = [self._one(key, Record) for key in self._kvs if key.startswith(prefix)]
        return {record.name: record for record in found if record is not None}

    def generation(self, membership: Membership) -> int:
        """Of the CA that signs; what the queen herself knew where the colony's word about it cannot be read."""
        key = self._keys.key("pki")
        if key not in self._kvs:
            return 1
        trust = self._one(key, Trust)
        return trust.generation if trust else membership.generation

    def admin(self) -> UserRecord | None:
        """User admin."""
        return self._one(self._keys.key("users", ADMIN), UserRecord)

    def _one(self, key: bytes, kind: type[T]) -> T | None:
        if key not in self._kvs:
            return None
        try:
            return from_json(self._kvs[key].value, kind)
        except UNDECODABLE:
            self.unreadable.append(self._keys.relative(key))
            return None


def _check(kvs: Mapping[bytes, KeyValue], keys: Keys, header: Header) -> None:
    founded = kvs.get(keys.key("colony"))
    try:
        name = from_json(founded.value, ColonyRecord).name if founded else ""
    except UNDECODABLE:
        name = ""
    if name != header.colony:
        raise Conflict(f"the snapshot holds no colony {header.colony!r}", hint="choose another backup")


def _newcomers(
    records: Mapping[str, Record], nodes: Mapping[str, str], signed_by: int, unreadable: Sequence[str]
) -> tuple[Newcomer, ...]:
    unknown = [name for name in nodes if name not in records]
    if unknown:
        also = f"; it cannot be read: {', '.join(unreadable)}" if unreadable else ""
        raise NotFound(
            f"the backup knows no node {', '.join(unknown)}{also}",
            hint=f"it knows {', '.join(sorted(records)) or 'none'}",
        )
    return tuple(
        Newcomer(
            id=records[name].id,
            name=name,
            address=address,
            joined_at=records[name].joined_at,
            eligible=records[name].eligible,
            signed_by=signed_by,
            key=pki.make_key(),
        )
        for name, address in nodes.items()
    )


async def _bury(client: EtcdClient, kvs: Mapping[bytes, KeyValue], keys: Keys) -> None:
    """Remove the queen, her hand-over and all presence, with their leases: nobody can keep them alive again.

    And who sat in the council: those were members of the etcd that is lost. And all sessions and service accounts: some
    of them, and of their tokens, had ended since.
    """
    presence, seats = keys.key("presence/"), keys.key("seats/")
    credentials = keys.key("sessions/"), keys.key("service-accounts/"), keys.key("service-account-uses/")
    leases = {kv.lease for key, kv in kvs.items() if kv.lease and (key == keys.queen or key.startswith(presence))}
    for lease in sorted(leases):
        await client.revoke(lease)
    gone = [ops.delete(keys.queen), ops.delete(keys.handover), ops.delete(keys.key("council"))]
    gone += [ops.delete_range(prefix, prefix_end(prefix)) for prefix in (presence, seats, *credentials)]
    await client.txn([], gone)


def _with_new_key(record: Record, keys: Keys, newcomer: Newcomer) -> ops.Op:
    # Who restores says where its nodes are now.
    moved = msgspec.structs.replace(
        record, key_pin=pki.key_pin(newcomer.key), address=newcomer.address, pinned=(newcomer.address,)
    )
    return ops.put(keys.key("nodes", newcomer.id), msgspec.json.encode(moved))


def _admin(before: UserRecord | None, keys: Keys, password: str, now: float) -> ops.Op:
    record = UserRecord(
        name=ADMIN,
        role=Role.SECURITY_ADMIN,
        password_hash=hash_password(password, os.urandom(16)),
        created_at=before.created_at if before else now,
        changed_at=now,
        password_at=now,
        id=os.urandom(USER_ID_BYTES).hex(),
    )
    return ops.put(keys.key("users", ADMIN), msgspec.json.encode(record))


def _line(header: Header) -> EventDraft:
    return EventDraft(
        type="colony.restored",
        subject=header.colony,
        message=f"colony {header.colony} was restored from a backup of revision {header.revision}",
        severity=Severity.WARNING,
        payload={"revision": header.revision, "created_at": header.created_at, "sha256": header.sha256},
    )
