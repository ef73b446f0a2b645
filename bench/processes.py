"""Child processes that never outlive the benchmark: each is signalled by its own pid and ends with its parent."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.measure import descendants

_STOP_S = 10.0


class Process:
    """One child with its output in a file; it may be started again after it ended."""

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.argv = list(argv)
        self.log = log
        self._cwd = cwd
        self._env = dict(env) if env is not None else None
        self._prefix = list(prefix)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the child. Raises RuntimeError when it was never started."""
        if self._child is None:
            raise RuntimeError(f"{self.argv[0]} was not started")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the process is there; a frozen one is."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs or before it was started."""
        return self._child.poll() if self._child else None

    def start(self) -> None:
        """Start it. The kernel kills it when this process dies, where ``setpriv`` can ask for that."""
        if self.running:
            raise RuntimeError(f"{self.argv[0]} runs already, pid {self.pid}")
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [*self._prefix, *leash, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._cwd,
                env=self._env,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child alone; nothing happens when it has ended."""
        if self._child is not None:
            self._child.send_signal(number)

    def kill(self) -> None:
        """``kill -9``; returns when it is gone."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def kill_soon(self) -> None:
        """``kill -9`` without waiting."""
        if self._child is not None:
            self._child.kill()

    def kill_tree(self) -> None:
        """``kill -9`` of the child and of all its descendants, none of which may say anything any more."""
        for pid in [self.pid, *descendants(self.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: alive but silent."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM without waiting."""
        self.signal(signal.SIGTERM)

    def wait(self, timeout_s: float = _STOP_S) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""
        if self._child is None:
            raise RuntimeError(f"{self.argv[0]} was not started")
        return self._child.wait(timeout_s)

    def stop(self, timeout_s: float = _STOP_S) -> int | None:
        """SIGTERM, and ``kill -9`` when that does not end it in time; returns its exit code."""
        if self._child is None:
            return None
        self.terminate()
        try:
            return self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.exit_code

    def tail(self, lines: int = 5) -> str:
        """The last lines of its output."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-lines:])


def clean_environment() -> dict[str, str]:
    """This environment without anything that would steer an agent or a measured tool."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWARE_", "ANSIBLE_", "OS_"))}
