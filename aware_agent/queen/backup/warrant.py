"""etcd's user ``root`` for the one thing only root may do: a snapshot.

Nothing is stored for it: whoever can open the council CA makes a certificate with the common name ``root``, keeps it in
memory and uses it for minutes.
"""

from __future__ import annotations

from aware_agent.agent.material import FOUNDER_USER
from aware_agent.agent.member.etcd_access import council_access
from aware_agent.agent.state import Membership, NodeState
from aware_agent.colony.decoding import from_json
from aware_agent.security import pki
from aware_agent.security.records import CaRecord
from aware_agent.security.sealed import KeyringSealer
from aware_agent.store.connections import Credentials
from aware_agent.store.model import KeyValue

_DAYS = 1


def open_ca(value: bytes, key: bytes, membership: Membership) -> pki.Pair:
    """A CA out of the value of the etcd key ``key``, by the secrets of a member that may reign. Raises SealBroken."""
    record = from_json(value, CaRecord)
    opened = KeyringSealer(membership.keyring()).open(record.key, key)
    return pki.Pair(certificate=record.certificate.encode(), key=opened)


def root_credentials(council_ca: KeyValue, state: NodeState, now: float) -> Credentials:
    """A client certificate of etcd's user root, good for a day and never written anywhere. Raises SealBroken."""
    ca = open_ca(council_ca.value, council_ca.key, state.membership)
    pair = pki.issue(ca, pki.make_key(), common_name=FOUNDER_USER, sans=[], now=now, days=_DAYS)
    return Credentials(ca=council_access(state).ca, cert=pair.certificate, key=pair.key)
