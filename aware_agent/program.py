"""The outermost boundary of every program: whatever fails becomes one sentence, a hint and an exit code.

A program hands its work to :func:`run_program` and ends with what that returns. Nothing but the standard library is
imported here, so that a program can stand behind its boundary before it loads anything else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import NamedTuple

from aware_agent.colony.errors import AwareError

FILE_TROUBLE = 9  # a file, or the output, could not be read or written
NOT_INSTALLED = 10
DISK_FULL = 18
A_BUG = 70
INTERRUPTED = 130
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_MAX_TEXT = 500


class Failure(NamedTuple):
    """What the user is told. Without a sentence nothing is printed."""

    message: str
    exit_code: int


def run_program(work: Callable[[], int | None], *, name: str = "") -> int:
    """Call ``work`` and return the exit code of the process; ``name`` begins the line that tells a failure.

    What ``work`` printed is written out before this returns. Output that cannot be written is a failure, except
    when its reader went away (``| head``): then there is nobody to tell.
    """
    _stand_in_for_closed_streams()
    _forget_a_screen_without_size()
    try:
        try:
            code = work() or 0
        except SystemExit as ending:  # how argument parsers and Typer end
            code = _code_of(ending, name)
        sys.stdout.flush()
    except BaseException as error:
        code = report_error(error, name=name)
    with contextlib.suppress(ValueError):  # only the main thread may
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # all is done: a late Ctrl-C shall not interrupt the tidying up
    _forget_unwritten()
    return code


def give_way(nice: int) -> None:
    """Let others have the processors first. A sandbox may forbid it, which is no reason not to work."""
    with contextlib.suppress(OSError):
        os.nice(nice)


def report_error(error: BaseException, *, name: str = "") -> int:
    """Print the one line ``error`` stands for on standard error, and return its exit code."""
    failure = failure_of(error)
    if failure.message:
        if os.environ.get("AWARE_DEBUG", "0") not in {"", "0"}:
            import traceback

            _say("".join(traceback.format_exception(error)))
        _say(f"{name}: error: {failure.message}\n" if name else f"error: {failure.message}\n")
    if isinstance(error, OSError):
        _forget_unwritten()  # or it would be told again
    return failure.exit_code


def failure_of(error: BaseException) -> Failure:
    """What ``error`` means for the user. In a group one raised on purpose speaks for all, else the first."""
    error = _spokesman(error)
    if isinstance(error, AwareError):
        return Failure(_line(str(error)), error.exit_code)
    if isinstance(error, KeyboardInterrupt):
        return Failure("", INTERRUPTED)
    if isinstance(error, OSError):
        return Failure("", 0) if isinstance(error, BrokenPipeError) and _reader_is_gone() else _of_system(error)
    return _of_ours(error)


def _of_ours(error: BaseException) -> Failure:
    if isinstance(error, ModuleNotFoundError):
        return Failure(f"the Python package {error.name} is not installed (install AWARE again)", NOT_INSTALLED)
    if isinstance(error, MemoryError):
        return Failure("there is not enough memory", A_BUG)
    text = _line(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    return Failure(f"{text} (a bug: please report it; AWARE_DEBUG=1 shows where)", A_BUG)


def _of_system(error: OSError) -> Failure:
    reason = error.strerror or str(error) or type(error).__name__
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))]
    if not names and _cannot_print():
        return Failure(f"the output cannot be written: {reason} (what was asked for may be done)", FILE_TROUBLE)
    if not names and error.errno == errno.ENOENT and _has_no_place():
        return Failure("the working directory is not there any more (cd to one that is)", FILE_TROUBLE)
    if error.errno in _NO_SPACE:
        return Failure(_line(f"no space left{_about(names)} (free some space and start again)"), DISK_FULL)
    return Failure(_line(f"{reason}{_about(names)}"), FILE_TROUBLE)


def _has_no_place() -> bool:
    """Whether this process stands in a directory that somebody removed."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _about(names: list[str]) -> str:
    return f": {' -> '.join(names)}" if names else ""


def _spokesman(error: BaseException) -> BaseException:
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_spokesman(inner) for inner in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, AwareError)), leaves[0])


def _code_of(ending: SystemExit, name: str) -> int:
    """The exit code; a text, as ``sys.exit("...")`` has it, is the line to print."""
    if isinstance(ending.__context__, BrokenPipeError):  # rich noticed it before us
        return 0
    if ending.code is None or isinstance(ending.code, int):
        return ending.code or 0
    _say(f"{name}: error: {_line(str(ending.code))}\n" if name else f"error: {_line(str(ending.code))}\n")
    return 1


def _line(text: str) -> str:
    """``text`` on one line, without what could steer a terminal, at a length that can be read."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(line.split())[:_MAX_TEXT]


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _forget_a_screen_without_size() -> None:
    """Editors and containers say ``COLUMNS=0`` for "unknown"; rich would print nothing at all into it."""
    for name in ("COLUMNS", "LINES"):
        if os.environ.get(name, "").strip("0") == "":
            os.environ.pop(name, None)


# -- standard streams --------------------------------------------------------------------------------------


def _stand_in_for_closed_streams() -> None:
    """Open what the caller closed, so that no file or socket of ours gets a number others write to.

    Writing to a closed standard output stays an error, as it is for every program; standard error may be lost.
    """
    for name, flags, mode in (
        ("stdin", os.O_RDONLY, "r"),
        ("stdout", os.O_RDONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    ):
        if getattr(sys, name) is not None:
            continue
        opened = os.open(os.devnull, flags)  # the lowest free number: the one that was closed
        setattr(sys, name, os.fdopen(opened, mode, encoding="utf-8", errors="backslashreplace", closefd=False))


def _cannot_print() -> bool:
    """Whether standard output refuses what is waiting to be written."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        return True
    return not _writable()


def _writable() -> bool:
    """Whether an empty write to standard output is taken; a device that is full or a closed one says no."""
    try:
        os.write(sys.stdout.fileno(), b"")
    except ValueError:  # no file at all, as in a test
        return True
    except OSError:
        return False
    return True


def _reader_is_gone() -> bool:
    """Whether standard output is a pipe nobody reads any more."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False


def _forget_unwritten() -> None:
    """Let the interpreter's own last flush succeed: what could not be written was told, or nobody reads it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)
