"""Signs of an intruder: counted for metrics, said in the log line by line, and told to the history as one sum.

Lines and sources are bounded, whatever is sent: a source has a few lines at once and then one a second, all together
have a budget too, and what is not said is counted all the same. A line begins with what happened and from where, in an
order that tools go by (``deploy/fail2ban``); what a stranger chose himself comes last and only if it is a proper name.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from aware_agent.channel.limits import source_of
from aware_agent.colony.errors import AwareError
from aware_agent.colony.names import Kind, is_name
from aware_agent.colony.rates import Rate, Rates
from aware_agent.gateway.asgi import Scope, client_of
from aware_agent.gateway.queen_client import Commands
from aware_agent.queen.commands import NoteIntrusion
from aware_agent.security.jwt import TokenSigner

log = logging.getLogger(__name__)

REPORT_S = 60.0
LEAST = 10  # of one sign within that time, for the history to tell of it
MAX_SOURCES = 256  # of whom it is counted who was worst, for each report
STALE_S = 24 * 3600.0  # a token that ran out so long ago is no forgetful client's
_LINES = Rate(1.0, 10.0)
_ALL_LINES = Rate(50.0, 500.0)
_ALL = ""


class Sign(StrEnum):
    """What was noticed."""

    LOGIN_FAILED = "login-failed"
    LOGIN_SLOWED = "login-slowed"  # refused unread after failures
    TOKEN_FORGED = "token-forged"  # noqa: S105 - no secret: it is of no key of this colony, or of no algorithm of ours
    TOKEN_STALE = "token-stale"  # noqa: S105 - ran out a day ago or more
    TOKEN_REUSED = "token-reused"  # noqa: S105 - a refresh token that was used already
    JOIN_REFUSED = "join-refused"
    KEY_DENIED = "key-denied"
    RATE_LIMITED = "rate-limited"
    HANDSHAKE_FAILED = "handshake-failed"
    MALFORMED = "malformed"


_BY_CODE = {
    "too-many-attempts": Sign.LOGIN_SLOWED,
    "token-reused": Sign.TOKEN_REUSED,
    "token-refused": Sign.JOIN_REFUSED,
    "csr-refused": Sign.JOIN_REFUSED,
    "renewal-refused": Sign.JOIN_REFUSED,
    "key-denied": Sign.KEY_DENIED,
    "not-a-member": Sign.KEY_DENIED,
    "too-many-requests": Sign.RATE_LIMITED,
    "malformed": Sign.MALFORMED,
    "head-too-large": Sign.MALFORMED,
}
_BY_REASON = {"handshake": Sign.HANDSHAKE_FAILED, "source": Sign.RATE_LIMITED, "malformed": Sign.MALFORMED}
_LOGIN = "/v1/auth/token"


class Signals:
    """What one gateway noticed. ``clock``: monotonic seconds; ``wall``: Unix time."""

    def __init__(self, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self._clock, self._wall = clock, wall
        self._lines, self._all_lines = Rates(_LINES), Rates(_ALL_LINES)
        self.counts: Counter[Sign] = Counter()  # for metrics
        self._since: Counter[Sign] = Counter()  # since the last report
        self._sources: Counter[str] = Counter()

    def note(self, sign: Sign, address: str, user: str = "") -> None:
        """One sign, from ``address``."""
        self.counts[sign] += 1
        self._since[sign] += 1
        source, now = source_of(address), self._clock()
        if source in self._sources or len(self._sources) < MAX_SOURCES:
            self._sources[source] += 1
        if self._lines.take(f"{sign} {source}", now) or self._all_lines.take(_ALL, now):
            return
        fields = {"sign": str(sign), "source": address}
        if user and is_name(Kind.USER, user):
            fields["user"] = user
        log.warning("refused", extra={"fields": fields})

    def connection(self, reason: str, address: str) -> None:
        """A connection that was kept out, or ended, for ``reason``."""
        sign = _BY_REASON.get(reason)
        if sign is not None:
            self.note(sign, address)

    def refused(self, scope: Scope, error: AwareError, signer: TokenSigner) -> None:
        """A request that was answered with ``error``."""
        sign = _BY_CODE.get(error.code) or (self._of_token(scope, signer) if error.status == 401 else None)
        if sign is not None:
            self.note(sign, client_of(scope), scope.get("aware.user", ""))

    def _of_token(self, scope: Scope, signer: TokenSigner) -> Sign | None:
        """An access token that ran out is nothing to speak of: its client refreshes it."""
        if scope["path"] == _LOGIN and scope["method"] == "POST":
            return Sign.LOGIN_FAILED
        shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = shown.partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        known = signer.recognise(token.strip().decode("latin-1"))
        if known is None:
            return Sign.TOKEN_FORGED
        return Sign.TOKEN_STALE if self._wall() - known.exp > STALE_S else None

    def take(self) -> NoteIntrusion | None:
        """What the history shall tell of the time since the last one; None when there was little."""
        counts, sources = self._since, self._sources
        self._since, self._sources = Counter(), Counter()
        told = {str(sign): count for sign, count in sorted(counts.items()) if count >= LEAST}
        return NoteIntrusion(counts=told, sources=dict(sources.most_common(5))) if told else None

    async def report(self, commands: Commands, me: str) -> None:
        """Tell the queen, for ever, if this is hers: the others' are in their logs and metrics."""
        while True:
            await asyncio.sleep(REPORT_S)
            await self.tell(commands, me)

    async def tell(self, commands: Commands, me: str) -> None:
        """Once."""
        said = self.take()
        if said is None:
            return
        try:
            await commands.run(said, actor=me)
        except AwareError as error:
            log.debug("the history is not told of refusals: %s", error.message)
