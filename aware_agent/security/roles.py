"""Who may do what: viewer reads, operator changes, admin governs; node is a member of the colony itself."""

from __future__ import annotations

from enum import StrEnum

from aware_agent.colony.errors import AwareError


class Role(StrEnum):
    """What a principal is. The first three are an order; ``node`` stands beside it and reads."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    NODE = "node"


HUMAN_ROLES = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
_RANK = {Role.NODE: 0, Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}


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


def require(role: Role, needed: Role) -> None:
    """Raise :class:`Forbidden` unless ``role`` may do what ``needed`` may."""
    if not allows(role, needed):
        raise Forbidden(f"this needs role {needed}, you are {role}", hint="log in as somebody who has it")
