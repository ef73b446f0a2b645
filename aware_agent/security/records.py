"""What the founder writes to etcd once, and users: values of ``colony``, ``ca`` and ``users/<name>``."""

from __future__ import annotations

import re

import msgspec

from aware_agent.security.roles import Role

USER_NAME = re.compile(r"[a-z][a-z0-9._@-]{0,63}")


class ColonyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``colony``: its presence means that the colony is founded."""

    name: str
    founded_at: float  # Unix seconds
    ca_pin: str  # of the CA it was founded with, see pki.ca_pin
    etcd_auth: bool = False  # whether etcd knows the nodes as users and lets nobody else in


class CaRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``ca``."""

    certificate: str  # PEM
    key: bytes  # PEM, sealed by the colony's sealer with the record's etcd key as context


class UserRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``users/<name>``."""

    name: str
    role: Role
    password_hash: str  # see password.hash_password
    created_at: float  # Unix seconds
    changed_at: float = 0.0
    password_at: float = 0.0  # when the password was changed; tokens issued before are refused. 0: never

    def __repr__(self) -> str:
        """Without the hash."""
        return f"UserRecord({self.name!r}, {self.role})"
