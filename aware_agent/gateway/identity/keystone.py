"""OpenStack's identity service: what a token of it is worth. The token is asked about with itself (token_subject)."""

from __future__ import annotations

from typing import Any

from aware_agent.gateway.identity.errors import IdentityRefused
from aware_agent.gateway.identity.oidc import judged
from aware_agent.gateway.identity.requests import Requests
from aware_agent.security.providers import Identity, KeystoneProvider

MAX_TOKEN = 8192


class KeystoneClient:
    """Asks one Keystone. Errors: see :mod:`.errors`."""

    def __init__(self, provider: KeystoneProvider) -> None:
        self._provider = provider
        self._requests = Requests(provider.url, (), provider.ca)

    async def close(self) -> None:
        """End all connections."""
        await self._requests.close()

    async def exchange(self, token: str) -> Identity:
        """Whom a token names. It has to be of a project: what somebody may do depends on where."""
        if not (0 < len(token) <= MAX_TOKEN and token.isascii() and token.isprintable() and " " not in token):
            raise IdentityRefused("this is no token of OpenStack")
        status, document = await self._requests.document(
            "GET",
            f"{self._provider.url.rstrip('/')}/auth/tokens?nocatalog",
            headers={"x-auth-token": token, "x-subject-token": token},
            wanted=(200, 401, 403, 404),
        )
        if status != 200:
            raise IdentityRefused("Keystone does not know this token, or it has expired", hint="openstack token issue")
        try:
            user, claims = claims_of(document["token"])
        except (KeyError, TypeError, AttributeError):
            raise IdentityRefused("this token is of no project", hint="scope it to a project") from None
        return judged(user, claims, self._provider.rules, claims["user"])


def claims_of(token: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Id of the user, and what rules may ask for. Raises KeyError and the like for what is of no project."""
    user, project = token["user"], token["project"]
    place = f"{project['domain']['name']}/{project['name']}"
    roles = [role["name"] for role in token["roles"]]
    if not isinstance(user["id"], str) or not user["id"]:
        raise KeyError("id")
    claims = {
        "user": f"{user['domain']['name']}/{user['name']}",
        "user_id": user["id"],
        "project": place,
        "project_id": project["id"],
        "roles": roles,
        "grants": [f"{role}@{place}" for role in roles],
    }
    return user["id"], claims
