# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Daemons without a service manager: started detached, known again by more than a number.

A pid is given to somebody else after a while. Beside the pid file stands a record of when the process started and in
which boot; only a process that matches it is ours, and nothing is ever done to another one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import Any, Iterator, Mapping, Sequence

_KEPT_ENVIRONMENT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "TMP", "LD_LIBRARY_PATH")
_CANNOT_RUN = 127
# Becomes the program once it is told that its pid is noted; ends when whoever had to tell has ended before. So there is no
# moment in which a program runs that nobody knows of.
_LAUNCHER = """
import os, sys
if not os.read(0, 1):
    sys.exit(1)
nothing = os.open(os.devnull, os.O_RDONLY)
os.dup2(nothing, 0)
os.close(nothing)
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as exc:
    sys.stderr.write("cannot run %s: %s\\n" % (sys.argv[1], exc.strerror))
    os._exit(127)
"""


class ProcessError(Exception):
    """The process cannot be brought to the state asked for. One line."""


def boot_id() -> str:
    """Name of the present boot: start times count from it."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()


def start_time(pid: int) -> int | None:
    """Ticks from boot to the start of ``pid``; None when it does not run. A zombie does not run."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


def command_line(pid: int) -> list:
    """Arguments of ``pid``; empty when it is gone."""
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as stream:
            return [part.decode(errors="replace") for part in stream.read().split(b"\0")[:-1]]
    except OSError:
        return []


def environment(extra: Mapping) -> dict:
    """A small environment: what a program needs to run, not what the caller happened to export."""
    kept = dict((name, os.environ[name]) for name in _KEPT_ENVIRONMENT if name in os.environ)
    kept.update((str(name), str(value)) for name, value in extra.items())
    return kept


def fingerprint(argv: Sequence, env: Mapping, chdir: str, files: Sequence) -> str:
    """Digest of what makes one run different from another: command, environment, directory, files it reads at start."""
    contents = []
    for path in files:
        try:
            with open(path, "rb") as stream:
                contents.append(hashlib.sha256(stream.read()).hexdigest())
        except OSError as exc:
            raise ProcessError("cannot read %s: %s" % (path, exc.strerror)) from exc
    text = json.dumps([list(argv), sorted(env.items()), chdir, contents])
    return hashlib.sha256(text.encode()).hexdigest()


class Daemon:
    """One process, known by its pid file and the record beside it."""

    def __init__(self, pidfile: str) -> None:
        self.pidfile, self.record_file = pidfile, pidfile + ".json"

    @contextmanager
    def alone(self) -> Iterator:
        """Keep others from starting or stopping the same process meanwhile; leaves no file behind."""
        folder = os.path.dirname(self.pidfile) or "."
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as exc:
            raise ProcessError("directory %s of the pid file: %s" % (folder, exc.strerror)) from exc
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def record(self) -> dict:
        """What was noted when it was started, or nothing."""
        try:
            with open(self.record_file, encoding="utf-8") as stream:
                record = json.load(stream)
            return record if isinstance(record, dict) else {}
        except (OSError, ValueError):
            return {}

    def pid(self) -> int | None:
        """The pid if the process runs and is the one that was started here, else None.

        Raises ProcessError when the pid file names a running process nothing is known about.
        """
        record = self.record()
        pid = record.get("pid")
        if isinstance(pid, int) and record.get("boot_id") == boot_id() and start_time(pid) == record.get("start_time"):
            return pid
        stranger = self._named()
        if not record and stranger and start_time(stranger) is not None:
            raise ProcessError(
                "%s names process %d, which was not started here (%s); left alone"
                % (self.pidfile, stranger, " ".join(command_line(stranger))[:120] or "kernel")
            )
        return None

    def _named(self) -> int | None:
        try:
            with open(self.pidfile, encoding="ascii") as stream:
                pid = int(stream.read().strip())
        except (OSError, ValueError):
            return None
        return pid if pid > 1 else None

    def start(self, argv: Sequence, env: Mapping, chdir: str, logfile: str, mark: str, settle_s: float) -> int:
        """Start detached, note it, and return the pid once it ran for ``settle_s`` seconds."""
        try:
            log = os.open(logfile, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as exc:
            raise ProcessError("log file %s: %s" % (logfile, exc.strerror)) from exc
        try:
            offset = os.fstat(log).st_size
            # Not waited for on purpose: the child belongs to init once this module ends.
            child = subprocess.Popen(  # pylint: disable=consider-using-with
                [sys.executable, "-Sc", _LAUNCHER] + list(argv),
                env=dict(env),
                cwd=chdir,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                close_fds=True,
                start_new_session=True,
            )
        except OSError as exc:
            raise ProcessError("cannot run %s in %s: %s" % (argv[0], chdir, exc.strerror)) from exc
        finally:
            os.close(log)
        self._note(child.pid, mark, argv)
        try:
            child.stdin.write(b"\n")
            child.stdin.close()
        except OSError:
            pass  # it has ended; how is said below
        self._settle(child, logfile, offset, settle_s)
        return child.pid

    def _note(self, pid: int, mark: str, argv: Sequence) -> None:
        record = {
            "pid": pid,
            "start_time": start_time(pid),
            "boot_id": boot_id(),
            "fingerprint": mark,
            "cmdline": list(argv),
        }
        _write(self.record_file, json.dumps(record))
        _write(self.pidfile, "%d\n" % pid)

    def _settle(self, child: Any, logfile: str, offset: int, settle_s: float) -> None:
        end = time.monotonic() + settle_s
        while time.monotonic() < end:
            code = child.poll()
            if code is not None:
                self.forget()
                if code == _CANNOT_RUN:
                    raise ProcessError(_tail(logfile, offset))
                raise ProcessError("ended at once with code %d: %s" % (code, _tail(logfile, offset)))
            time.sleep(0.05)

    def stop(self, timeout: float) -> bool:
        """SIGTERM, after ``timeout`` seconds SIGKILL; returns whether it had to be killed."""
        pid = self.pid()
        killed = False
        if pid is not None:
            born = start_time(pid)
            _signal(pid, born, signal.SIGTERM)
            if not _gone(pid, born, timeout):
                killed = True
                _signal(pid, born, signal.SIGKILL)
                if not _gone(pid, born, 10.0):
                    raise ProcessError("process %d does not end, even killed" % pid)
        self.forget()
        return killed

    def forget(self) -> None:
        """Remove pid file and record."""
        for path in (self.pidfile, self.record_file):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass


def _signal(pid: int, born: int | None, number: int) -> None:
    if born is None or start_time(pid) != born:
        return
    try:
        os.kill(pid, number)
    except OSError as exc:
        if exc.errno != errno.ESRCH:
            raise ProcessError("process %d cannot be signalled: %s" % (pid, exc.strerror)) from exc


def _gone(pid: int, born: int | None, timeout: float) -> bool:
    end = time.monotonic() + timeout
    while start_time(pid) == born and born is not None:
        if time.monotonic() >= end:
            return False
        time.sleep(0.05)
    return True


def _write(path: str, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".pid-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(temporary, path)


def _tail(logfile: str, offset: int) -> str:
    """The last line the process wrote, which is where programs say why they end."""
    with open(logfile, "rb") as stream:
        stream.seek(max(offset, os.fstat(stream.fileno()).st_size - 4096))
        lines = [line.strip() for line in stream.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:500] if lines else "it wrote nothing to %s" % logfile
