"""The last log lines of this process, for who asks what is wrong with it."""

from __future__ import annotations

import logging
from collections import deque

LINES = 100
CHARACTERS = 500


class RecentLines(logging.Handler):
    """Keeps the last :data:`LINES` lines, each cut to :data:`CHARACTERS`; what is not logged is not kept either."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        try:
            self.lines.append(self.format(record)[:CHARACTERS])
        except Exception:  # as every handler: a line that cannot be formatted must not end what logs it
            self.handleError(record)


RECENT = RecentLines()
