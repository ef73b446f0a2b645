"""Snapshots of a real etcd: whole, consistent, for root only; and a data directory that goes on above the lost one."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from aware_agent.store import ops
from aware_agent.store.access import Access
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.errors import StoreError, StoreRefused
from aware_agent.store.etcd_binary import find_etcd
from aware_agent.store.snapshot import SnapshotDamaged, SnapshotInfo, SnapshotMeter, take_snapshot
from aware_agent.store.snapshot_tools import BUMP, PeerMember, find_etcdutl, lift, make_data_dir

pytestmark = pytest.mark.etcd
MEMBER = PeerMember("m0", "http://127.0.0.1:2380")


async def snapshot(client: EtcdClient, path: Path) -> SnapshotInfo:
    with path.open("xb") as file:

        async def sink(blob: bytes) -> None:
            file.write(blob)

        return await take_snapshot(client, sink)


def data_dir(path: Path, into: Path, bump: int = 0) -> None:
    tool = find_etcdutl(find_etcd())
    make_data_dir(tool, path, into, member=MEMBER, members=[MEMBER], token="again", bump=bump)


async def test_a_snapshot_under_writes_holds_everything_up_to_its_revision(tmp_path: Path) -> None:
    """Two keys are always written together; a copy that has one of a pair without the other would not be consistent."""
    async with EmbeddedEtcd() as etcd, EtcdClient(etcd.endpoints, deadline_s=20.0) as client:
        for number in range(3):
            await client.put(b"/first/%d" % number, b"x" * 1_000_000)
        stop = asyncio.Event()

        async def write() -> int:
            number = 0
            while not stop.is_set():
                number += 1
                value = b"%d" % number
                revision = (await client.txn([], [ops.put(b"/a", value), ops.put(b"/b", value)])).revision
            return revision

        writer = asyncio.create_task(write())
        await asyncio.sleep(0.2)
        info = await snapshot(client, tmp_path / "snapshot.db")
        stop.set()
        last = await writer
        then = (await client.range(b"/a", b"/c", revision=info.revision)).kvs
    assert (tmp_path / "snapshot.db").stat().st_size == info.bytes
    assert 0 < info.revision < last
    data_dir(tmp_path / "snapshot.db", tmp_path / "etcd" / "m0")
    async with EmbeddedEtcd(directory=tmp_path / "etcd") as etcd, EtcdClient(etcd.endpoints, deadline_s=20.0) as client:
        found = await client.range(b"/a", b"/c")
        assert found.revision >= info.revision
        assert found.kvs[0].value == found.kvs[1].value
        assert (await client.range(b"/a", b"/c", revision=info.revision)).kvs == then


async def test_only_root_may_take_one(tmp_path: Path) -> None:
    async with EmbeddedEtcd() as etcd:
        async with EtcdClient(etcd.endpoints, deadline_s=20.0) as client:
            access = Access(client)
            await access.add_user("root", "root-password")
            await access.add_role("root")
            await access.assign("root", "root")
            await access.add_user("node", "node-password")
            await access.enable()
        for user, allowed in (("root", True), ("node", False)):
            own = Credentials(user=user, password=f"{user}-password")
            async with EtcdClient(etcd.endpoints, own, deadline_s=20.0) as client:
                if allowed:
                    assert (await snapshot(client, tmp_path / user)).bytes > 0
                else:
                    with pytest.raises(StoreRefused):
                        await snapshot(client, tmp_path / user)


async def test_a_member_that_dies_meanwhile_gives_no_snapshot(tmp_path: Path) -> None:
    async with EmbeddedEtcd() as etcd, EtcdClient(etcd.endpoints, deadline_s=20.0) as client:
        for number in range(20):
            await client.put(b"/big/%d" % number, b"x" * 1_000_000)

        async def sink(blob: bytes) -> None:
            etcd.members[0].kill()
            await asyncio.sleep(0)

        with pytest.raises(StoreError):
            await take_snapshot(client, sink)


def test_the_meter_wants_all_of_it_unharmed() -> None:
    data = b"d" * 4096
    whole = data + hashlib.sha256(data).digest()
    for harmed in (whole[:-1], whole[:-32], whole[1:], b"", b"e" + whole[1:], whole[:512]):
        meter = SnapshotMeter()
        for at in range(0, len(harmed), 7):
            meter.feed(harmed[at : at + 7])
        with pytest.raises(SnapshotDamaged):
            meter.check()
    meter = SnapshotMeter()
    meter.feed(whole[:5])
    meter.feed(whole[5:])
    meter.check()


async def test_a_restored_etcd_goes_on_above_the_lost_one(tmp_path: Path) -> None:
    """The lost etcd went on after the snapshot. Every create revision after the restore is above all it gave out."""
    async with EmbeddedEtcd() as etcd, EtcdClient(etcd.endpoints, deadline_s=20.0) as client:
        await client.put(b"/kept", b"yes")
        await snapshot(client, tmp_path / "snapshot.db")
        for number in range(500):
            lost = await client.put(b"/lost", b"%d" % number)
    tool = find_etcdutl(find_etcd())
    data_dir(tmp_path / "snapshot.db", tmp_path / "etcd" / "m0", BUMP if tool.bumps else 0)
    async with EmbeddedEtcd(directory=tmp_path / "etcd") as etcd, EtcdClient(etcd.endpoints, deadline_s=20.0) as client:
        if not tool.bumps:
            assert await lift(client, b"/lift", lost + 100) > lost
        await client.put(b"/new", b"")
        new, kept = await client.get(b"/new"), await client.get(b"/kept")
        assert new is not None
        assert kept is not None
        assert new.create_revision > lost > kept.create_revision
        assert await client.get(b"/lift") is None
        with pytest.raises(StoreError, match="compacted"):
            await client.get(b"/kept", revision=lost)


async def test_a_snapshot_that_was_changed_makes_no_data_directory(tmp_path: Path) -> None:
    async with EmbeddedEtcd() as etcd, EtcdClient(etcd.endpoints, deadline_s=20.0) as client:
        await client.put(b"/kept", b"yes")
        await snapshot(client, tmp_path / "snapshot.db")
    raw = bytearray((tmp_path / "snapshot.db").read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "snapshot.db").write_bytes(raw)
    with pytest.raises(StoreError, match="etcdutl failed"):
        data_dir(tmp_path / "snapshot.db", tmp_path / "m0")
    assert not (tmp_path / "m0").exists()
