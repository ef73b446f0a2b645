"""What the agent and the short process that renews its certificate tell each other.

Apart from :mod:`aware_agent.agent.renew`, whose imports are for that process alone.
"""

from __future__ import annotations

import msgspec

from aware_agent.colony.errors import AwareError


class RenewalFailed(AwareError):
    """No queen renewed the certificate; the old one is still in place."""

    code = "renewal-failed"
    exit_code = 14
    status = 503


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to renew, and where to ask."""

    state_dir: str
    address: str  # where this node is, as it believes
    urls: tuple[str, ...]  # gateways, best first


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The one line the process prints. ``code`` is empty when all is well."""

    code: str = ""
    message: str = ""
    hint: str = ""
