"""In which ways a queen, or what she stands on, falls in ``bench failover``."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from bench.agent import Agent
from bench.council_lab import CouncilLab
from bench.lab import Lab, LabError
from bench.net_lab import NetLab

Blow = Callable[[], Awaitable[None]]


class Way(NamedTuple):
    """``aim`` finds out whom to strike; what it returns does it.

    ``ends``: the queen's agent does, and has to be started again. ``falls``: another reign has to begin. ``lab``: where
    it can be done. ``timeout_s``: of the client. ``unasked``: nobody planned it, so peers that detect can stand beside.
    """

    what: str
    aim: Callable[[Any, Agent], Awaitable[Blow]]
    ends: bool = True
    falls: bool = True
    lab: type[Lab] = Lab
    timeout_s: float = 1.0
    unasked: bool = True


def _at_once(strike: Callable[[Any, Agent], None]) -> Callable[[Any, Agent], Awaitable[Blow]]:
    async def aim(lab: Any, queen: Agent) -> Blow:
        async def blow() -> None:
            strike(lab, queen)

        return blow

    return aim


async def _etcd_leader(lab: CouncilLab, _queen: Agent) -> Blow:
    leaders = [seat["name"] for seat in await lab.members() if seat["leads"]]
    if not leaders:
        raise LabError("nobody's etcd leads")
    pid = lab.agent(leaders[0]).etcd_pid

    async def blow() -> None:
        os.kill(pid, signal.SIGKILL)

    return blow


async def _hand_over(lab: Lab, _queen: Agent) -> Blow:
    client = lab.client((await lab.admin()).token)

    async def blow() -> None:
        try:
            answer = await client.call("POST", "/v1/queen/step-down", deadline_s=30.0)
        finally:
            client.close()
        if not answer.ok:
            raise LabError(f"no hand-over: {answer.status} {answer.body[:200]!r}")

    return blow


WAYS = {
    "kill": Way("queen's agent killed (-9)", _at_once(lambda _, queen: queen.kill_soon())),
    "tree": Way(
        "queen's agent, gateway and etcd killed (-9)", _at_once(lambda _, queen: queen.kill_tree()), lab=CouncilLab
    ),
    "gateway": Way(
        "queen's gateway alone killed (-9)",
        _at_once(lambda _, queen: os.kill(queen.gateway_pid, signal.SIGKILL)),
        ends=False,
    ),
    "stop": Way("queen stopped (SIGTERM)", _at_once(lambda _, queen: queen.terminate()), unasked=False),
    "hand-over": Way("queen asked to hand over", _hand_over, ends=False, unasked=False),
    "host-cut": Way(
        "queen's host cut off from the network",
        _at_once(lambda lab, queen: lab.cut(queen.name)),
        ends=False,
        lab=NetLab,
        timeout_s=0.3,
    ),
    "etcd-leader-kill": Way(
        "etcd's leader killed (-9), wherever it runs", _etcd_leader, ends=False, falls=False, lab=CouncilLab
    ),
}
