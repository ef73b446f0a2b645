"""What a service manager is told: sd_notify(3), spoken by the standard library.

``READY=1`` when the node serves and shows its presence, ``STATUS=`` one sentence on what it does, ``STOPPING=1`` when
it winds up, and ``WATCHDOG=1`` at half the time the manager allows, only while the node makes progress: a node whose
loop or whose parts hang is killed and started anew. Without ``NOTIFY_SOCKET`` nothing happens.

The variables stay in the environment: the process that joined replaces itself by the one that lives, which goes on
telling the same manager under the same process id. Let the manager listen to that process only (``NotifyAccess=main``).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

from aware_agent.colony.numbers import whole

log = logging.getLogger(__name__)

LOOK_S = 1.0  # how often the node is looked at for its status
EAGER_S = 0.1  # the same, before it is ready: somebody waits for it


class Subject(Protocol):
    """The node, as far as a service manager cares."""

    def living(self) -> bool:
        """Whether it serves and shows its presence."""

    def standing(self) -> str:
        """One sentence on what it does."""

    def stalled(self) -> str:
        """Which part of it hangs; empty while it makes progress."""


class Notifier:
    """Sends to the service manager. Never fails and never waits: losing a message must not cost the node."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog_s(environment)

    @property
    def wanted(self) -> bool:
        """Whether somebody listens."""
        return bool(self._address)

    def send(self, **variables: object) -> bool:
        """``send(READY=1, STATUS="queen")``. Returns whether the message left."""
        if not self._address:
            return False
        message = "\n".join(f"{name}={_one_line(value)}" for name, value in variables.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)
                channel.sendto(message.encode(), self._address)
        except OSError as error:
            log.debug("the service manager was not told: %s", error)
            return False
        return True


class Herald:
    """Keeps the service manager informed about one node: ``async with Herald(node): ...``."""

    def __init__(self, subject: Subject, notifier: Notifier | None = None) -> None:
        self._subject = subject
        self._notifier = notifier or Notifier()
        self._task: asyncio.Task[None] | None = None
        self._ready = False
        self._stopping = False
        self._said = ""
        self._complained = ""

    async def __aenter__(self) -> Herald:
        """Start telling."""
        if self._notifier.wanted:
            self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Say good-bye, whatever ended the node."""
        self.stopping()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def stopping(self) -> None:
        """The node winds up from now on."""
        if not self._stopping:
            self._stopping = True
            self._notifier.send(STOPPING=1, STATUS="stopping: hands over and says good-bye")

    async def _run(self) -> None:
        while not self._stopping:
            self._tell()
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        half = self._notifier.watchdog_s / 2 or LOOK_S
        return min(LOOK_S if self._ready else EAGER_S, half)

    def _tell(self) -> None:
        message: dict[str, object] = {}
        if not self._ready and self._subject.living():
            message["READY"] = 1
        stalled = self._subject.stalled()
        status = f"hangs: {stalled}" if stalled else self._subject.standing()
        if status != self._said:
            message["STATUS"] = status
        if self._notifier.watchdog_s and not stalled:
            message["WATCHDOG"] = 1
        if stalled != self._complained:
            self._complained = stalled
            if stalled:
                log.error("no progress: %s", stalled, extra={"fields": {"tasks": _tasks()}})
            else:
                log.info("progress again")
        if message and self._notifier.send(**message):
            # What did not arrive is told again.
            self._said = status
            self._ready = self._ready or "READY" in message


def _tasks() -> list[str]:
    """Where each task waits, innermost frame, for whoever has to find out why one hangs."""
    found = []
    for task in asyncio.all_tasks():
        inner: Any = task.get_coro()
        while (waited := getattr(inner, "cr_await", None)) is not None and hasattr(waited, "cr_frame"):
            inner = waited
        frame = getattr(inner, "cr_frame", None)
        found.append(f"{task.get_name()} {frame.f_code.co_qualname}:{frame.f_lineno}" if frame else task.get_name())
    return sorted(found)


def _address(text: str) -> str:
    """A path, or an abstract name written with ``@``; anything else (vsock) is not for us."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else ""


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """Seconds within which the manager wants to hear from this very process; 0 for never."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    try:
        return whole(environment.get("WATCHDOG_USEC", "0")) / 1e6
    except ValueError:
        return 0.0


def _one_line(value: object) -> str:
    return " ".join(str(value).split())
