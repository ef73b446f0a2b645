"""``GET /v1/council``: what every node tells everybody, so that a client given any one of them finds the rest. Pure.

It is no secret, and nobody has to believe it: whoever is named here is shown a credential only after TLS proved that
it is ``council.<colony>.aware``.
"""

from __future__ import annotations

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.urls import gateway_url

COUNCIL_PATH = "/v1/council"
MAX_DOCUMENT_BYTES = 16 * 1024
COUNCIL_SIZES = (1, 3, 5, 7)  # an even council survives no more losses than the odd one below it
MAX_MEMBERS = 16  # more than any council has; what a stranger may make us try


class CouncilDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Who may reign, as far as the node that answers knows. ``members`` are base URLs."""

    colony: str
    term: int = 0
    queen: str | None = None
    members: tuple[str, ...] = ()

    @property
    def urls(self) -> tuple[str, ...]:
        """Whom to ask, the queen first; sound addresses only, each once."""
        named = (self.queen or "", *self.members)
        return tuple(dict.fromkeys(url for text in named[:MAX_MEMBERS] if (url := gateway_url(text))))


def parse_council(raw: bytes) -> CouncilDocument | None:
    """What ``raw`` says; None when it is no such document."""
    if len(raw) > MAX_DOCUMENT_BYTES:
        return None
    try:
        return from_json(raw, CouncilDocument)
    except UNDECODABLE:
        return None
