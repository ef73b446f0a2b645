"""What of the spec is not an operator's to change: how long things are kept, and how long trust lasts. Pure."""

from __future__ import annotations

from aware_agent.colony.spec import Policies, Spec
from aware_agent.security.judging import Holder, may
from aware_agent.security.permissions import GOVERNED, role_for
from aware_agent.security.roles import Forbidden


def governed_changes(before: Spec | None, after: Spec) -> list[str]:
    """The governed fields in which ``after`` differs from what is in force; without a spec those are the defaults."""
    then = before.policies if before else Policies()
    return [field for field, name in GOVERNED.items() if getattr(then, name) != getattr(after.policies, name)]


def check_governed(before: Spec | None, after: Spec, who: Holder) -> None:
    """Raise :class:`Forbidden`, naming the fields, when ``who`` may not change what ``after`` changes."""
    needed = role_for("spec:govern")
    if may(who, "spec:govern"):
        return
    changed = governed_changes(before, after)
    if changed:
        raise Forbidden(
            f"to change {' and '.join(changed)} needs role {needed}, you are {_described(who)}",
            hint="leave what the spec in force says there (aware spec show), or ask somebody who has the role",
        )


def _described(who: Holder) -> str:
    return f"{who.role} with scopes {', '.join(who.scopes)[:200]}" if who.scopes else str(who.role)
