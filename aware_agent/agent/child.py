"""One question to a short process of its own: it loads what a running agent never does, and is gone with the answer."""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def ask_child(module: str, question: bytes, limit_s: float) -> tuple[bytes, bytes]:
    """Run ``python -m module`` with ``question`` on its standard input; what it wrote to standard output and error.

    Raises TimeoutError after ``limit_s`` seconds. The process has ended when this returns or raises.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(limit_s):
            return await process.communicate(question)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
