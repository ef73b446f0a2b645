"""A lab as a provider of servers: real agents, started and killed on the order of who reigns, over a Unix socket."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import msgspec

from aware_agent.colony.healing import Server
from aware_agent.queen.servers.provider import NewServer
from aware_agent.queen.servers.socket import Answer
from bench.lab import Lab


class _Call(msgspec.Struct, frozen=True, kw_only=True):
    do: str
    server: NewServer | None = None
    id: str = ""


class LabServers:
    """A context. ``there`` are servers by id; ``asked`` what was asked for, in order."""

    def __init__(self, lab: Lab, socket: Path) -> None:
        self._lab, self._socket = lab, socket
        self._listener: asyncio.Server | None = None
        self.there: dict[str, Server] = {}
        self.asked: list[str] = []
        self.before: Callable[[str], None] = lambda _: None  # called with each change before it is made

    async def __aenter__(self) -> LabServers:
        self._listener = await asyncio.start_unix_server(self._serve, self._socket)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listener is not None
        self._listener.close()

    def lose(self, name: str) -> None:
        """The server of that name is gone, and nobody was asked."""
        for server in [server for server in self.there.values() if server.name == name]:
            self._delete(server.id)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = msgspec.json.decode(await reader.readline(), type=_Call)
        if call.server is not None:
            self._create(call.server)
        elif call.id:
            self._change(f"delete {call.id}")
            self._delete(call.id)
        answer = Answer(servers=tuple(msgspec.Raw(msgspec.json.encode(one)) for one in self.there.values()))
        writer.write(msgspec.json.encode(answer) + b"\n")
        writer.close()

    def _change(self, what: str) -> None:
        self.asked.append(what)
        self.before(what)

    def _create(self, order: NewServer) -> None:
        self._change(f"create {order.name}")
        made = Server(id=secrets.token_hex(4), name=order.name, intent=order.intent, term=order.term)
        self.there[made.id] = made
        token = self._lab.directory / f"{made.id}.token"
        token.touch(mode=0o600)
        token.write_text(f"{order.token}\n")
        # A server made anew has a new disk, whatever its name.
        state = str(self._lab.directory / "nodes" / made.id / "state")
        self._lab.add_agent(order.name, token_file=str(token), state_dir=state).start()

    def _delete(self, server_id: str) -> None:
        gone = self.there.pop(server_id, None)
        if gone is not None and not any(server.name == gone.name for server in self.there.values()):
            self._lab.agents.pop(gone.name).kill()
