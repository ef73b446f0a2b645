"""Who may read ``/metrics`` where the settings name a token for that; without one, everybody.

Light on purpose: workers serve metrics too. They know no users, so for them the token of the file is all there is.
"""

from __future__ import annotations

import hmac
import logging
from pathlib import Path

from aware_agent.agent.settings import GatewaySettings
from aware_agent.gateway.asgi import Scope
from aware_agent.security.regular import read_regular

log = logging.getLogger(__name__)

METRICS = "/metrics"
LEAST = 16  # characters: a token is no word
_MOST = 4096


class Scrapers:
    """Compares what a scraper shows with the token in the file, as that is now."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._path = Path(settings.metrics_token_file) if settings.metrics_token_file else None
        self._known: tuple[tuple[int, int], bytes] | None = None

    @property
    def open(self) -> bool:
        """Whether everybody may."""
        return self._path is None

    def allows(self, scope: Scope) -> bool:
        """Whether the request shows the token, or none is wanted."""
        if self._path is None:
            return True
        shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = shown.partition(b" ")
        wanted = self._token(self._path)
        return scheme.lower() == b"bearer" and bool(wanted) and hmac.compare_digest(token.strip(), wanted)

    def _token(self, path: Path) -> bytes:
        """Empty, so that nobody is let in, when the file cannot be read or holds too little."""
        try:
            stat = path.stat()
            mark = (stat.st_mtime_ns, stat.st_size)
            if self._known is None or self._known[0] != mark:
                token = read_regular(path, most=_MOST).strip()
                if len(token) < LEAST:
                    log.error("metrics_token_file %s has fewer than %d characters: nobody reads metrics", path, LEAST)
                    token = b""
                self._known = mark, token
            return self._known[1]
        except OSError as error:
            if self._known is None or self._known[1]:
                log.error("metrics_token_file %s cannot be read: %s", path, error.strerror)
            self._known = (0, 0), b""
            return b""
