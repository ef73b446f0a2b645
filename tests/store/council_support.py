"""Hosts with real etcd under the agent's care, and the colony as the council's keeper sees it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from store_support import WAIT_S, Authority, until

from aware_agent.agent.member.etcd_child import ChildEtcd
from aware_agent.agent.member.etcd_home import EtcdHome, EtcdPair, EtcdPlan, check_startable
from aware_agent.colony.ids import ulid
from aware_agent.colony.node import Status
from aware_agent.colony.seats import Candidate, CouncilRecord, SeatMove, SeatRecord, Step
from aware_agent.colony.spec import CouncilSpec
from aware_agent.ports import free_ports
from aware_agent.queen.council_keeper import CouncilKeeper
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import find_etcd
from aware_agent.store.errors import StoreError
from aware_agent.store.keys import prefix_end
from aware_agent.store.members import Members

LONG_S = 180.0


class Host:
    """One node: its directory, its ports, its etcd."""

    def __init__(self, number: int, root: Path, pair: EtcdPair, ports: tuple[int, int]) -> None:
        self.id = ulid(1e9 + number, bytes(10))
        self.name = f"n{number}"
        self.client_url, self.peer_url = (f"https://127.0.0.1:{port}" for port in ports)
        self.pair = pair
        self.home = EtcdHome(root / self.name / "etcd")
        self.home.path.parent.mkdir()
        self.plan: EtcdPlan | None = None
        self.child = ChildEtcd(self.home, find_etcd(), check=self.check)

    def check(self) -> None:
        assert self.plan is not None
        check_startable(self.home, self.plan, find_etcd(), production=False)

    @property
    def endpoint(self) -> str:
        return self.client_url.removeprefix("https://")

    async def run(self, peers: Mapping[str, str], *, joins: bool, member: int = 0, force_new: bool = False) -> None:
        self.plan = EtcdPlan(
            name=self.id,
            client_url=self.client_url,
            peer_url=self.peer_url,
            peers=dict(peers),
            token="test",
            joins=joins,
            member=member,
            fsync=False,
        )
        self.home.install(self.plan, self.pair, force_new=force_new)
        await self.child.start()

    async def leave(self) -> None:
        await self.child.stop()
        self.home.retire()


class Colony:
    """What the queen knows. What a node is told reaches it at once."""

    def __init__(self, hosts: list[Host], size: int) -> None:
        self.hosts = {host.id: host for host in hosts}
        self.spec = CouncilSpec(size=size, replace_after_s=5.0)
        self.told: dict[str, SeatRecord] = {}
        self.dead: set[str] = set()
        self.unable: set[str] = set()
        self.removed: set[str] = set()  # by an admin
        self.moving: SeatMove | None = None
        self.history: list[str] = []
        self.me = hosts[0].id
        self.published = CouncilRecord(seats=())

    def council_spec(self) -> CouncilSpec | None:
        return self.spec

    def candidates(self) -> tuple[Candidate, ...]:
        return tuple(
            Candidate(
                id=host.id,
                name=host.name,
                status=Status.DEAD if host.id in self.dead else Status.READY,
                etcd=host.id not in self.unable,
            )
            for host in self.hosts.values()
            if host.id not in self.removed
        )

    def council(self) -> CouncilRecord | None:
        return self.published

    def peer_url(self, node: str) -> str:
        return self.hosts[node].peer_url

    def seats(self) -> Mapping[str, SeatRecord]:
        return self.told

    def move(self) -> SeatMove | None:
        return self.moving

    async def end_move(self) -> None:
        self.moving = None

    async def publish(self, council: CouncilRecord) -> None:
        self.published = council

    async def announce(self, step: Step, sentence: str) -> None:
        self.history.append(sentence)

    async def give_seat(self, node: str, seat: SeatRecord) -> None:
        self.told[node] = seat
        host = self.hosts[node]
        if host.plan is None or node in self.dead or host.child.pid is None:
            await host.run(seat.peers, joins=True, member=seat.member)

    async def take_seat(self, node: str) -> None:
        del self.told[node]
        if node not in self.dead:
            await self.hosts[node].leave()
            self.hosts[node].plan = None


class Scene:
    """A council under a keeper, with somebody who writes all the time."""

    def __init__(self, hosts: list[Host], colony: Colony, credentials: Credentials) -> None:
        self.hosts = hosts
        self.colony = colony
        self.credentials = credentials
        self.acked: list[int] = []
        self.keeper: CouncilKeeper | None = None
        self._number = 0

    @property
    def endpoints(self) -> list[str]:
        return [host.endpoint for host in self.hosts]

    def members(self) -> Members:
        return Members(self.endpoints, lambda: self.credentials)

    async def keep(self, done: str, limit_s: float = LONG_S) -> None:
        """Let the keeper work until it says ``done``."""
        members = self.members()
        self.keeper = keeper = CouncilKeeper(self.colony, members)
        try:
            async with asyncio.timeout(limit_s):
                while done not in keeper.message:
                    await asyncio.sleep(min(0.3, await keeper.work()))
        except TimeoutError:
            raise AssertionError(f"never {done!r}; last: {keeper.message!r}; {self.colony.history}") from None
        finally:
            await members.aclose()

    async def voters(self) -> set[str]:
        """Names of the hosts that vote."""
        members = self.members()
        try:
            entries = await members.list()
        finally:
            await members.aclose()
        assert not [e for e in entries if e.learner]
        return {self.colony.hosts[e.name].name for e in entries}

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write one key after another, and remember which were acknowledged."""
        task = asyncio.create_task(self._write())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _write(self) -> None:
        async with EtcdClient(self.endpoints, self.credentials, timeout_s=0.5, deadline_s=2.0) as client:
            while True:
                self._number += 1
                try:
                    await client.put(b"/w/%08d" % self._number, b"x")
                    self.acked.append(self._number)
                except StoreError:
                    pass
                await asyncio.sleep(0.01)

    async def assert_nothing_lost(self) -> None:
        async with EtcdClient(self.endpoints, self.credentials, deadline_s=WAIT_S) as client:
            found = await client.range(b"/w/", prefix_end(b"/w/"))
        kept = {int(kv.key.removeprefix(b"/w/")) for kv in found.kvs}
        assert len(self.acked) > 20, "the writer was starved: nothing was proven"
        assert not set(self.acked) - kept, "acknowledged writes are lost"


@contextlib.asynccontextmanager
async def a_scene(tmp_path: Path, hosts: int, size: int) -> AsyncIterator[Scene]:
    """``hosts`` hosts, the first of them with a new etcd of one."""
    authority = Authority(tmp_path)
    files = authority.server_files()
    pair = EtcdPair(ca=files.ca.read_bytes(), certificate=files.cert.read_bytes(), key=files.key.read_bytes())
    ports = free_ports(2 * hosts)
    made = [Host(n + 1, tmp_path, pair, (ports[2 * n], ports[2 * n + 1])) for n in range(hosts)]
    scene = Scene(made, Colony(made, size), authority.credentials("root"))
    try:
        await made[0].run({made[0].id: made[0].peer_url}, joins=False)
        await until(lambda: _serves(scene, made[0]), "the first etcd serves")
        await _adopt(scene, made[0])
        yield scene
    finally:
        await asyncio.gather(*(host.child.stop() for host in made))


async def _serves(scene: Scene, host: Host) -> bool:
    try:
        async with EtcdClient([host.endpoint], scene.credentials, deadline_s=1.0) as client:
            await client.get(b"\0")
    except StoreError:
        return False
    return True


async def _adopt(scene: Scene, host: Host) -> None:
    from msgspec.structs import replace

    members = scene.members()
    try:
        entry = (await members.list())[0]
    finally:
        await members.aclose()
    assert host.plan is not None
    host.plan = replace(host.plan, member=entry.id)
    host.home.adopt(host.plan)
