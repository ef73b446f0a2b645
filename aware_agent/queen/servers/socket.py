"""Servers of whoever listens on a Unix socket of this host: one line of JSON each way, one call a connection.

``{"do": "list"}``, ``{"do": "create", "server": {...}}`` with a :class:`NewServer`, ``{"do": "delete", "id": "..."}``.
The answer is an :class:`Answer`; that of ``list`` carries ``servers``, also when there are none. Who may write to the
socket is a matter of its file's owner and mode.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, Word, from_json
from aware_agent.colony.healing import Server
from aware_agent.colony.scale import MAX_NODES
from aware_agent.queen.servers.provider import CloudTrouble, ListInDoubt, NewServer, ServerRefused

CALL_S = 30.0
MAX_ANSWER = 4 << 20  # bytes
MAX_SERVERS = 2 * MAX_NODES  # each may be made anew
SHOWN = 3  # entries that make no sense


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """``error``: why it was not done; ``alone``: that is about this one server and no other."""

    servers: tuple[msgspec.Raw, ...] | None = None  # each a Server, and decoded by itself
    error: str = ""
    alone: bool = False


class _Whose(msgspec.Struct, frozen=True, kw_only=True):
    id: Word = ""


class SocketProvider:
    """See :class:`aware_agent.queen.servers.provider.Provider`. ``socket``: path."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    async def servers(self) -> tuple[Server, ...]:
        """See the protocol."""
        answer = await self._ask({"do": "list"})
        if answer.servers is None:
            raise CloudTrouble(f"{self._socket} answers list without servers, which is no empty list")
        if len(answer.servers) > MAX_SERVERS:
            raise CloudTrouble(f"{self._socket} lists {len(answer.servers)} servers, more than {MAX_SERVERS}")
        return listed(answer.servers)

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


def listed(entries: Sequence[msgspec.Raw]) -> tuple[Server, ...]:
    """The servers of a list. Raises ListInDoubt, naming what cannot be read: a server that is skipped is not gone."""
    found: dict[str, Server] = {}
    bad = []
    for number, entry in enumerate(entries, 1):
        try:
            server = from_json(bytes(entry), Server)
        except UNDECODABLE as error:
            bad.append(f"entry {number}{_whose(entry)}: {error}")
            continue
        if server.id in found:
            bad.append(f"entry {number}: id {server.id} is there twice")
        found[server.id] = server
    if bad:
        more = f"; and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        raise ListInDoubt("; ".join(bad[:SHOWN])[:500] + more)
    return tuple(found.values())


def _whose(entry: msgspec.Raw) -> str:
    """Nothing else of it is shown, for nobody knows what it is."""
    try:
        found = from_json(bytes(entry), _Whose).id
    except UNDECODABLE:
        return ""
    return f" (id {found[:40]})" if found else ""
