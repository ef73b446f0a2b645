"""What schemathesis, in a process of its own, needs to know: how to come in, as somebody who may do everything.

Each request has a token of its own, for among what it tries is to log out.
"""

from __future__ import annotations

import time
from typing import Any

import schemathesis

from aware_agent.security.jwt import BARE_TTL_S, TokenSigner, token_key
from aware_agent.security.roles import Role
from tests.memory_colony import COLONY, SECRET

SIGNER = TokenSigner(COLONY, token_key(COLONY, SECRET))


@schemathesis.auth(refresh_interval=None)
class Fresh:
    """A token of the colony's secret, as the command line makes one on a council member."""

    def get(self, case: Any, context: Any) -> str:
        return SIGNER.issue("ada", Role.SECURITY_ADMIN, now=time.time(), ttl_s=BARE_TTL_S).token

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}
