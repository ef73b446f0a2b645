"""What the founder writes to etcd once, and users: ``colony``, ``ca``, ``council-ca`` and ``users/<name>``."""

from __future__ import annotations

import msgspec

from aware_agent.security.roles import Role

USER_ID_BYTES = 16


class ColonyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``colony``: its presence means that the colony is founded."""

    name: str
    founded_at: float  # Unix seconds
    ca_pin: str  # of the CA it was founded with, see pki.ca_pin
    etcd_auth: bool = False  # whether etcd knows the nodes as users and lets nobody else in


class CaRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``ca`` and of ``council-ca``."""

    certificate: str  # PEM
    key: bytes  # PEM, sealed by the colony's sealer with the record's etcd key as context


class CouncilAccess(msgspec.Struct, frozen=True, kw_only=True):
    """What an eligible node shows to etcd, and believes there; the key is the node's own. PEM."""

    certificate: bytes  # of the council CA, CN = node id
    ca: bytes  # bundle of council CAs

    def __repr__(self) -> str:
        """Short."""
        return "CouncilAccess(certificate, ca)"


def gateway_user(node_id: str) -> str:
    """The common name of a member's gateway, which is its user at etcd: it never is a node's id."""
    return f"gateway.{node_id}"


class DeniedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``denied/<fingerprint of a node's key>``: no token lets that key in again until an admin allows it."""

    key_pin: str
    node_id: str
    name: str  # it had when it was removed
    removed_at: float  # Unix seconds
    removed_by: str


class UserRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``users/<name>``."""

    name: str
    role: Role
    password_hash: str  # see password.hash_password
    created_at: float  # Unix seconds
    changed_at: float = 0.0
    password_at: float = 0.0  # when the password was changed. 0: never
    id: str = ""  # random: a user who is deleted and made anew is another one
    provider: str = ""  # identity provider that names this user; empty: a local one, with a password
    display: str = ""  # what the provider calls it; decides nothing

    @property
    def account(self) -> str:
        """Another one for another user of this name, and after another password; never empty. Not secret."""
        return f"{self.id}@{self.password_at!r}"

    def __repr__(self) -> str:
        """Without the hash."""
        return f"UserRecord({self.name!r}, {self.role})"
