"""Commands to the queen, from the gateway beside her."""

from __future__ import annotations

from typing import Protocol, TypeVar

from aware_agent.colony.errors import AwareError
from aware_agent.gateway.agent_link import AgentLink
from aware_agent.gateway.asking import asking, grant_for
from aware_agent.gateway.errors import NoQueen
from aware_agent.gateway.idempotency import keyed
from aware_agent.gateway.mirror import SETTLE_S, Mirror
from aware_agent.gateway.rehearsed import is_rehearsed
from aware_agent.queen.commands import Command

A = TypeVar("A")


class Commands(Protocol):
    """What routes need; a test may stand in for a queen."""

    async def run(self, command: Command[A], *, actor: str, source: str = "") -> A:
        """Have ``command`` carried out for the request of now, and return when reads show it. Raises AwareError."""


class QueenClient:
    """Sends each command under the term this gateway sees its own node reign under."""

    def __init__(self, me: str, mirror: Mirror, link: AgentLink) -> None:
        self._me, self._mirror, self._link = me, mirror, link

    async def run(self, command: Command[A], *, actor: str, source: str = "") -> A:
        """See :class:`Commands`. Raises NoQueen when this node does not reign (any more)."""
        queen = self._mirror.queen()
        if queen is None or queen.id != self._me:
            raise NoQueen(self._mirror.store())
        return await self._link.run_command(
            command,
            term=self._mirror.view().term,
            actor=actor,
            asker=asking().asker(self._me, source),
            settle=self._settle,
            keyed=keyed(),
            dry=is_rehearsed(command),
            grant=grant_for(actor),
        )

    async def _settle(self, revision: int) -> None:
        """A lagging copy does not undo a write, so it is no error."""
        try:
            await self._mirror.wait_revision(revision, SETTLE_S)
        except AwareError:
            return
