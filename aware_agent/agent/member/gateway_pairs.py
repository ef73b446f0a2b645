"""``python -m aware_agent.agent.member.gateway_pairs``: a short process that certifies the two keys of a gateway.

A council member holds the colony secret, so it can open the CAs' keys in etcd and certify what belongs to its own
gateway: a server certificate of the node CA with the names and addresses of the node's, and a client certificate of the
council CA that is an account of its own at etcd, which may only read. Neither key is the node's. The work is done in a
process of its own so that the agent never loads ``cryptography`` for it; the secret comes on its standard input and
goes with it.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Sequence

import msgspec

from aware_agent.colony.decoding import from_json, from_msgpack
from aware_agent.security import pki
from aware_agent.security.audit import public_keys
from aware_agent.security.derive import derive
from aware_agent.security.keyring import fingerprint
from aware_agent.security.records import CaRecord, gateway_user
from aware_agent.security.sealed import Sealer, colony_sealer


class PairsTask(msgspec.Struct, frozen=True, kw_only=True):
    """What to certify."""

    colony: str
    node: str  # id
    certificate: bytes  # of the node, PEM: whose names and end the gateway's have
    ca_key: bytes  # etcd key of the node CA's record, which its seal is bound to
    ca_record: bytes
    council_ca_key: bytes  # the same of the council CA
    council_ca_record: bytes
    secrets: tuple[bytes, ...]


class GatewayPairs(msgspec.Struct, frozen=True, kw_only=True):
    """Two certificates with their keys (PEM), made for the node certificate with that fingerprint; and the public keys
    of the audit log, whose private halves come of the same ``secrets`` and which no gateway is given.
    """

    of: str
    audit_keys: tuple[str, ...]
    secrets_of: str  # the secrets they come of
    tls_certificate: bytes
    tls_key: bytes
    etcd_certificate: bytes
    etcd_key: bytes

    def __repr__(self) -> str:
        """Without keys."""
        return f"GatewayPairs(of={self.of!r})"


def certify(task: PairsTask, now: float) -> GatewayPairs:
    """Make both. Raises SealBroken when the secret is not the colony's, ``ValueError`` for a damaged certificate."""
    sealer = colony_sealer(*task.secrets)
    ca = _open(sealer, task.ca_key, task.ca_record)
    council_ca = _open(sealer, task.council_ca_key, task.council_ca_record)
    like = pki.facts(task.certificate)
    days = max(0.0, like.not_after - now) / 86400.0
    user = gateway_user(task.node)
    server = pki.issue(
        ca, pki.make_key(), common_name=user, sans=sorted(like.sans), now=now, days=days, uses=pki.SERVER
    )
    client = pki.issue(council_ca, pki.make_key(), common_name=user, sans=[], now=now, days=days, uses=pki.CLIENT)
    return GatewayPairs(
        of=fingerprint(task.certificate),
        audit_keys=public_keys(task.colony, task.secrets),
        secrets_of=secrets_mark(task.secrets),
        tls_certificate=server.certificate,
        tls_key=server.key,
        etcd_certificate=client.certificate,
        etcd_key=client.key,
    )


def secrets_mark(secrets: Sequence[bytes]) -> str:
    """Tells one set of secrets from another, and nothing of them."""
    return hashlib.sha256(b"".join(derive(secret, "gateway/mark") for secret in secrets)).hexdigest()[:32]


def _open(sealer: Sealer, key: bytes, record: bytes) -> pki.Pair:
    kept = from_json(record, CaRecord)
    return pki.Pair(kept.certificate.encode(), sealer.open(kept.key, key))


def main() -> int:
    """Read a task, print the pairs."""
    task = from_msgpack(sys.stdin.buffer.read(), PairsTask)
    sys.stdout.buffer.write(msgspec.msgpack.encode(certify(task, time.time())))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
