"""The end of a process the queen started: in a session of its own, with standard input as the string it hangs on."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress


async def end(process: asyncio.subprocess.Process, patience_s: float) -> None:
    """Make sure it is gone: ask by closing its input, wait ``patience_s`` seconds, then kill its session."""
    assert process.stdin is not None
    # In any case: left to the garbage collector, the number would be closed when a later process's pipe has it.
    process.stdin.close()
    if process.returncode is not None:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            await process.wait()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
