"""A restored colony on its hosts: the first member begins out of the snapshot, the others lose what they had."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest
from restore_support import KEYS, Made, make_colony, wish
from typer.testing import CliRunner

from aware_agent.agent.member.etcd_access import etcd_credentials, etcd_pair
from aware_agent.agent.member.etcd_home import EtcdHome, EtcdPlan
from aware_agent.agent.member.etcd_unit import EtcdUnit
from aware_agent.agent.member.restore import Beginning, Return, come_back
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.cli.backup_restore import Restored, restore
from aware_agent.cli.council import app
from aware_agent.colony.errors import NotFound
from aware_agent.ports import free_ports
from aware_agent.security.files import StateUnusable
from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreError

pytestmark = pytest.mark.etcd
MISSING = Path("/nowhere/snapshot.db")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return asyncio.run(make_colony(tmp_path_factory.mktemp("colony")))


@pytest.fixture
def host(made: Made, tmp_path: Path) -> tuple[Path, Restored, Return]:
    """A fresh host of the founder, its state put back, and what it is to do."""
    into = tmp_path / "restored"
    done = restore(wish(made, into, nodes={"demo-1": "127.0.0.1"}))
    shutil.copytree(into / "nodes" / "demo-1", tmp_path / "state")
    client, peer = free_ports(2)
    beginning = Beginning(snapshot=into / "snapshot.db", peer_url=f"https://127.0.0.1:{peer}")
    return (
        tmp_path / "state",
        done,
        Return(token=done.token, client_url=f"https://127.0.0.1:{client}", beginning=beginning),
    )


def loaded(path: Path) -> NodeState:
    state = StateDir(path).load()
    assert state is not None
    return state


async def record_of(path: Path, wanted: Return, node: str) -> bytes:
    """What etcd says when the agent has started it, which knows by then which member it is."""
    state = loaded(path)
    unit = EtcdUnit(path, production=False)
    try:
        assert await unit.resume(etcd_pair(state))
        await unit.wait_ready(etcd_credentials(state))
        await unit.learn_id(etcd_credentials(state))
        plan = unit.home.plan()
        assert plan is not None
        assert plan.member
        endpoint = wanted.client_url.removeprefix("https://")
        async with EtcdClient([endpoint], etcd_credentials(state), deadline_s=20.0) as client:
            kept = await client.get(KEYS.key("nodes", node))
            assert kept is not None
            return kept.value
    finally:
        await unit.stop()


async def test_the_first_member_begins_out_of_the_snapshot_and_once(
    made: Made, host: tuple[Path, Restored, Return]
) -> None:
    path, _, wanted = host
    assert await come_back(path, wanted)
    assert loaded(path).membership.etcd == (wanted.client_url.removeprefix("https://"),)
    assert b"demo-1" in await record_of(path, wanted, made.founder)
    assert not await come_back(path, wanted), "a run that is repeated changes nothing"
    assert b"demo-1" in await record_of(path, wanted, made.founder)
    assert not list((path / "etcd").glob("data.before-*"))


async def test_a_run_that_was_cut_off_begins_no_empty_etcd_and_is_repeated(
    made: Made, host: tuple[Path, Restored, Return]
) -> None:
    path, _, wanted = host
    assert wanted.beginning is not None
    absent = msgspec.structs.replace(wanted.beginning, snapshot=MISSING)
    with pytest.raises(StoreError, match="etcdutl failed"):
        await come_back(path, msgspec.structs.replace(wanted, beginning=absent))
    home = EtcdHome(path / "etcd")
    assert not home.begun
    assert b'"initial-cluster-state": "existing"' in (home.config() or b"")
    assert await come_back(path, wanted)
    assert b"demo-1" in await record_of(path, wanted, made.founder)


async def test_data_that_was_there_is_kept_by_every_restore(host: tuple[Path, Restored, Return]) -> None:
    path, _, wanted = host
    home = EtcdHome(path / "etcd")
    old = EtcdPlan(name="x", client_url="", peer_url="", peers={}, token="old", joins=False)
    home.install(old, etcd_pair(loaded(path)))
    (home.data / "member").mkdir()
    (home.data / "member" / "wal").write_text("newer than the backup")
    follower = msgspec.structs.replace(wanted, beginning=None)
    assert await come_back(path, follower)
    assert home.plan() is None
    assert (home.path / f"data.before-{wanted.token}" / "member" / "wal").read_text() == "newer than the backup"
    assert not await come_back(path, follower)
    # Another restore, of which this host is the first member; then a third.
    assert await come_back(path, msgspec.structs.replace(wanted, token="second00"))
    assert await come_back(path, msgspec.structs.replace(wanted, token="third000"))
    kept = sorted(found.name for found in home.path.glob("data.before-*"))
    assert kept == sorted([f"data.before-{wanted.token}", "data.before-third000"])


async def test_who_cannot_begin_is_told_so(host: tuple[Path, Restored, Return]) -> None:
    path, _, wanted = host
    with StateDir(path).hold(), pytest.raises(StateUnusable, match="in use by another agent"):
        await come_back(path, wanted)
    state = loaded(path)
    StateDir(path).save_membership(msgspec.structs.replace(state.membership, whole=False, etcd=()))
    with pytest.raises(NotFound, match="is a worker: it cannot be the first member"):
        await come_back(path, wanted)
    bad = CliRunner().invoke(app, ["restore", f"--state-dir={path}", "--token=NO TOKEN", f"--etcd={wanted.client_url}"])
    assert "no token of a restore" in str(bad.exception)
    half = CliRunner().invoke(
        app,
        ["restore", f"--state-dir={path}", "--token=00000000", f"--etcd={wanted.client_url}", "--snapshot=x"],
    )
    assert "--snapshot and --peer belong together" in str(half.exception)
