"""A process beside the queen that does what has no place on her agent's loop, at the other end of two pipes.

Frames of msgpack go both ways. It is started when it is needed and ends with the reign: its standard input is the
string it hangs on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from aware_agent.agent.member.frames import FrameBroken, frame, read_frame
from aware_agent.colony.decoding import UNDECODABLE, from_msgpack
from aware_agent.colony.errors import AwareError
from aware_agent.queen import child

log = logging.getLogger(__name__)

END_S = 2.0
# Proxies are not among them: a call goes to an address that was judged, or nowhere.
_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")

Said = TypeVar("Said")


class PipedProcess(Generic[Said]):
    """At most one process of ``module``, which is told ``begin`` first.

    ``told`` is called with what it says (of type ``kind``), and with None when it has ended by itself; ``gone`` makes
    the error for whoever speaks to one that is not there.
    """

    def __init__(
        self,
        module: str,
        begin: msgspec.Struct,
        kind: Any,
        told: Callable[[Said | None], None],
        gone: Callable[[], AwareError],
    ) -> None:
        self._module, self._begin, self._kind, self._told, self._gone = module, begin, kind, told, gone
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    @property
    def pid(self) -> int:
        """Of the process; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    async def start(self) -> bool:
        """Make sure that there is one; whether it is new."""
        async with self._starting:
            if self._process is not None:
                return False
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment(os.environ),
                start_new_session=True,
            )
            self.say(self._begin)
            self._listening = asyncio.create_task(self._listen(process), name=self._module)
            return True

    def say(self, said: msgspec.Struct) -> None:
        """Into the pipe. How much waits there is bounded by what may be under way; an end is noticed elsewhere.

        Raises what ``gone`` makes.
        """
        if self._process is None or self._process.stdin is None:
            raise self._gone()
        try:
            self._process.stdin.write(frame(msgspec.msgpack.encode(said)))
        except (ConnectionError, RuntimeError):
            raise self._gone() from None

    async def close(self) -> None:
        """End it."""
        async with self._starting:
            process, self._process = self._process, None
            listening, self._listening = self._listening, None
            if listening is not None:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
            if process is not None:
                await child.end(process, END_S)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while (raw := await read_frame(process.stdout)) is not None:
                self._told(from_msgpack(raw, self._kind))
        except (FrameBroken, *UNDECODABLE, ConnectionError) as error:
            log.error("%s said nothing we know: %s", self._module, error)
        self._process = None
        await child.end(process, END_S)
        self._told(None)


def environment(present: Mapping[str, str]) -> dict[str, str]:
    """What the process gets of ours."""
    return {name: present[name] for name in _ENVIRONMENT if name in present}
