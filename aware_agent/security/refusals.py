"""Why a queen renews no certificate. Apart from :mod:`aware_agent.security.renewing`, for whoever only hears of it."""

from __future__ import annotations

from aware_agent.colony.errors import AwareError


class RenewalRefused(AwareError):
    """The queen does not renew this certificate; nothing was changed."""

    code = "renewal-refused"
    exit_code = 12
    status = 403


class NotAMember(RenewalRefused):
    """The colony knows no such node: it was removed, or never joined."""

    code = "not-a-member"
    exit_code = 20
