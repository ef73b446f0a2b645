from __future__ import annotations

import pytest

from aware_agent.security.roles import Forbidden, Role, allows, require

V, O, A, N = Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.NODE  # noqa: E741
TABLE = {
    V: {V: True, O: False, A: False, N: False},
    O: {V: True, O: True, A: False, N: False},
    A: {V: True, O: True, A: True, N: False},
    N: {V: True, O: False, A: False, N: True},
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
