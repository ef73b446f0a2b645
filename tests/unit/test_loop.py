"""Which errors of the event loop are told, and which is only uvloop's way to say that both ends closed at once."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from aware_agent.loop import new_loop

SSL = "Fatal error on SSL protocol"
LATE = RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


@pytest.mark.parametrize(
    ("context", "told"),
    [
        ({"message": SSL, "exception": LATE}, False),
        ({"message": SSL, "exception": RuntimeError("something else")}, True),
        ({"message": SSL, "exception": ValueError("the handler is closed")}, True),
        ({"message": "Task exception was never retrieved", "exception": LATE}, True),
        ({"message": SSL}, True),
    ],
)
def test_only_a_read_on_a_closed_connection_is_quiet(
    context: dict[str, Any], told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        asyncio.get_running_loop().call_exception_handler(context)

    with caplog.at_level(logging.INFO), asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(fail())
    assert [record.levelno for record in caplog.records] == ([logging.ERROR] if told else [])
