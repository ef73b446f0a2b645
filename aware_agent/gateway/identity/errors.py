"""What goes wrong with identity providers. No message shows a token, a code or a secret."""

from __future__ import annotations

from aware_agent.colony.errors import AwareError
from aware_agent.security.jwt import Unauthenticated


class IdentityRefused(Unauthenticated):
    """What the provider said, or what was shown as its word, does not count; there is no session."""

    code = "identity-refused"


class NoRole(AwareError):
    """The provider says who it is, and no rule gives such a user a role."""

    code = "no-role"
    exit_code = 3
    status = 403


class ProviderUnreachable(AwareError):
    """The provider does not answer, or not as one. ``retry_after`` in seconds."""

    code = "provider-unreachable"
    exit_code = 6
    status = 502
    retry_after = 5
