"""The council's keeper over real etcd processes: it grows, replaces, shrinks, and no acknowledged write is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from council_support import Host, Scene, a_scene
from msgspec.structs import replace
from store_support import WAIT_S, until

from aware_agent.agent.member.etcd_home import LOG_ENTRIES
from aware_agent.colony.errors import AwareError
from aware_agent.colony.seats import Phase, SeatMove
from aware_agent.queen.council_keeper import LOOK_S, CouncilKeeper
from aware_agent.queen.writer import Contended
from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreError
from aware_agent.store.members import newest

pytestmark = pytest.mark.etcd


async def leader(scene: Scene) -> str:
    members = scene.members()
    try:
        entries = await members.list()
        said = await members.statuses(entries)
    finally:
        await members.aclose()
    return next(scene.colony.hosts[e.name].name for e in entries if e.id in said and said[e.id].leader == e.id)


async def kill(scene: Scene, host: Host) -> None:
    """kill -9, and the host stays away."""
    pid = host.child.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await host.child.stop()
    scene.colony.dead.add(host.id)


async def test_a_removed_node_keeps_its_name_for_as_long_as_it_sits(tmp_path: Path) -> None:
    """A playbook that waits for the name to leave the list stopped an etcd that still voted: the list had its id."""
    async with a_scene(tmp_path, hosts=4, size=3) as scene:
        await scene.keep("the council is full: 3 seats")
        scene.colony.removed.add(scene.hosts[2].id)
        await scene.keep("n3 loses its seat")
        assert [seat.name for seat in scene.colony.published.seats] == ["n1", "n2", "n3"]
        await scene.keep("the council is full: 3 seats")
        assert [seat.name for seat in scene.colony.published.seats] == ["n1", "n2", "n4"]
        assert await scene.voters() == {"n1", "n2", "n4"}
        assert scene.hosts[2].id not in " ".join(scene.colony.history)


async def test_a_step_that_cannot_be_told_is_over_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keeper waited for it, for the rest of the reign."""
    failures: list[AwareError] = [StoreError("etcd's database is full"), Contended()]
    after_failures: list[float] = []
    work = CouncilKeeper.work

    async def watched(keeper: CouncilKeeper) -> float:
        before = len(failures)
        pause = await work(keeper)
        after_failures.extend([pause] if len(failures) < before else [])
        return pause

    monkeypatch.setattr(CouncilKeeper, "work", watched)
    async with a_scene(tmp_path, hosts=3, size=3) as scene:
        for where in ("publish", "announce"):
            write = getattr(scene.colony, where)

            async def fails_at_first(*about: object, write: Callable[..., Any] = write) -> None:
                assert scene.keeper is not None
                if failures and scene.keeper.state.phase is Phase.CHANGING:
                    raise failures.pop()
                await write(*about)

            monkeypatch.setattr(scene.colony, where, fails_at_first)
        await scene.keep("the council is full: 3 seats")
    assert failures == [], "they were met"
    assert after_failures == [LOOK_S, LOOK_S], "it does not try again at once, and again"


async def test_a_new_member_is_given_what_is_and_does_not_live_through_what_was(tmp_path: Path) -> None:
    """One that replays how etcd was filled is full itself, and then nobody can write."""
    filled = 24  # MB
    async with a_scene(tmp_path, hosts=3, size=1) as scene:
        await scene.keep("the council is full: 1 seat")
        members = scene.members()
        async with EtcdClient([scene.hosts[0].endpoint], scene.credentials, deadline_s=WAIT_S) as client:
            for _ in range(0, LOG_ENTRIES + 100, 100):
                await asyncio.gather(*(client.put(b"/w/x", b"x") for _ in range(100)))
            for _ in range(filled):
                revision = await client.put(b"/w/fill", b"x" * 1_000_000)
            await client.delete(b"/w/fill")
            await members.compact(revision)
            (first,) = await members.list()
            await members.defragment(first)
        scene.colony.spec = replace(scene.colony.spec, size=3)
        await scene.keep("the council is full: 3 seats")
        entries = await members.list()
        sizes = {entry.id: status.size for entry in entries if (status := await members.status(entry))}
        await members.aclose()
    assert len(sizes) == 3
    assert max(sizes.values()) < filled * 1_000_000 / 3


async def test_it_grows_replaces_shrinks_and_keeps_every_write(tmp_path: Path) -> None:
    async with a_scene(tmp_path, hosts=6, size=3) as scene:
        hosts, colony = scene.hosts, scene.colony
        async with scene.writing():
            await scene.keep("the council is full: 3 seats")
            assert await scene.voters() == {"n1", "n2", "n3"}
            assert await leader(scene) != "n1", "etcd's leader is off the queen's host"
            assert set(colony.published.endpoints) == {host.endpoint for host in hosts[:3]}
            assert [seat.name for seat in colony.published.seats if seat.leads] == [await leader(scene)]

            colony.spec = replace(colony.spec, size=5)
            await scene.keep("the council is full: 5 seats")
            assert await scene.voters() == {"n1", "n2", "n3", "n4", "n5"}

            await kill(scene, hosts[2])
            await scene.keep("the council is full: 5 seats")
            assert await scene.voters() == {"n1", "n2", "n4", "n5", "n6"}

            colony.dead.discard(hosts[2].id)  # it comes back: a worker, its old data aside
            assert hosts[2].id not in colony.told
            await hosts[2].leave()
            assert hosts[2].home.old.is_dir()
            assert not hosts[2].home.begun

            colony.spec = replace(colony.spec, size=3)
            await scene.keep("the council is full: 3 seats")
            assert len(await scene.voters()) == 3
            assert "n1" in await scene.voters()
        await scene.assert_nothing_lost()
        running = {host.name for host in hosts if host.child.pid}
        assert running == await scene.voters(), "who has no seat has no etcd"


async def test_a_lost_majority_is_recovered_from_the_newest_survivor(tmp_path: Path) -> None:
    async with a_scene(tmp_path, hosts=5, size=3) as scene:
        async with scene.writing():
            await scene.keep("the council is full: 3 seats")
        members = scene.members()
        entries = await members.list()

        async def level() -> bool:
            return len({said.applied for said in (await members.statuses(entries)).values()}) == 1

        await until(level, "all members have all data")
        for host in scene.hosts[1:3]:
            await kill(scene, host)
        said = await members.statuses(entries)
        await members.aclose()
        assert newest(said) == next(e.id for e in entries if e.name == scene.hosts[0].id)
        told = list(scene.colony.history)
        await scene.keep("the council is left as it is: etcd does not answer")
        assert scene.keeper is not None
        assert await scene.keeper.work() > 0
        assert scene.colony.history == told, "without a majority nothing is tried"

        survivor = scene.hosts[0]
        assert survivor.plan is not None
        await survivor.run({survivor.id: survivor.peer_url}, joins=True, member=survivor.plan.member, force_new=True)
        await scene.keep("n4 is given a seat")
        await survivor.run({survivor.id: survivor.peer_url}, joins=True, member=survivor.plan.member)
        async with scene.writing():
            await scene.keep("the council is full: 3 seats")
        assert await scene.voters() == {"n1", "n4", "n5"}
        await scene.assert_nothing_lost()


async def test_a_seat_moves_and_no_write_is_lost(tmp_path: Path) -> None:
    async with a_scene(tmp_path, hosts=4, size=3) as scene:
        hosts, colony = scene.hosts, scene.colony
        async with scene.writing():
            await scene.keep("the council is full: 3 seats")
            leads = await leader(scene)
            source = next(host for host in hosts[1:3] if host.name == leads)
            colony.moving = SeatMove(source=source.id, target=hosts[3].id, asked_at=time.time())
            await scene.keep(f"the seat of {source.name} has moved to n4")
            assert await scene.voters() == {"n1", "n2", "n3", "n4"} - {source.name}
            assert source.child.pid is None, "who has no seat has no etcd"
            assert colony.moving is None
            order = [line for line in colony.history if source.name in line or "n4" in line]
            votes = next(n for n, line in enumerate(order) if "n4 has all data and is given a vote" in line)
            assert votes < order.index(f"{source.name} loses its seat: it is n4's now"), "learner first"
            await scene.keep("the council is full: 3 seats")
        await scene.assert_nothing_lost()


async def test_a_node_that_cannot_sit_is_named_and_nothing_changes(tmp_path: Path) -> None:
    async with a_scene(tmp_path, hosts=3, size=3) as scene:
        scene.colony.unable = {scene.hosts[2].id}
        await scene.keep("n3 has no etcd that can be used")
        assert await scene.voters() == {"n1"}
        assert scene.colony.history == ["n1 is told which seat it has"]
