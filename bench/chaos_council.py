"""What befalls etcd and the council in ``bench chaos``: full or slow disks, seats that move, a crowd of strangers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreError
from bench.agent import Agent
from bench.chaos_faults import WHOLE_S, Fault, Scene, down
from bench.client import Unreachable
from bench.control_groups import slow_disk
from bench.crowd import gather_crowd
from bench.lab import LabError
from bench.net_lab import NetLab

QUOTA_MIB = 48
REPLACE_AFTER_S = 15.0
STRANGERS = 300
CONFLICT = 409
WRITES_PER_S = 12  # of a slow disk: some 0.2 s for each fdatasync
_FILL = b"x" * 1_000_000


async def ask(lab: NetLab, method: str, path: str, body: object = None) -> Any:
    """An admin's request, as long as it takes. Raises LabError when it is refused."""
    answer = await lab.ask(method, path, body, deadline_s=WHOLE_S)
    if not answer.ok:
        raise LabError(f"{method} {path} got {answer.status} {answer.body[:300]!r}")
    return answer.json()


async def wish(lab: NetLab) -> None:
    """Members that are lost are replaced within seconds, as no operator would want it."""
    spec = (await ask(lab, "GET", "/v1/spec"))["spec"]
    council = {"size": lab.seats, "replace_after_s": REPLACE_AFTER_S}
    await ask(lab, "PUT", "/v1/spec", {**spec, "council": council})


@asynccontextmanager
async def _slow(scene: Scene, name: str) -> AsyncIterator[None]:
    agent = scene.lab.agent(name)
    with slow_disk(name, [agent.etcd_pid], agent.state_dir, WRITES_PER_S):
        await scene.while_it_lasts(10.0)
        yield


@asynccontextmanager
async def _full(scene: Scene) -> AsyncIterator[None]:
    """One key written over and over, until etcd takes no more; the colony makes room by itself."""
    key = scene.lab.keys.key("fill")
    async with scene.lab.member_client(scene.subject(), scene.seats) as etcd:
        with contextlib.suppress(StoreError):
            for _ in range(2 * QUOTA_MIB):
                await etcd.put(key, _FILL)
        yield
        await _until(lambda: _put(etcd, key), "etcd takes writes again")
        await etcd.delete(key)


async def _put(etcd: EtcdClient, key: bytes) -> bool:
    try:
        await etcd.put(key, b"")
    except StoreError:
        return False
    return True


async def _move(lab: NetLab, source: str) -> None:
    """Asked again while a member has just come back: the queen refuses to change the council then."""

    async def accepted() -> bool:
        answer = await lab.ask("POST", "/v1/council/move", {"from": source}, deadline_s=WHOLE_S)
        if not answer.ok and answer.status != CONFLICT:
            raise LabError(f"a seat cannot be moved: {answer.status} {answer.body[:300]!r}")
        return answer.ok

    await _until(accepted, f"{source} gives its seat")


@asynccontextmanager
async def _moved(scene: Scene) -> AsyncIterator[None]:
    source = scene.subject()
    await _move(scene.lab, source)
    await scene.lab.wait_whole(WHOLE_S, without=source)
    yield


@asynccontextmanager
async def _queen_killed_while_a_seat_moves(scene: Scene) -> AsyncIterator[None]:
    await _move(scene.lab, scene.subject())
    await scene.while_it_lasts(3.0)
    scene.struck.append(scene.queen)
    async with down(scene, [scene.lab.agent(scene.queen)], Agent.kill_tree):
        yield


@asynccontextmanager
async def _full_while_a_seat_moves(scene: Scene) -> AsyncIterator[None]:
    """A learner gets the file as it is, and etcd lets nobody defragment a learner."""
    await _move(scene.lab, scene.subject())
    async with _full(scene):
        yield


@asynccontextmanager
async def _drained(scene: Scene) -> AsyncIterator[None]:
    name = scene.a_member().name
    await ask(scene.lab, "PATCH", f"/v1/nodes/{name}", {"drained": True})
    try:
        await scene.lab.wait_whole(WHOLE_S, without=name)
        yield
    finally:
        await ask(scene.lab, "PATCH", f"/v1/nodes/{name}", {"cordoned": False})


@asynccontextmanager
async def _replaced(scene: Scene) -> AsyncIterator[None]:
    """It is gone for so long that another gets its seat; it comes back without one."""
    agent = scene.a_member()
    agent.kill_tree()
    await asyncio.to_thread(agent.wait, 60.0)
    try:
        await scene.lab.wait_whole(WHOLE_S, without=agent.name)
        yield
    finally:
        agent.start()


@asynccontextmanager
async def _crowded(scene: Scene) -> AsyncIterator[None]:
    lab = scene.lab
    crowd = await gather_crowd(lab, [lab.agent(scene.queen).url], STRANGERS, lab.strangers(), WHOLE_S)
    try:
        await scene.while_it_lasts(8.0)
        yield
    finally:
        crowd.kill()


async def _until(condition: Any, what: str) -> None:
    end = time.monotonic() + WHOLE_S
    while time.monotonic() < end:
        with contextlib.suppress(Unreachable):
            if await condition():
                return
        await asyncio.sleep(0.2)
    raise LabError(f"not within {WHOLE_S:g} s: {what}")


FAULTS: dict[str, Fault] = {
    "slow disk of a member": lambda s: _slow(s, s.a_member().name),
    "slow disk of etcd's leader": lambda s: _slow(s, s.leading().name),
    "etcd full": _full,
    "etcd full while a seat moves": _full_while_a_seat_moves,
    "seat moved": _moved,
    "queen killed while a seat moves": _queen_killed_while_a_seat_moves,
    "member drained": _drained,
    "member replaced": _replaced,
    "crowd of strangers": _crowded,
}
