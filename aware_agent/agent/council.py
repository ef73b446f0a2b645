"""Whom to ask for something only a council member gives, when only some node of the colony is known. Blocking."""

from __future__ import annotations

import ssl
from urllib.parse import urljoin

from aware_agent.agent.https import Unreachable, Untrusted, exchange
from aware_agent.colony.council_document import COUNCIL_PATH, MAX_DOCUMENT_BYTES, CouncilDocument, parse_council


def council_at(url: str, context: ssl.SSLContext, timeout_s: float) -> CouncilDocument | None:
    """What the node at ``url`` says of the council; None when it says nothing of use.

    ``context`` verifies that it is some node of the colony; no credential is shown. Raises Unreachable, Untrusted.
    """
    reply = exchange(
        "GET",
        urljoin(url, COUNCIL_PATH),
        context=context,
        server_name="",
        timeout_s=timeout_s,
        limit=MAX_DOCUMENT_BYTES,
    )
    return parse_council(reply.body) if reply.status == 200 else None


def council_urls(url: str, context: ssl.SSLContext, timeout_s: float) -> tuple[str, ...]:
    """The council as the node at ``url`` names it, the queen first, and ``url`` itself: it may be one of them.

    Also when ``url`` is a load balancer: who joins or renews is known by the address it comes from.
    """
    try:
        document = council_at(url, context, timeout_s)
    except (Unreachable, Untrusted):
        document = None
    return tuple(dict.fromkeys([*(document.urls if document else ()), url]))
