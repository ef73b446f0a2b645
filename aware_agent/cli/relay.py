"""Running a program that writes where we write, also when nobody reads that any more.

Ansible is not made for a reader that goes away (``| head``): each of its processes fails to write, at the worst while
it holds the lock of its output. It shall end what it has begun; so it never gets to see such a pipe.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_CHUNK = 1 << 16


def run_relayed(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> int:
    """Run ``argv`` to its end and return its exit code. Raises OSError when it cannot be started.

    A terminal or a file it writes to itself; what goes into a pipe goes through here, and is dropped without a reader.
    """
    sys.stdout.flush()
    ours = (1, 2)
    given = [subprocess.PIPE if _is_pipe(number) else None for number in ours]
    with subprocess.Popen(argv, cwd=cwd, env=env, stdout=given[0], stderr=given[1]) as program:
        pairs = zip((program.stdout, program.stderr), ours, strict=True)
        relays = [threading.Thread(target=_relay, args=(theirs, number)) for theirs, number in pairs if theirs]
        try:
            for relay in relays:
                relay.start()
            code = program.wait()
        except BaseException:  # an interrupt: as subprocess.run does
            program.kill()
            raise
        finally:
            for relay in relays:
                relay.join()
    return code


def _is_pipe(number: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(number).st_mode)
    except OSError:  # it is closed
        return False


def _relay(theirs: IO[bytes], number: int) -> None:
    """Copy until the program and all it started have closed their end."""
    heard = True
    while chunk := os.read(theirs.fileno(), _CHUNK):
        while heard and chunk:
            try:
                chunk = chunk[os.write(number, chunk) :]
            except OSError:
                heard = False
