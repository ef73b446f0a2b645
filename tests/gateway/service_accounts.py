"""Service accounts as the queen would have written them."""

from __future__ import annotations

import os
import time

from aware_agent.security.roles import Role
from aware_agent.security.service_account import TOKEN_BYTES, ServiceAccount, ServiceToken, make_secret
from tests.gateway.memory import MemoryContext


def put_account(
    context: MemoryContext,
    name: str,
    role: Role,
    *scopes: str,
    owner: str = "ada",
    ttl_s: float = 3600.0,
    token_scopes: tuple[str, ...] = (),
) -> str:
    """An account with one token; the token."""
    text, token_id, verifier = make_secret(name, os.urandom(TOKEN_BYTES))
    now = time.time()
    token = ServiceToken(
        id=token_id,
        verifier=verifier,
        created_at=now - 60,
        created_by=owner,
        expires_at=now + ttl_s,
        scopes=token_scopes,
    )
    account = ServiceAccount(
        name=name,
        id=os.urandom(16).hex(),
        role=role,
        owner=owner,
        owner_id="",
        created_at=now,
        scopes=scopes,
        tokens=(token,),
    )
    context.put(context.keys.key("service-accounts", name), account)
    return text


def bearer(token: str) -> dict[str, str]:
    """The header."""
    return {"authorization": f"Bearer {token}"}
