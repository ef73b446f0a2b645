"""What befalls processes and the network in ``bench chaos``. Each fault lasts a moment and is mended at its end."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager
from typing import NamedTuple

from bench.agent import Agent
from bench.measure import descendants
from bench.net_lab import NetLab

WHOLE_S = 180.0
LATE_MS = 60
SPREAD_MS = 50


class Scene(NamedTuple):
    """A colony that is whole, just before a fault. ``seats``: names of those in the council."""

    lab: NetLab
    queen: str
    seats: Sequence[str]
    leader: str  # whose etcd leads
    dice: random.Random
    struck: list[str]  # for the report

    def somebody(self, among: Sequence[str] = ()) -> Agent:
        """The queen mostly: there is more to lose."""
        among = among or sorted(self.lab.agents)
        queen = self.queen in among and self.dice.random() < 0.5
        self.struck.append(self.queen if queen else self.dice.choice(among))
        return self.lab.agent(self.struck[-1])

    def a_member(self) -> Agent:
        """One with a seat: the queen mostly."""
        return self.somebody(self.seats)

    def subject(self) -> str:
        """A seat that is not the queen's."""
        self.struck.append(self.dice.choice([name for name in self.seats if name != self.queen]))
        return self.struck[-1]

    def leading(self) -> Agent:
        """Whose etcd leads."""
        self.struck.append(self.leader)
        return self.lab.agent(self.leader)

    async def while_it_lasts(self, longest: float = 4.0) -> None:
        """For 0.3 s at least."""
        await asyncio.sleep(self.dice.uniform(0.3, longest))


Fault = Callable[[Scene], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def down(scene: Scene, victims: Sequence[Agent], kill: Callable[[Agent], None]) -> AsyncIterator[None]:
    """They end, and are started again."""
    for agent in victims:
        kill(agent)
    for agent in victims:
        await asyncio.to_thread(agent.wait, 60.0)
    try:
        await scene.while_it_lasts()
        yield
    finally:
        for agent in victims:
            agent.start()


@asynccontextmanager
async def _paused(scene: Scene, pids: Sequence[int]) -> AsyncIterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        await scene.while_it_lasts(6.0)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def _network(
    scene: Scene, break_it: Callable[[NetLab, str], None], longest: float = 6.0, who: str = ""
) -> AsyncIterator[None]:
    """Broken for somebody, and whole again."""
    try:
        break_it(scene.lab, who or scene.somebody().name)
        await scene.while_it_lasts(longest)
        yield
    finally:
        scene.lab.heal()


@asynccontextmanager
async def _killed(scene: Scene, pid: int) -> AsyncIterator[None]:
    """What the agent starts again by itself."""
    os.kill(pid, signal.SIGKILL)
    await scene.while_it_lasts(2.0)
    yield


@asynccontextmanager
async def _handed_over(scene: Scene) -> AsyncIterator[None]:
    await scene.lab.ask("POST", "/v1/queen/step-down", deadline_s=WHOLE_S)
    await scene.while_it_lasts(2.0)
    yield


@asynccontextmanager
async def _restarted(scene: Scene) -> AsyncIterator[None]:
    """One after the other, the queen last, as the playbook for upgrades does it."""
    for name in sorted(scene.lab.agents, key=lambda name: name == scene.queen):
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(down(scene, [scene.lab.agent(name)], Agent.terminate))
        await scene.lab.wait_serving(WHOLE_S)
        await scene.lab.wait_whole(WHOLE_S)
    yield


def _host(agent: Agent) -> list[int]:
    return [agent.pid, *descendants(agent.pid)]


def _two_of_the_council(scene: Scene) -> list[Agent]:
    """The queen and another one: of three that is the majority."""
    other = scene.subject()
    scene.struck.append(scene.queen)
    return [scene.lab.agent(scene.queen), scene.lab.agent(other)]


def _split(scene: Scene, *, minority: bool) -> AbstractAsyncContextManager[None]:
    """Two nodes and three; ``minority``: the queen, or who else is struck, is without a majority of the council."""
    lab, first = scene.lab, scene.a_member().name
    others = [name for name in scene.seats if name != first]
    spares = [name for name in lab.agents if name not in scene.seats]
    group = [first, *spares[:1]] if minority or not others else [first, scene.dice.choice(others)]
    return _network(scene, lambda lab, _: lab.split(group), who=first)


def _blind_to_each_other(scene: Scene) -> AbstractAsyncContextManager[None]:
    one, other = scene.dice.sample(list(scene.seats), 2)

    def break_it(lab: NetLab, _name: str) -> None:
        lab.deafen(one, [other])
        lab.deafen(other, [one])

    scene.struck.extend((one, other))
    return _network(scene, break_it, who=one)


def _alone(lab: NetLab, _name: str) -> None:
    for name in lab.agents:
        lab.deafen(name, lab.others(name))


@asynccontextmanager
async def _late(scene: Scene, names: Sequence[str], late_ms: int, spread_ms: int) -> AsyncIterator[None]:
    try:
        for name in names:
            scene.lab.delay(name, late_ms, spread_ms)
        await scene.while_it_lasts(8.0)
        yield
    finally:
        scene.lab.heal()


@asynccontextmanager
async def _freezing(scene: Scene) -> AsyncIterator[None]:
    """A host that stops for less than a second, again and again."""
    pids = _host(scene.a_member())
    with ExitStack() as stack:
        for pid in pids:
            stack.callback(os.kill, pid, signal.SIGCONT)
        for _ in range(scene.dice.randint(3, 8)):
            for number in (signal.SIGSTOP, signal.SIGCONT):
                for pid in pids:
                    os.kill(pid, number)
                await asyncio.sleep(scene.dice.uniform(0.1, 0.9))
    yield


FAULTS: dict[str, Fault] = {
    "agent killed": lambda s: down(s, [s.somebody()], Agent.kill_soon),
    "agent, gateway and etcd killed": lambda s: down(s, [s.somebody()], Agent.kill_tree),
    "majority of the council killed": lambda s: down(s, _two_of_the_council(s), Agent.kill_tree),
    "agent stopped (SIGTERM)": lambda s: down(s, [s.somebody()], Agent.terminate),
    "gateway killed": lambda s: _killed(s, s.a_member().gateway_pid),
    "etcd killed": lambda s: _killed(s, s.a_member().etcd_pid),
    "etcd's leader killed": lambda s: _killed(s, s.leading().etcd_pid),
    "handed over": _handed_over,
    "all restarted as by an upgrade": _restarted,
    "agent paused": lambda s: _paused(s, [s.somebody().pid]),
    "etcd paused": lambda s: _paused(s, [s.a_member().etcd_pid]),
    "etcd's leader paused": lambda s: _paused(s, [s.leading().etcd_pid]),
    "host paused": lambda s: _paused(s, _host(s.somebody())),
    "host stutters": _freezing,
    "host cut off": lambda s: _network(s, lambda lab, name: lab.cut(name)),
    "in the minority": lambda s: _split(s, minority=True),
    "in the majority": lambda s: _split(s, minority=False),
    "everybody alone": lambda s: _network(s, _alone, who="all"),
    "two members do not hear each other": _blind_to_each_other,
    "hears nobody": lambda s: _network(s, lambda lab, name: lab.deafen(name, lab.others(name))),
    "nobody hears it": lambda s: _network(s, lambda lab, name: lab.mute(name)),
    "etcd out of its reach": lambda s: _network(s, lambda lab, name: lab.block_etcd(name)),
    "a tenth of all packets lost": lambda s: _network(s, lambda lab, _: lab.lose(10), 10.0, "all"),
    "three tenths of all packets lost": lambda s: _network(s, lambda lab, _: lab.lose(30), 10.0, "all"),
    "packets late at one host": lambda s: _late(s, [s.a_member().name], 3 * LATE_MS, 2 * SPREAD_MS),
    "packets late everywhere": lambda s: _late(s, sorted(s.lab.agents), LATE_MS, SPREAD_MS),
}
