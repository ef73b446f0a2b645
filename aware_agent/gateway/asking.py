"""Who sent the request that is being answered: known to what hands its commands on, without being passed around."""

from __future__ import annotations

from contextvars import ContextVar

from aware_agent.security.grant import Grant
from aware_agent.security.jwt import Principal

_ASKING: ContextVar[Principal | None] = ContextVar("asking", default=None)


def set_asking(principal: Principal) -> None:
    """From now on the present request is of ``principal``."""
    _ASKING.set(principal)


def grant_for(actor: str) -> Grant | None:
    """The right with which ``actor`` asks; None when the request proves itself by what it carries."""
    who = _ASKING.get()
    if who is None or who.name != actor:
        return None
    token = who.jti if who.program else ""
    return Grant(role=who.role, account=who.user_id, scopes=who.scopes, token=token)
