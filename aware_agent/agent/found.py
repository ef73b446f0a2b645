"""Founding: the one transaction that brings a colony into being.

It is guarded by the absence of the ``colony`` key, so of any number of founders and repetitions exactly one takes
effect, wholly; the others change nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import msgspec

from aware_agent.agent.history import put_event
from aware_agent.agent.material import Material, make_material
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.difference import differences, plain
from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.node import Record, Status
from aware_agent.colony.spec import Spec, check_apart, check_spec
from aware_agent.colony.version import Version, name_of
from aware_agent.security import pki
from aware_agent.security.password import hash_password
from aware_agent.security.records import USER_ID_BYTES, CaRecord, ColonyRecord, UserRecord
from aware_agent.security.roles import Role
from aware_agent.security.sealed import colony_sealer
from aware_agent.security.token import JoinToken, TokenRecord, beacon_key, verifier
from aware_agent.store import ops
from aware_agent.store.keys import Keys
from aware_agent.store.protocol import Store

__all__ = ["ADMIN", "Material", "found", "make_material"]

ADMIN = "admin"
FOUNDER = "colony"  # actor of what happened before there was anybody
TOKEN_TTL_S = 86400.0


async def found(
    client: Store,
    keys: Keys,
    material: Material,
    spec: Spec,
    admin_password: str,
    *,
    now: float,
    token_ttl_s: float | None = TOKEN_TTL_S,
    token_uses: int | None = None,
    randomness: Callable[[int], bytes] = os.urandom,
) -> JoinToken | None:
    """Found the colony. Returns its first join token, or None when it was founded before: nothing is changed then.

    Raises InvalidInput for a spec or password that breaks a rule, Conflict when another colony of that name lives
    there, StoreError. After any error the call may be repeated.
    """
    check_spec(spec)
    check_apart(spec.castes, [material.founder_name])
    if not material.colony == keys.colony == spec.colony:
        raise InvalidInput(
            f"the spec is of colony {spec.colony!r}, the material of {material.colony!r}", field="colony"
        )
    if await _founded_before(client, keys, material):
        return None
    password_hash = await asyncio.to_thread(hash_password, admin_password, randomness(16))
    admin = UserRecord(
        name=ADMIN,
        role=Role.SECURITY_ADMIN,
        password_hash=password_hash,
        created_at=now,
        changed_at=now,
        id=randomness(USER_ID_BYTES).hex(),
    )
    expires_at = None if token_ttl_s is None else now + token_ttl_s
    token = _token_record(keys, material, now, expires_at=expires_at, uses_left=token_uses)
    values = {
        keys.key("colony"): ColonyRecord(name=material.colony, founded_at=now, ca_pin=material.token.ca_pin),
        keys.key("ca"): _ca_record(material, material.ca, keys.key("ca")),
        keys.key("council-ca"): _ca_record(material, material.council_ca, keys.key("council-ca")),
        keys.key("spec"): spec,
        keys.key("users", ADMIN): admin,
        keys.key("tokens", token.id): token,
        keys.key("nodes", material.founder_id): _founder_record(material, now),
    }
    writes = [ops.put(key, msgspec.json.encode(value)) for key, value in values.items()]
    version = Version(number=1, at=now, term=0, actor=FOUNDER, message="as the colony was founded", value=plain(spec))
    writes.append(ops.put(keys.key("versions", "spec", name_of(1)), msgspec.json.encode(version)))
    writes.append(put_event(keys, _line(material, spec), term=0, actor=FOUNDER, now=now, randomness=randomness))
    result = await client.txn([ops.absent(keys.key("colony"))], writes)
    if result.succeeded:
        return material.token
    await _founded_before(client, keys, material)  # another founder was faster: the same colony, or Conflict
    return None


async def _founded_before(client: Store, keys: Keys, material: Material) -> bool:
    kept = await client.get(keys.key("colony"))
    if kept is None:
        return False
    try:
        record = from_json(kept.value, ColonyRecord)
    except UNDECODABLE as error:
        raise Conflict(
            f"{keys.relative(kept.key)!r} in etcd is not a colony's record", hint="is this etcd ours?"
        ) from error
    if record.ca_pin != pki.ca_pin(material.ca.certificate):
        raise Conflict(
            f"another colony {keys.colony!r} with another CA lives in this etcd",
            hint="choose another name, or use the material it was founded from",
        )
    return True


def _ca_record(material: Material, ca: pki.Pair, key: bytes) -> CaRecord:
    return CaRecord(certificate=ca.certificate.decode(), key=colony_sealer(material.secret).seal(ca.key, key))


def _founder_record(material: Material, now: float) -> Record:
    """The founder needs no join; it is suspect until its presence is seen, like every newcomer."""
    return Record(
        id=material.founder_id,
        name=material.founder_name,
        joined_at=now,
        status=Status.SUSPECT,
        status_since=now,
        eligible=True,
        key_pin=material.founder_pin,
        address=material.founder_addresses[0],
        pinned=material.founder_addresses,
    )


def _token_record(
    keys: Keys, material: Material, now: float, *, expires_at: float | None, uses_left: int | None
) -> TokenRecord:
    token = material.token
    return TokenRecord(
        id=token.id,
        verifier=verifier(token),
        beacon_key=colony_sealer(material.secret).seal(beacon_key(token), keys.key("tokens", token.id)),
        created_at=now,
        created_by=FOUNDER,
        expires_at=expires_at,
        uses_left=uses_left,
        eligible=True,  # who founds a colony lets its first members in
    )


def _line(material: Material, spec: Spec) -> EventDraft:
    return EventDraft(
        type="colony.founded",
        subject=material.colony,
        message=f"Colony {material.colony} was founded.",
        severity=Severity.NOTICE,
        payload={
            "ca_pin": material.token.ca_pin,
            "founder": material.founder_id,
            "changes": msgspec.to_builtins(differences(plain(None), plain(spec))),
        },
    )
