"""What an eligible node shows to etcd and believes there: its key, certified by the council CA.

etcd believes no other CA, so a node certificate is worth nothing to it: a worker does not complete the handshake.
"""

from __future__ import annotations

from aware_agent.agent.member.etcd_home import EtcdPair
from aware_agent.agent.state import NodeState
from aware_agent.colony.errors import NotFound
from aware_agent.security.records import CouncilAccess
from aware_agent.store.connections import Credentials


def council_access(state: NodeState) -> CouncilAccess:
    """Raises NotFound for a worker, which has none."""
    if state.council is None:
        raise NotFound(
            f"{state.identity.name} is a worker: etcd does not let it in",
            hint="an eligible node joins with a token made by: aware tokens create --eligible",
        )
    return state.council


def etcd_credentials(state: NodeState) -> Credentials:
    """As a client. Raises NotFound for a worker."""
    access = council_access(state)
    return Credentials(ca=access.ca, cert=access.certificate, key=state.key)


def etcd_pair(state: NodeState) -> EtcdPair:
    """As a member, to clients and to other members. Raises NotFound for a worker."""
    access = council_access(state)
    return EtcdPair(ca=access.ca, certificate=access.certificate, key=state.key)
