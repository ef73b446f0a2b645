"""etcd's user ``root`` for the one thing only root may do: a snapshot.

Nothing is stored for it: whoever can open the CA makes a certificate with the common name ``root``, keeps it in memory
and uses it for minutes.
"""

from __future__ import annotations

import msgspec

from aware_agent.agent.material import FOUNDER_USER
from aware_agent.agent.state import Membership, NodeState
from aware_agent.security import pki
from aware_agent.security.records import CaRecord
from aware_agent.security.sealed import KeyringSealer
from aware_agent.store.lines import Credentials

_DAYS = 1


def open_ca(value: bytes, key: bytes, membership: Membership) -> pki.Pair:
    """The CA out of the value of the etcd key ``key``, by the secrets of a member that may reign. Raises SealBroken."""
    record = msgspec.json.decode(value, type=CaRecord)
    opened = KeyringSealer(membership.keyring()).open(record.key, key)
    return pki.Pair(certificate=record.certificate.encode(), key=opened)


def root_credentials(ca_value: bytes, ca_key: bytes, state: NodeState, now: float) -> Credentials:
    """A client certificate of etcd's user root, good for a day and never written anywhere."""
    ca = open_ca(ca_value, ca_key, state.membership)
    pair = pki.issue(ca, pki.make_key(), common_name=FOUNDER_USER, sans=[], now=now, days=_DAYS)
    return Credentials(ca=state.ca, cert=pair.certificate, key=pair.key)
