"""Which CAs clients are to believe, and the mark by which a client sees that it believes others.

The queen's answers carry the mark (``X-Aware-CA``), so that a client learns of a rotation by whatever it asks, over a
connection that a CA it believes already has verified. It fetches the CAs themselves from ``/v1/ca``.
"""

from __future__ import annotations

from aware_agent.colony.errors import AwareError
from aware_agent.colony.rotation import Trust
from aware_agent.gateway.asgi import Headers
from aware_agent.gateway.context import GatewayContext
from aware_agent.security.keyring import fingerprint
from aware_agent.store.keys import Keys

HEADER = b"x-aware-ca"


class Believed:
    """For one gateway. What it knows is made again when the colony's record of its trust changes."""

    def __init__(self, context: GatewayContext) -> None:
        self._context = context
        self._key = Keys(context.colony).key("pki")
        self._source: tuple[int, bytes] | None = None
        self._bundle = b""
        self._mark = b""

    def bundle(self) -> bytes:
        """The CAs, PEM, the one that signs first. What this node itself believes, before it has read the colony's."""
        self._look()
        return self._bundle

    def headers(self) -> Headers:
        """What an answer of the queen carries."""
        self._look()
        return [(HEADER, self._mark)]

    def _look(self) -> None:
        stored = self._context.projection.get(self._key)
        source = (stored.mod_revision if stored else 0, self._context.ca_pem)
        if source != self._source:
            self._source = source
            self._bundle = self._recorded() or self._context.ca_pem
            self._mark = fingerprint(self._bundle).encode()

    def _recorded(self) -> bytes:
        try:
            trust = self._context.reader.one("pki", Trust)
        except AwareError:  # nothing was read yet
            return b""
        return trust.ca.encode() if trust else b""
