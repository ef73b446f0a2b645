"""Whether a principal may do something: its role, then its scopes, then what no program does. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aware_agent.security.permissions import PEOPLE_ONLY, Rule, role_for
from aware_agent.security.roles import Forbidden, Role, allows, require
from aware_agent.security.scopes import Target, covers, touches


class Holder(Protocol):
    """Who asks, as far as that decides."""

    @property
    def role(self) -> Role:
        """The most it may do."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """What it may do of that; () is all."""

    @property
    def program(self) -> bool:
        """Whether it is a service account."""


def may(who: Holder, permission: str, target: Target | None = None) -> bool:
    """Whether ``who`` may do what ``resource:verb`` names, to ``target`` or, without, to all there is."""
    if not allows(who.role, role_for(permission)) or (who.program and permission in PEOPLE_ONLY):
        return False
    return not who.scopes or covers(who.scopes, permission, target)


def permit(who: Holder, permission: str, target: Target | None = None) -> None:
    """Raise :class:`Forbidden` unless ``who`` may do what ``resource:verb`` names; see :func:`may`."""
    require(who.role, role_for(permission))
    if not may(who, permission, target):
        raise refusal(who, [permission])


def enter(who: Holder, rule: Rule) -> None:
    """Raise :class:`Forbidden` unless ``who`` may do something of what a route is for, to something."""
    if rule.role is not None:
        require(who.role, rule.role)
    if rule.permissions and not any(_somewhere(who, one) for one in rule.permissions):
        raise refusal(who, rule.permissions)


def _somewhere(who: Holder, permission: str) -> bool:
    if who.program and permission in PEOPLE_ONLY:
        return False
    return allows(who.role, role_for(permission)) and (not who.scopes or touches(who.scopes, [permission]))


def refusal(who: Holder, permissions: Sequence[str]) -> Forbidden:
    """Why the role is enough and it may not all the same."""
    wanted = " or ".join(permissions)
    if who.program and all(one in PEOPLE_ONLY for one in permissions):
        return Forbidden(f"a service account may not {wanted}", hint="somebody who is logged in has to")
    has = ", ".join(who.scopes)
    return Forbidden(f"this needs {wanted}, and the scopes are {has[:300]}", hint="use a credential with that scope")
