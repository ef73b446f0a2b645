"""When tokens of service accounts were used last: noticed by whichever member they are shown to, kept by the queen.

She believes a use when she sees the token, so another member shows it to her once more, over TLS that only a council
member's certificate passes. That is rare: a token whose use is on record within the hour is not spoken of.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin

from aware_agent.agent.https import Unreachable, Untrusted, exchange, trusting_context
from aware_agent.colony.errors import AwareError
from aware_agent.colony.names import council_host
from aware_agent.gateway.context import GatewayContext
from aware_agent.gateway.queen_client import Commands
from aware_agent.queen.commands import NoteUses
from aware_agent.security.jwt import Principal
from aware_agent.security.service_account import (
    ACCOUNTS,
    MAX_ACCOUNTS,
    MAX_TOKENS,
    USE_S,
    USES,
    ServiceAccount,
    TokenUses,
    account_of,
)

log = logging.getLogger(__name__)

REPORT_S = 15.0
SHOWN_S = USE_S / 2  # so long a queen who was shown a token is trusted to put that on record
AT_ONCE = 16  # tokens that are shown to her at a time
_SHOW_TO = "/v1/auth/me"
_TIMEOUT_S, _LIMIT = 5.0, 64 * 1024


@dataclass(slots=True)
class _Use:
    account: str
    authorization: bytes = field(repr=False)  # the header, to show it once more, until the use is on record
    at: float  # Unix seconds
    shown_at: float = float("-inf")


class Uses:
    """What one gateway noticed. ``wall``: Unix time."""

    def __init__(self, context: GatewayContext, wall: Callable[[], float]) -> None:
        self._context, self._wall = context, wall
        self._used: dict[str, _Use] = {}  # by id of the token

    def note(self, who: Principal, authorization: bytes) -> None:
        """A token of a service account was verified."""
        use = self._used.get(who.jti)
        if use is not None and use.authorization == authorization:
            use.at = self._wall()
        elif len(self._used) < MAX_ACCOUNTS * MAX_TOKENS:
            self._used[who.jti] = _Use(account_of(who.name), authorization, self._wall())

    def recorded(self, account: str) -> TokenUses:
        """What is on record of the tokens of an account."""
        return self._context.reader.one(f"{USES}/{account}", TokenUses) or TokenUses(noted_at=0.0)

    async def report(self, commands: Commands) -> None:
        """Have it put on record, for ever."""
        while True:
            await asyncio.sleep(REPORT_S)
            await self.tell(commands)

    async def tell(self, commands: Commands) -> None:
        """Once. What fails is tried again with the next."""
        try:
            due = list(self._due())
            queen = self._context.queen()
            if queen is None or not due:
                return
            if queen.id == self._context.me:
                await commands.run(_command(due), actor=queen.id)
            for _, use in due[:AT_ONCE]:
                if queen.id != self._context.me:
                    await asyncio.to_thread(self._show, queen.url, use.authorization)
                use.shown_at = self._wall()
        except (AwareError, Unreachable, Untrusted) as error:
            log.debug("the use of service account tokens is not put on record: %s", error)

    def _due(self) -> Iterator[tuple[str, _Use]]:
        """Uses that are an hour newer than what is on record; what need not be remembered is forgotten."""
        now = self._wall()
        for token, use in list(self._used.items()):
            account = self._context.reader.one(f"{ACCOUNTS}/{use.account}", ServiceAccount)
            gone = account is None or account.token(token) is None
            if gone or use.at - self.recorded(use.account).used_at.get(token, 0.0) < USE_S:
                del self._used[token]
            elif now - use.shown_at >= SHOWN_S:
                yield token, use

    def _show(self, url: str, authorization: bytes) -> None:
        """Raises Unreachable, Untrusted. What the queen makes of it is her own affair."""
        exchange(
            "GET",
            urljoin(url, _SHOW_TO),
            context=trusting_context(self._context.ca_pem),
            server_name=council_host(self._context.colony),
            timeout_s=_TIMEOUT_S,
            limit=_LIMIT,
            token=authorization.partition(b" ")[2].strip().decode("latin-1"),
        )


def _command(due: list[tuple[str, _Use]]) -> NoteUses:
    uses: dict[str, dict[str, float]] = {}
    for token, use in due:
        uses.setdefault(use.account, {})[token] = use.at
    return NoteUses(uses=uses)
