"""Labs of hosts for tests: make one, run programs in it, break it (docs/testing-hosts.md)."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
PROGRAM = str(HERE / "lab")
# In a network of its own, gone with the process: what the lab makes, once.
PROBE = "ip link add probe type bridge && ip link add probe1 type veth peer name probe2"


def why_not() -> str:
    """Why there can be no lab on this machine, "" when there can."""
    if os.geteuid() != 0:
        return "the hosts lab makes containers and network namespaces: it needs root"
    if not shutil.which("podman") and not shutil.which("apt-get"):
        return "podman is not here, nor apt-get to install it"
    if not shutil.which("ip"):
        return "" if shutil.which("apt-get") else "ip (iproute2) is not here"
    tried = subprocess.run(["unshare", "--net", "sh", "-c", PROBE], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"no network namespaces, bridges or veth pairs here: {tried.stderr.strip()[-200:]}"
    return ""


def lab_name(kind: str = "") -> str:
    """Name of a lab of this process. $AWARE_TEST_LABS in front tells whose labs these are."""
    return "-".join(filter(None, (os.environ.get("AWARE_TEST_LABS", "test"), str(os.getpid()), kind)))


@dataclass(frozen=True, kw_only=True)
class Play:
    """One run of ansible-playbook."""

    code: int
    output: str

    def counts(self, word: str) -> dict[str, int]:
        """The recap's number of each host for "ok", "changed", "failed", ...; of the controller unless it is 0."""
        recap = self.output.rpartition("PLAY RECAP")[2]
        found = re.findall(rf"^(\S+)\s+:.*\b{word}=(\d+)", recap, re.MULTILINE)
        return {host: int(n) for host, n in found if host != "localhost" or int(n)}

    def succeeded(self) -> Play:
        """Itself; the test fails with the output when the run did."""
        assert self.code == 0, self.output[-6000:]
        return self

    def changed_nothing(self) -> Play:
        """Itself; the test fails when a task changed something, and names the tasks."""
        self.succeeded()
        tasks = re.findall(r"^TASK \[(.*?)\] \*+\n(?:(?!TASK).*\n)*?changed: ", self.output, re.MULTILINE)
        assert not any(self.counts("changed").values()), f"changed again: {tasks}"
        return self


class HostsLab:
    """A running lab. ``hosts`` are h1, h2, ...; the test process is not in its network, ``enter`` is."""

    def __init__(self, name: str, hosts: list[str]) -> None:
        self.name = name
        self.hosts = hosts

    @property
    def directory(self) -> Path:
        """Where nsenter.yml and ssh.yml are, the lab's inventories."""
        return Path("/run/aware-hosts/labs", self.name)

    def address(self, host: str) -> str:
        """The host's address, or that of ``controller``."""
        return "10.77.0.1" if host == "controller" else f"10.77.0.{10 + int(host[1:])}"

    def lab(self, *words: str, timeout_s: float = 180) -> str:
        """A command of ``tests/hosts/lab``; the test fails when it does."""
        return run_lab(self.name, *words, timeout_s=timeout_s).stdout

    def on(self, host: str, *argv: str, check: bool = True, stdin: str | None = None, timeout_s: float = 60) -> Any:
        """A program in the host as its root: CompletedProcess with text. ``check``: the test fails when it does."""
        return run_lab(self.name, "shell", host, *argv, check=check, stdin=stdin, timeout_s=timeout_s)

    def sh(self, host: str, script: str, check: bool = True, timeout_s: float = 60) -> str:
        """What a shell script prints in the host, without blanks around it."""
        return str(self.on(host, "sh", "-c", script, check=check, timeout_s=timeout_s).stdout).strip()

    def enter(self, *argv: str, check: bool = True, timeout_s: float = 60) -> Any:
        """A program of the machine in the lab's network, at the controller's address."""
        return run_lab(self.name, "enter", *argv, check=check, timeout_s=timeout_s)

    def play(self, playbook: str | Path, *words: str, ssh: bool = False, timeout_s: float = 900, **env: str) -> Play:
        """ansible-playbook on the lab, from the top of the checkout; its outcome is in the answer."""
        variables = {"AWARE_LAB": self.name, "AWARE_LAB_SSH": "1" if ssh else "0", "ANSIBLE_NOCOLOR": "1", **env}
        done = subprocess.run(
            [PROGRAM, "play", str(playbook), *words],
            env={**os.environ, **variables},
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Play(code=done.returncode, output=done.stdout)

    def play_until(
        self, words: list[str], reached: Callable[[str], bool], log: Path, limit_s: float, **env: str
    ) -> bool:
        """ansible-playbook with ``words`` until ``reached`` holds of what it said, then SIGKILL for all of it.

        What it said is in ``log``. False when it came to its end before; the test fails after ``limit_s``.
        """
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [PROGRAM, "play", *words],
                env={**os.environ, "AWARE_LAB": self.name, "ANSIBLE_NOCOLOR": "1", **env},
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
            try:
                deadline = time.monotonic() + limit_s
                while process.poll() is None and not reached(log.read_text(errors="replace")):
                    assert time.monotonic() < deadline, log.read_text(errors="replace")[-6000:]
                    time.sleep(0.05)
                return process.poll() is None
            finally:
                with suppress(ProcessLookupError):  # it came to its end
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def kill(self, *hosts: str) -> None:
        """Power off; what is on disk stays. The page cache stays too: a write without fsync is not lost."""
        self.lab("kill", *hosts)

    def start(self, *hosts: str) -> None:
        """Boot, or wake; returns when systemd says "running" or "degraded"."""
        self.lab("start", *hosts)

    def stop(self, *hosts: str) -> None:
        """Shut down in order."""
        self.lab("stop", *hosts)

    @contextmanager
    def paused(self, *hosts: str) -> Iterator[None]:
        """Frozen: kernel and open connections live, no process does anything."""
        self.lab("pause", *hosts)
        try:
            yield
        finally:
            self.lab("start", *hosts)

    @contextmanager
    def cut(self, lefts: str, rights: str) -> Iterator[None]:
        """No packet between two comma-separated lists of hosts or ``controller``."""
        self.lab("impair", "cut", lefts, rights)
        try:
            yield
        finally:
            self.lab("impair", "heal", lefts, rights)

    @contextmanager
    def unplugged(self, host: str) -> Iterator[None]:
        """The host's cable is pulled: it loses its carrier."""
        self.lab("impair", "link", host, "down")
        try:
            yield
        finally:
            self.lab("impair", "link", host, "up")

    @contextmanager
    def slow(self, host: str, **faults: float) -> Iterator[None]:
        """A line with ``delay`` and ``jitter`` (ms, each way), ``loss`` and ``duplicate`` (percent)."""
        self.lab("impair", "delay", host, *(f"--{name}={value}" for name, value in faults.items()))
        try:
            yield
        finally:
            self.lab("impair", "delay", host)

    def reaches(self, host: str, other: str, tries: int = 3) -> bool:
        """Whether ``other`` answers at least one of some pings of ``host``."""
        ping = ("ping", "-q", "-c", str(tries), "-i", "0.2", "-W", "2", self.address(other))
        return bool(self.on(host, *ping, check=False).returncode == 0)


def run_lab(name: str, *words: str, check: bool = True, stdin: str | None = None, timeout_s: float = 180) -> Any:
    """``tests/hosts/lab`` for the lab ``name``."""
    done = subprocess.run(
        [PROGRAM, *words],
        env={**os.environ, "AWARE_LAB": name},
        cwd=CHECKOUT,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert not check or done.returncode == 0, f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done


@contextmanager
def running_lab(name: str, count: int, **env: str) -> Iterator[HostsLab]:
    """A lab from nothing to nothing. ``env``: its LAB_... variables. Building the image takes minutes."""
    run_lab(name, "down")
    try:
        words = ["env", *(f"{key}={value}" for key, value in env.items()), PROGRAM, "up", f"--count={count}"]
        up = subprocess.run(
            words, env={**os.environ, "AWARE_LAB": name}, capture_output=True, text=True, timeout=1800, check=False
        )
        assert up.returncode == 0, up.stdout + up.stderr
        yield HostsLab(name, [f"h{number}" for number in range(1, count + 1)])
    finally:
        run_lab(name, "down")
