"""Who stands behind a command, and with which right: what a gateway found, and the queen looks at once more."""

from __future__ import annotations

import msgspec

from aware_agent.security.roles import Forbidden, Role, require


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """The right a command is given with."""

    role: Role  # at most this, whatever the account may do
    account: str  # id of its record: who has the name later is another
    scopes: tuple[str, ...] = ()  # what it may do of that; () is all
    token: str = ""  # id of a service account's token; "" for a person

    @property
    def program(self) -> bool:
        """Whether a service account asks."""
        return bool(self.token)


def require_roles(grant: Grant | None, *roles: Role | None) -> None:
    """Raise :class:`Forbidden` unless who asks has each of ``roles``: nobody gives or touches what is above him."""
    for role in roles:
        if grant is not None and role is not None:
            require(grant.role, role)


def require_unbounded(grant: Grant | None) -> None:
    """Raise :class:`Forbidden` for who has scopes or expires, where what is made would have neither."""
    if grant is not None and (grant.scopes or grant.program):
        raise Forbidden("users are made and changed by who is logged in with all of a role", hint="log in: aware login")
