"""Asking one node of a colony, and nobody else, until its answer is as wanted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from bench.client import Answer, Connection, Unreachable
from bench.lab import Agent, Lab

LIMIT_S = 90.0  # generous: a busy machine must not fail a test, a hang must
Wanted = Callable[[Answer], bool]


def is_ok(answer: Answer) -> bool:
    """The usual wish."""
    return answer.ok


class OneNode:
    """One node's gateway, over one connection that is kept open, with the lab's token for admin."""

    def __init__(self, lab: Lab, agent: Agent) -> None:
        self._lab, self._agent = lab, agent
        tls = lab.client()._tls
        assert tls is not None
        self._connection = Connection(agent.url, tls)

    async def get(self, path: str, wanted: Wanted = is_ok, method: str = "GET") -> Answer:
        """Its answer as soon as that is ``wanted``; the test fails with the last one when it never is."""
        headers = {"authorization": f"Bearer {(await self._lab.admin()).token}"}
        return await until_wanted(self._connection, path, wanted, method=method, headers=headers)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()


async def ask_one(lab: Lab, agent: Agent, path: str, wanted: Wanted = is_ok, method: str = "GET") -> Answer:
    """As :meth:`OneNode.get`, for one question."""
    with contextlib.closing(OneNode(lab, agent)) as node:
        return await node.get(path, wanted, method)


async def until_wanted(
    connection: Connection, path: str, wanted: Wanted, *, method: str = "GET", headers: Mapping[str, str] | None = None
) -> Answer:
    """What is answered over ``connection``, as soon as it is ``wanted``. Needs no token and no colony."""
    answer = None
    try:
        async with asyncio.timeout(LIMIT_S):
            while True:
                with contextlib.suppress(Unreachable):
                    answer = await connection.exchange(method, path, headers=headers, timeout_s=20)
                    if wanted(answer):
                        return answer
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{connection.base}{path} never was as wanted, at last {answer}") from None
