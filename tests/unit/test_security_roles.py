from __future__ import annotations

import pytest

from aware_agent.security.roles import Forbidden, Role, allows, require

V, O, A, S, N = Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.SECURITY_ADMIN, Role.NODE  # noqa: E741
TABLE = {
    V: {V: True, O: False, A: False, S: False, N: False},
    O: {V: True, O: True, A: False, S: False, N: False},
    A: {V: True, O: True, A: True, S: False, N: False},
    S: {V: True, O: True, A: True, S: True, N: False},
    N: {V: True, O: False, A: False, S: False, N: True},
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("needed", Role)
def test_every_pair(role: Role, needed: Role) -> None:
    assert allows(role, needed) is TABLE[role][needed]
    if TABLE[role][needed]:
        require(role, needed)
    else:
        with pytest.raises(Forbidden, match=f"needs role {needed}, you are {role}"):
            require(role, needed)
