"""Members of a real etcd, each under its node's care, learn to believe other CAs: one after the other, nothing lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from store_support import WAIT_S, until

from aware_agent.agent.member.etcd_access import etcd_credentials, etcd_pair
from aware_agent.agent.member.etcd_follower import EtcdFollower
from aware_agent.agent.member.etcd_home import EtcdPlan
from aware_agent.agent.member.etcd_unit import EtcdUnit
from aware_agent.agent.state import Membership, NodeState, StateDir
from aware_agent.colony.node import EtcdReport, Report
from aware_agent.colony.seats import CouncilRecord, Seat
from aware_agent.ports import free_ports
from aware_agent.security import pki
from aware_agent.security.keyring import fingerprint
from aware_agent.security.records import CouncilAccess
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.errors import StoreError
from aware_agent.store.members import Members, client_address

pytestmark = pytest.mark.etcd

LONG_S = 180.0
ADDRESS = "127.0.0.1"
NOW = time.time()
CA = pki.create_ca("demo", NOW)
OLD, NEW = pki.create_council_ca("demo", NOW), pki.create_council_ca("demo", NOW)
BOTH = NEW.certificate + OLD.certificate


class Node:
    """One node with a seat: its state directory, its etcd, and who keeps that at the certificates of now."""

    def __init__(self, root: Path, number: int, ports: tuple[int, int]) -> None:
        self.directory = StateDir(root / f"n{number}")
        self.directory.prepare()
        self.id = self.directory.ensure_identity(f"n{number}", now=NOW + number).id
        self.directory.save_key(pki.make_key())
        self.client_url, self.peer_url = (f"https://{ADDRESS}:{port}" for port in ports)
        self.unit = EtcdUnit(self.directory.path, production=False)
        self.told: list[str] = []
        self.follower = EtcdFollower(self.id, self.directory, self.unit, self._tell)

    def _tell(self) -> None:
        self.told.append(self.follower.believes())

    def certify(self, ca: pki.Pair, bundle: bytes) -> NodeState:
        """As a renewal does."""
        key = self.directory.load_key() or b""
        node, council = (
            pki.issue(each, key, common_name=self.id, sans=[ADDRESS], now=time.time()).certificate for each in (CA, ca)
        )
        membership = Membership(colony="demo", secret=b"s" * 32, etcd=("x:1",), joined_at=NOW)
        access = CouncilAccess(certificate=council, ca=bundle)
        self.directory.save(membership, certificate=node, ca=CA.certificate, council=access)
        self.follower.renewed()
        state = self.directory.load()
        assert state is not None
        return state

    async def begin(self, peers: dict[str, str], state: NodeState) -> None:
        plan = EtcdPlan(
            name=self.id, client_url=self.client_url, peer_url=self.peer_url, peers=peers, token="t", joins=False,
            fsync=False,
        )  # fmt: skip
        await self.unit.run(plan, etcd_pair(state))

    def report(self) -> Report:
        etcd = EtcdReport(version="", client_url="", peer_url="", free_mib=0, believes=self.follower.believes())
        return Report(name=self.id, address=ADDRESS, url="https://x:1", incarnation="i", etcd=etcd)


@contextlib.asynccontextmanager
async def council(root: Path, size: int) -> AsyncIterator[list[Node]]:
    ports = free_ports(2 * size)
    nodes = [Node(root, n, (ports[2 * n], ports[2 * n + 1])) for n in range(size)]
    peers = {node.id: node.peer_url for node in nodes}
    states = [node.certify(OLD, OLD.certificate) for node in nodes]
    tasks: list[asyncio.Task[None]] = []
    try:
        for node, state in zip(nodes, states, strict=True):
            await node.begin(peers, state)
        for node, state in zip(nodes, states, strict=True):
            await node.unit.wait_ready(etcd_credentials(state), LONG_S)
        members = Members([node.client_url for node in nodes], lambda: etcd_credentials(states[0]))
        seats = tuple(
            Seat(member=m.id, node=m.name, name=m.name, endpoint=client_address(m)) for m in await members.list()
        )
        await members.aclose()
        for node in nodes:
            node.follower.council = lambda: CouncilRecord(seats=seats)
            node.follower.reports = lambda: {each.id: each.report() for each in nodes}
            tasks.append(asyncio.create_task(node.follower.run()))
        yield nodes
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for node in nodes:
            await node.unit.stop()


def stranger(ca: pki.Pair, bundle: bytes) -> Credentials:
    """A client of ``ca``."""
    pair = pki.issue(ca, pki.make_key(), common_name="client", sans=[], now=time.time())
    return Credentials(ca=bundle, cert=pair.certificate, key=pair.key)


async def gets_in(nodes: list[Node], credentials: Credentials) -> list[bool]:
    async def one(node: Node) -> bool:
        try:
            async with EtcdClient([node.client_url], credentials, timeout_s=2.0, deadline_s=WAIT_S / 5) as client:
                await client.status()
        except StoreError:
            return False
        return True

    return list(await asyncio.gather(*(one(node) for node in nodes)))


async def believe(nodes: list[Node], bundle: bytes) -> int:
    """Wait until all members do; how many were ever seen not to listen at one moment."""
    end, most = time.monotonic() + LONG_S, 0
    while {node.follower.believes() for node in nodes} != {fingerprint(bundle)}:
        assert time.monotonic() < end, [node.unit.problem for node in nodes]
        down = 0
        for node in nodes:
            try:
                _, writer = await asyncio.open_connection(ADDRESS, int(node.client_url.rpartition(":")[2]))
                writer.close()
            except OSError:
                down += 1
        most = max(most, down)
        await asyncio.sleep(0.02)
    return most


async def test_three_members_change_their_ca_one_by_one_and_no_write_is_lost(tmp_path: Path) -> None:
    async with council(tmp_path, 3) as nodes:
        written: list[int] = []
        async with EtcdClient([n.client_url for n in nodes], stranger(OLD, BOTH), deadline_s=LONG_S) as client:

            async def write() -> None:
                while True:
                    number = len(written)
                    await client.put(b"w/%06d" % number, b"x")
                    written.append(number)

            writer = asyncio.create_task(write())
            for node in nodes:
                node.certify(OLD, BOTH)
            assert await believe(nodes, BOTH) <= 1
            assert await gets_in(nodes, stranger(NEW, BOTH)) == [True] * 3
            for node in nodes:
                node.certify(NEW, BOTH)
            client.renew(stranger(NEW, BOTH))
            for node in nodes:
                node.certify(NEW, NEW.certificate)
            assert await believe(nodes, NEW.certificate) <= 1
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            kept = await client.range(b"w/", b"w0")
            assert {b"w/%06d" % number for number in written} <= {kv.key for kv in kept.kvs}
        assert len(written) > 10
        assert await gets_in(nodes, stranger(OLD, BOTH)) == [False] * 3
        assert await gets_in(nodes, stranger(NEW, BOTH)) == [True] * 3


async def test_of_one_member_etcd_pauses_and_goes_on(tmp_path: Path) -> None:
    async with council(tmp_path, 1) as nodes:
        assert await gets_in(nodes, stranger(NEW, BOTH)) == [False]
        nodes[0].certify(OLD, BOTH)
        await believe(nodes, BOTH)
        assert await gets_in(nodes, stranger(NEW, BOTH)) == [True]


async def test_what_etcd_believes_is_told_also_when_a_new_seat_started_it(tmp_path: Path) -> None:
    """A rotation waits for members that do not say which CAs their etcd believes."""
    ports = free_ports(2)
    node = Node(tmp_path, 0, (ports[0], ports[1]))
    state = node.certify(OLD, OLD.certificate)
    following = asyncio.create_task(node.follower.run())
    try:
        await node.begin({node.id: node.peer_url}, state)
        await node.unit.wait_ready(etcd_credentials(state), LONG_S)
        node.follower.renewed()
        await until(lambda: bool(node.told), "it is told")
        assert node.told == [fingerprint(OLD.certificate)]
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await node.unit.stop()


async def test_while_a_member_is_down_nobody_restarts(tmp_path: Path) -> None:
    async with council(tmp_path, 3) as nodes:
        last = max(nodes, key=lambda node: node.id)
        await last.unit.stop()
        others = [node for node in nodes if node is not last]
        for node in others:
            node.certify(OLD, BOTH)
        await asyncio.sleep(5)  # some looks whether it is anybody's turn
        assert {node.follower.believes() for node in others} == {fingerprint(OLD.certificate)}
        state = last.certify(OLD, BOTH)
        await last.begin({node.id: node.peer_url for node in nodes}, state)
        await believe(nodes, BOTH)
        assert await gets_in(nodes, stranger(NEW, BOTH)) == [True] * 3
