"""Frames between an agent and its gateway: four bytes of length, then msgpack.

Both sides are ours, yet the gateway faces the public: the agent trusts a frame no further than its length is bounded
and its content has the type that is expected.
"""

from __future__ import annotations

import asyncio
import struct

from aware_agent.colony.errors import AwareError

MAX_FRAME = 4 * 1024 * 1024  # a spec of the largest size a request may have, and its plan, fit in
_HEAD = struct.Struct(">I")


class FrameBroken(AwareError):
    """The other side of the socket said something that is not a frame of ours; the connection is given up."""

    code = "frame-broken"
    exit_code = 70
    status = 502


def frame(body: bytes) -> bytes:
    """``body`` with its length. Raises :class:`FrameBroken` for one that the other side would refuse."""
    if len(body) > MAX_FRAME:
        raise FrameBroken(f"a frame of {len(body)} bytes is too long", hint=f"at most {MAX_FRAME}")
    return _HEAD.pack(len(body)) + body


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """The next frame's content; None at a clean end. Raises :class:`FrameBroken` for one that is cut or too long."""
    try:
        (length,) = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        if length > MAX_FRAME:
            raise FrameBroken(f"a frame of {length} bytes is too long", hint=f"at most {MAX_FRAME}")
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        if not error.partial and error.expected == _HEAD.size:
            return None
        raise FrameBroken("a frame was cut short") from error
