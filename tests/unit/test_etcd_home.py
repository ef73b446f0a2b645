"""etcd's directory on a node: what is written, what is moved aside, and what keeps etcd from starting."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from aware_agent.agent.member import etcd_home
from aware_agent.agent.member.etcd_child import ChildEtcd, cause
from aware_agent.agent.member.etcd_home import EtcdHome, EtcdPair, EtcdPlan, PortTaken, check_startable
from aware_agent.ports import free_ports
from aware_agent.security.files import DiskFull
from aware_agent.store.errors import UnsupportedEtcd
from aware_agent.store.etcd_binary import EtcdBinary

PAIR = EtcdPair(ca=b"ca", certificate=b"certificate", key=b"key")
GOOD = EtcdBinary(path="/usr/bin/etcd", version="3.5.16", source="system")


def a_plan(**fields: object) -> EtcdPlan:
    client, peer = free_ports(2)
    known = {
        "name": "n1",
        "client_url": f"https://127.0.0.1:{client}",
        "peer_url": f"https://127.0.0.1:{peer}",
        "peers": {"n1": f"https://127.0.0.1:{peer}", "n2": "https://127.0.0.2:2380"},
        "token": "demo",
        "joins": True,
        "member": 7,
    }
    return EtcdPlan(**{**known, **fields})  # type: ignore[arg-type]


def test_files_are_ours_alone_and_written_only_when_they_change(tmp_path: Path) -> None:
    home, plan = EtcdHome(tmp_path / "etcd"), a_plan()
    assert home.install(plan, PAIR)
    assert not home.install(plan, PAIR)
    assert home.install(plan, replace(PAIR, certificate=b"renewed"))
    config = json.loads(home.config_path.read_bytes())
    assert config["initial-cluster-state"] == "existing"
    assert config["initial-cluster"] == f"n1={plan.peer_url},n2=https://127.0.0.2:2380"
    assert config["peer-transport-security"]["client-cert-auth"] is True
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.path.iterdir()}
    assert not [name for name, mode in modes.items() if mode & 0o077]
    assert "key" not in repr(PAIR).replace("EtcdPair(ca, certificate)", "")


def test_data_of_another_member_is_moved_aside(tmp_path: Path) -> None:
    home, plan = EtcdHome(tmp_path / "etcd"), a_plan()
    home.install(plan, PAIR)
    (home.data / "member").mkdir()
    (home.data / "member" / "wal").write_text("mine")
    home.install(plan, PAIR)
    assert home.begun, "the same member keeps its data"
    home.install(replace(plan, member=8), PAIR)
    assert not home.begun
    assert (home.old / "member" / "wal").read_text() == "mine"


def test_data_that_lay_there_before_is_nobodys(tmp_path: Path) -> None:
    """Half-made by a founding that was given up, or copied from elsewhere."""
    home = EtcdHome(tmp_path / "etcd")
    (home.data / "member").mkdir(parents=True)
    home.install(a_plan(), PAIR)
    assert not home.begun
    assert (home.old / "member").is_dir()


def test_one_that_began_here_keeps_its_data_when_it_learns_its_id(tmp_path: Path) -> None:
    home, plan = EtcdHome(tmp_path / "etcd"), a_plan(member=0, joins=False)
    home.install(plan, PAIR)
    (home.data / "member").mkdir()
    home.adopt(replace(plan, member=9))
    home.install(replace(plan, member=9), PAIR)
    assert home.begun


def test_a_retired_member_leaves_nothing_to_start_from(tmp_path: Path) -> None:
    home = EtcdHome(tmp_path / "etcd")
    assert not home.retire(), "there was nothing"
    home.install(a_plan(), PAIR)
    (home.data / "member").mkdir()
    assert home.retire()
    assert [path.name for path in home.path.iterdir()] == ["data.old"]


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    home, plan = EtcdHome(tmp_path / "etcd"), a_plan()
    home.path.mkdir()
    assert check_startable(home, plan, GOOD, production=True) == []
    port = int(plan.peer_url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortTaken, match=f"port {port} of 127.0.0.1 is"):
        check_startable(home, plan, GOOD, production=True)


def test_an_address_of_somebody_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(PortTaken, match=r"cannot listen at 192\.0\.2\.1:2379"):
        check_startable(EtcdHome(tmp_path), a_plan(client_url="https://192.0.2.1:2379"), GOOD, production=True)


def test_a_full_disk_and_a_bad_version_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, plan = EtcdHome(tmp_path), a_plan()
    with pytest.raises(UnsupportedEtcd, match="corrupt"):
        check_startable(home, plan, replace(GOOD, version="3.5.1"), production=True)
    assert "tests only" in check_startable(home, plan, replace(GOOD, version="3.5.1"), production=False)[0]
    monkeypatch.setattr(etcd_home, "SEAT_FREE_MIB", 1 << 40)
    with pytest.raises(DiskFull, match="MiB left and needs"):
        check_startable(home, plan, GOOD, production=True)


def test_last_words_are_explained() -> None:
    log = '{"level":"info"}\n{"level":"fatal","error":"listen tcp 127.0.0.1:1: bind: address already in use"}\nbye\n'
    assert cause(log) == "a port of it is taken by another program"
    assert cause("the member has been permanently removed from the cluster") == "it was removed from the council"
    assert cause("all is well") == ""


async def test_a_child_that_ends_is_started_again_and_its_last_words_are_told(tmp_path: Path) -> None:
    program = tmp_path / "etcd"
    program.write_text("#!/bin/sh\necho no space left on device\nexit 1\n")
    program.chmod(0o755)
    home = EtcdHome(tmp_path / "home")
    home.path.mkdir()
    child = ChildEtcd(home, replace(GOOD, path=str(program)))
    await child.start()
    async with asyncio.timeout(60):
        while child.starts < 2 or not child.problem:
            await asyncio.sleep(0.02)
    assert child.problem == "etcd ended: its disk is full"
    await child.stop()
    assert child.pid is None


async def test_a_child_that_does_not_end_is_killed_and_one_that_may_not_start_says_why(tmp_path: Path) -> None:
    home = EtcdHome(tmp_path / "home")
    home.path.mkdir()

    def no() -> None:
        raise PortTaken("a port is taken")

    child = ChildEtcd(home, GOOD, check=no)
    await child.start()
    async with asyncio.timeout(60):
        while not child.problem:
            await asyncio.sleep(0.02)
    assert (child.problem, child.starts, child.pid) == ("a port is taken", 0, None)
    await child.stop()
    missing = ChildEtcd(home, replace(GOOD, path=str(tmp_path / "nothing")))
    await missing.start()
    async with asyncio.timeout(60):
        while not missing.problem:
            await asyncio.sleep(0.02)
    assert "ended" in missing.problem or "does not start" in missing.problem
    await missing.stop()
