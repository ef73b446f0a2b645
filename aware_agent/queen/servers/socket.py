"""Servers of whoever listens on a Unix socket of this host: one line of JSON each way, one call a connection.

``{"do": "list"}``, ``{"do": "create", "server": {...}}`` with a :class:`NewServer`, ``{"do": "delete", "id": "..."}``.
The answer is an :class:`Answer`. Who may write to the socket is a matter of its file's owner and mode.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.healing import Server
from aware_agent.queen.servers.provider import CloudTrouble, NewServer, ServerRefused

CALL_S = 30.0
MAX_ANSWER = 4 << 20  # bytes


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """``error``: why it was not done; ``alone``: that is about this one server and no other."""

    servers: tuple[Server, ...] = ()
    error: str = ""
    alone: bool = False


class SocketProvider:
    """See :class:`aware_agent.queen.servers.provider.Provider`. ``socket``: path."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    async def servers(self) -> tuple[Server, ...]:
        """See the protocol."""
        return (await self._ask({"do": "list"})).servers

    async def create(self, server: NewServer) -> None:
        """See the protocol."""
        await self._ask({"do": "create", "server": server})

    async def delete(self, server: str) -> None:
        """See the protocol."""
        await self._ask({"do": "delete", "id": server})

    async def _ask(self, call: dict[str, Any]) -> Answer:
        if not self._socket:
            raise CloudTrouble("servers.socket is not in the settings of the queen's node")
        try:
            async with asyncio.timeout(CALL_S):
                line = await self._exchange(msgspec.json.encode(call) + b"\n")
            answer = from_json(line, Answer)
        except TimeoutError as error:
            raise CloudTrouble(f"{self._socket} did not answer within {CALL_S:g} s") from error
        except (OSError, ValueError, *UNDECODABLE) as error:
            raise CloudTrouble(f"{self._socket} gave no answer: {error}") from error
        if answer.error:
            raise (ServerRefused if answer.alone else CloudTrouble)(answer.error[:500])
        return answer

    async def _exchange(self, call: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._socket, limit=MAX_ANSWER)
        try:
            writer.write(call)
            await writer.drain()
            return await reader.readline()
        finally:
            writer.close()
