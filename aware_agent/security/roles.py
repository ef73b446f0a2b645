"""Who may do what: viewer reads, operator changes, admin governs, security-admin decides what the others are held by.

What each role may do in detail is the table in :mod:`aware_agent.security.permissions`.
"""

from __future__ import annotations

from enum import StrEnum

from aware_agent.colony.errors import AwareError


class Role(StrEnum):
    """What a principal is. Those of people are an order, each includes those before it; ``node`` stands beside it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    SECURITY_ADMIN = "security-admin"
    NODE = "node"


HUMAN_ROLES = (Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.SECURITY_ADMIN)
_RANK = {Role.NODE: 0, Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2, Role.SECURITY_ADMIN: 3}


class Forbidden(AwareError):
    """The principal is known but may not do this; nothing was changed."""

    code = "forbidden"
    exit_code = 3
    status = 403


def allows(role: Role, needed: Role) -> bool:
    """Whether ``role`` may do what ``needed`` may. Only nodes may do what needs ``node``."""
    if needed is Role.NODE:
        return role is Role.NODE
    return _RANK[role] >= _RANK[needed]


def lower(one: Role, other: Role) -> Role:
    """The one of two roles of people that may do less."""
    return other if allows(one, other) else one


def require(role: Role, needed: Role) -> None:
    """Raise :class:`Forbidden` unless ``role`` may do what ``needed`` may."""
    if not allows(role, needed):
        raise Forbidden(f"this needs role {needed}, you are {role}", hint="log in as somebody who has it")
