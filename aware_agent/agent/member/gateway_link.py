"""The agent's end of the socket to its gateway: one peer, the child it started, asking for facts and commands.

Nothing here waits for the gateway: a command runs in a task of its own, their number is bounded, and an answer nobody
reads ends the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from aware_agent.agent.explanation import Explanation
from aware_agent.agent.logs import of_request
from aware_agent.agent.member.frames import FrameBroken, frame, read_frame
from aware_agent.agent.member.link import (
    VERSION,
    Answer,
    Archived,
    AskElection,
    AskFacts,
    Do,
    Done,
    Explained,
    Facts,
    Failed,
    FromGateway,
    Hello,
    LoadTable,
    Noted,
    Serving,
    Traced,
    socket_address,
)
from aware_agent.agent.member.remote_error import RemoteError, describe
from aware_agent.background import Background
from aware_agent.colony.audit import Entry
from aware_agent.colony.decoding import UNDECODABLE, from_msgpack
from aware_agent.colony.errors import AwareError
from aware_agent.colony.load import Row
from aware_agent.colony.trace import Span

log = logging.getLogger(__name__)

MAX_RUNNING = 256  # commands; the gateway itself sends fewer at once
MAX_BEHIND = 1024 * 1024  # bytes that wait for the gateway to read them
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid of SO_PEERCRED

Execute = Callable[[Do], Awaitable[Done]]


class GatewayLink:
    """Listens at ``path`` for the process with the id :attr:`expected`."""

    def __init__(
        self, path: Path, facts: Callable[[int], Facts], explain: Callable[[], Explanation], execute: Execute
    ) -> None:
        self.path = path
        self.expected = 0  # process id; 0 lets nobody in
        self.serving = asyncio.Event()  # the peer answers requests
        self.changed: Callable[[], None] = _nobody  # called whenever that changes
        self.noted: Callable[[Sequence[Entry]], None] = lambda _notes: None  # told what the audit log shall know
        self.archived: Callable[[int], None] = lambda _line: None  # told how far the archive of it is
        self._facts = facts
        self._explain = explain
        self._execute = execute
        self._server: asyncio.Server | None = None
        self._running = Background("a conversation with the gateway")
        self._room = asyncio.Semaphore(MAX_RUNNING)
        self._peer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Listen. What an agent that was killed left at the path is replaced."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with socket_address(self.path) as address:
                listener.bind(address)
            self.path.chmod(0o600)
            self._server = await asyncio.start_unix_server(self._meet, sock=listener)
        except BaseException:
            listener.close()
            raise

    def show_loads(self, rows: Sequence[Row]) -> None:
        """Pass on how busy nodes are. A gateway that does not keep up, or is not there, gets a later table."""
        self._tell(LoadTable(rows=tuple(rows)), "how busy nodes are")

    def show_spans(self, spans: Sequence[Span]) -> None:
        """Hand on what was recorded, in the same way: what the gateway has no time for is lost."""
        self._tell(Traced(spans=tuple(spans)), "what was traced")

    def _tell(self, said: LoadTable | Traced, what: str) -> None:
        peer = self._peer
        if peer is None or peer.is_closing() or peer.transport.get_write_buffer_size() > MAX_BEHIND:
            return
        try:
            peer.write(frame(msgspec.msgpack.encode(said)))
        except FrameBroken as error:
            log.warning("the gateway is not told %s: %s", what, error.message)

    async def close(self) -> None:
        """Let nobody in any more; what still runs is cancelled."""
        if self._server is not None:
            self._server.close()
        await self._running.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.adopt(task)
        child = False
        try:
            child = self._is_child(writer)
            if child:
                await self._converse(reader, writer)
        except FrameBroken as error:
            log.error("the gateway's socket is given up: %s", error)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            if child:
                self._peer = None
                self._serves(False)
            writer.close()

    def _serves(self, does: bool) -> None:
        if does == self.serving.is_set():
            return
        self.serving.set() if does else self.serving.clear()
        self.changed()

    def _is_child(self, writer: asyncio.StreamWriter) -> bool:
        """Whether the kernel says that it is the process we started; the file's mode keeps others out already."""
        raw = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(raw)
        if pid == self.expected and uid == os.getuid():
            return True
        log.warning("process %d of user %d was turned away at the gateway's socket", pid, uid)
        return False

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = _decode(await read_frame(reader))
        if not isinstance(hello, Hello) or hello.version != VERSION:
            raise FrameBroken(f"it speaks another version than {VERSION}", hint="was this node upgraded just now?")
        self._peer = writer
        while (raw := await read_frame(reader)) is not None:
            match _decode(raw):
                case Serving():
                    self._serves(True)
                case AskFacts(id=number):
                    await _say(writer, self._facts(number))
                case AskElection(id=number):
                    await _say(writer, self._explained(number))
                case Noted(notes=notes):
                    self.noted(notes)
                case Archived(line=line):
                    self.archived(line)
                case Do() as do:
                    await self._room.acquire()
                    self._start(do, writer)
                case _:
                    raise FrameBroken("it said hello twice")

    def _explained(self, number: int) -> Explained | Failed:
        try:
            return Explained(id=number, explanation=self._explain())
        except AwareError as error:
            return Failed(id=number, error=describe(error))
        except Exception as error:  # who explains a fault must not add one: the gateway serves on
            return Failed(id=number, error=_bug(error))

    def _start(self, do: Do, writer: asyncio.StreamWriter) -> None:
        self._running.start(self._carry_out(do, writer), name=f"command {do.id}")

    async def _carry_out(self, do: Do, writer: asyncio.StreamWriter) -> None:
        answer: Done | Failed
        try:
            with of_request(do.asker.request):
                answer = await self._execute(do)
        except AwareError as error:
            answer = Failed(id=do.id, error=describe(error))
        except Exception as error:
            answer = Failed(id=do.id, error=_bug(error))
        finally:
            self._room.release()
        with contextlib.suppress(ConnectionError):
            await _say(writer, answer)


def _decode(raw: bytes | None) -> FromGateway:
    try:
        said: FromGateway = from_msgpack(raw or b"", FromGateway)
    except UNDECODABLE as error:
        raise FrameBroken(f"a frame says nothing we know: {error}") from error
    return said


async def _say(writer: asyncio.StreamWriter, answer: Answer) -> None:
    try:
        data = frame(msgspec.msgpack.encode(answer))
    except FrameBroken as error:
        data = frame(msgspec.msgpack.encode(Failed(id=answer.id, error=describe(error))))
    writer.write(data)
    await writer.drain()


def _nobody() -> None:
    """Nobody wants to know."""


def _bug(error: Exception) -> RemoteError:
    incident = secrets.token_hex(6)
    log.error("incident %s: %s", incident, type(error).__name__, exc_info=error)
    return RemoteError(
        code="internal-error",
        status=500,
        exit_code=70,
        message="the agent failed to carry it out; this is a bug",
        hint=f"look for incident {incident} in the node's log",
        fields={"incident": incident},
    )
