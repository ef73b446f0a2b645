"""A program on a terminal of its own: what it draws, frame by frame, and keys pressed for it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

PATIENCE_S = 60.0
HOME = "\x1b[H"  # every frame begins so
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"  # the screen beside the one of the shell
_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Screen:
    """``command`` in a session whose terminal has ``size``, lines and columns; ended at the end of the block."""

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], cwd: Path, size: tuple[int, int] = (24, 80)
    ) -> None:
        self._master, self.slave = pty.openpty()
        self.resize(*size, tell=False)
        self.before = termios.tcgetattr(self.slave)
        self.drawn = ""
        self.process = subprocess.Popen(
            command,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
        )

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(PATIENCE_S)
        os.close(self._master)
        os.close(self.slave)

    def resize(self, lines: int, columns: int, *, tell: bool = True) -> None:
        """Another size; the program may be told, as terminals do."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def press(self, keys: str) -> None:
        """As if somebody typed it."""
        os.write(self._master, keys.encode())

    def frame(self) -> list[str]:
        """The lines of the last whole frame, without colours."""
        frames = self.drawn.split(HOME)
        text = frames[-2] if len(frames) > 2 else ""
        return [line.rstrip() for line in _STEERING.sub("", text).replace("\r", "").split("\n")]

    def wait(self, wanted: str | Callable[[list[str]], Any]) -> list[str]:
        """The next frame that has the text, or for which it is true. Raises AssertionError with the last one."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            self._read(0.1)
            frame = self.frame()
            if wanted(frame) if callable(wanted) else any(wanted in line for line in frame):
                return frame
            if self.process.poll() is not None:
                break
        raise AssertionError(f"no frame with {wanted!r}; code {self.process.poll()}, last:\n" + self.drawn[-4000:])

    def ended(self) -> int:
        """Its exit code, once it has ended and all is read."""
        end = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < end:
            self._read(0.1)
        self.read_all()
        return self.process.wait(0.1)

    def read_all(self) -> None:
        """Take in what was drawn and not yet read."""
        while self._read(0.2):
            pass

    def is_restored(self) -> bool:
        """Whether the terminal is as it was before the program began."""
        left = self.drawn.rfind(LEAVE) > self.drawn.rfind(ENTER)
        return left and termios.tcgetattr(self.slave) == self.before

    def _read(self, wait_s: float) -> bool:
        if not select.select([self._master], [], [], wait_s)[0]:
            return False
        self.drawn += os.read(self._master, 1 << 16).decode("utf-8", "replace")
        return True
