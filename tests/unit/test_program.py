"""The boundary of every program: one sentence and an exit code, whatever the caller did to its streams."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aware_agent.colony.errors import Conflict
from aware_agent.program import failure_of, give_way

ROOT = Path(__file__).resolve().parents[2]
AWARE = [sys.executable, "-m", "aware_agent.cli"]
AGENT = [sys.executable, "-m", "aware_agent.daemon"]
BENCH = [sys.executable, "-m", "bench"]
TOOLS = [
    [str(ROOT / path)]
    for path in ("scripts/wheels", "scripts/collection-checks", "tests/hosts/lab", "tests/cloud/cloud")
]
PRINTS = [
    (AWARE, "--help"),
    (AWARE, "--version"),
    (AWARE, "completion", "bash"),
    (AGENT, "--help"),
    (BENCH, "--list"),
    *((tool, "--help") for tool in TOOLS),
]
Ended = subprocess.CompletedProcess[str]


def shell(redirection: str, command: list[str], *arguments: str) -> Ended:
    """Run a command as a shell does with ``redirection``; its exit code is that of the command, not of the reader."""
    script = f'set -o pipefail; "$@" {redirection}'
    # Unbuffered, argparse would swallow the error of its own writing.
    environment = {name: text for name, text in os.environ.items() if name not in {"AWARE_DEBUG", "PYTHONUNBUFFERED"}}
    return subprocess.run(
        ["bash", "-c", script, "bash", *command, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("prints", PRINTS, ids=lambda prints: " ".join(prints[0][2:] + list(prints[1:])))
class TestOutput:
    @pytest.mark.parametrize(
        ("redirection", "reason"), [("> /dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
    )
    def test_that_cannot_be_written_is_one_sentence(
        self, prints: tuple[list[str], ...], redirection: str, reason: str
    ) -> None:
        done = shell(redirection, prints[0], *prints[1:])
        assert done.returncode == 9, done.stderr
        assert f"error: the output cannot be written: {reason}" in done.stderr
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize("reader", ["true", "head -c 1 > /dev/null"])
    def test_that_nobody_reads_is_no_error(self, prints: tuple[list[str], ...], reader: str) -> None:
        done = shell(f"| {reader}", prints[0], *prints[1:])
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize("redirection", ["2>&- > /dev/null", "<&- > /dev/null", "<&- 2>&- > /dev/null"])
    def test_other_closed_streams_do_no_harm(self, prints: tuple[list[str], ...], redirection: str) -> None:
        assert shell(redirection, prints[0], *prints[1:]).returncode == 0


@pytest.mark.parametrize("redirection", ["2>&-", "2> /dev/full", "2>&1 | true", "> /dev/full", ">&-", "<&- >&- 2>&-"])
def test_a_failure_keeps_its_exit_code_whoever_listens(redirection: str) -> None:
    done = shell(redirection, AWARE, "status", "--context", "/none")
    assert done.returncode == 10
    assert "Traceback" not in done.stderr
    done = shell(redirection, AGENT, "check", "--config", "/none")
    assert done.returncode == 10
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [[*AWARE, "status"], [*AWARE, "demo", "status"], [*AWARE, "demo", "up"]])
def test_a_working_directory_that_was_removed_is_named(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "gone").mkdir()
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AWARE_")}
    done = subprocess.run(
        ["bash", "-c", 'cd gone && rmdir ../gone && exec "$@"', "bash", *command],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 9
    assert done.stderr == "error: the working directory is not there any more (cd to one that is)\n"


@pytest.mark.parametrize("width", ["0", "00", "", "words"])
def test_a_screen_without_size_is_printed_to(width: str) -> None:
    environment = {**os.environ, "COLUMNS": width, "LINES": width}
    done = subprocess.run([*AWARE, "--help"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "Look after a colony" in done.stdout


def test_an_interrupt_while_things_are_loaded_is_no_traceback(tmp_path: Path) -> None:
    # A shell's job in the background ignores interrupts, and so do the tests in it.
    listen = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    interrupted = f"import os, signal, time\n{listen}\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    (tmp_path / "typer.py").write_text(interrupted)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run([*AWARE, "status"], env=environment, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "")


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import no_such_package_of_ours")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "AWARE_DEBUG": ""}
    done = subprocess.run([*AWARE, "status"], env=environment, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 10
    assert done.stderr == "error: the Python package no_such_package_of_ours is not installed (install AWARE again)\n"


def _group() -> BaseException:
    return ExceptionGroup("two", [ValueError("x"), ExceptionGroup("more", [Conflict("held", hint="wait")])])


@pytest.mark.parametrize(
    ("make", "sentence", "code"),
    [
        (lambda: Conflict("one\ntwo", hint="three"), "one two (three)", 5),
        (lambda: PermissionError(errno.EACCES, "Permission denied", "/x"), "Permission denied: /x", 9),
        (lambda: OSError(errno.EDQUOT, "Disk quota exceeded", "/x"), "no space left: /x (free some space", 18),
        (lambda: OSError(errno.EXDEV, "Invalid cross-device link", "/x", None, "/y"), "link: /x -> /y", 9),
        (KeyboardInterrupt, "", 130),
        (MemoryError, "there is not enough memory", 70),
        (_group, "held (wait)", 5),
        (lambda: ZeroDivisionError("a\x1b[31mb"), "ZeroDivisionError: a [31mb (a bug: please report it", 70),
        (KeyError, "KeyError (a bug", 70),
    ],
)
def test_what_each_failure_says(make: Callable[[], BaseException], sentence: str, code: int) -> None:
    failure = failure_of(make())
    assert sentence in failure.message
    assert failure.exit_code == code
    assert len(failure.message) < 700


def test_a_sandbox_that_forbids_priorities_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd's ~@resources answers EPERM, and the gateway of every host ended with it."""
    asked: list[int] = []

    def forbidden(nice: int) -> int:
        asked.append(nice)
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "nice", forbidden)
    give_way(5)
    assert asked == [5]
    callers = [path for path in (ROOT / "aware_agent").rglob("*.py") if "os.nice(" in path.read_text()]
    assert callers == [ROOT / "aware_agent" / "program.py"]
