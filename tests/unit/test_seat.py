"""What a node does with its seat, and where it looks for etcd when the members change."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from aware_agent.agent.member.etcd_home import EtcdHome, EtcdPair, EtcdPlan
from aware_agent.agent.member.seat import EtcdSeat
from aware_agent.agent.settings import CouncilSettings, Settings
from aware_agent.agent.state import StateDir
from aware_agent.colony.seats import CouncilRecord, Seat, SeatRecord
from aware_agent.security.files import DiskFull
from aware_agent.store.client import EtcdClient

ME, OTHER = "01HF7YAT00041061050R3GG28A", "01HF7YAT00041061050R3GG28B"
PAIR = EtcdPair(ca=b"ca", certificate=b"certificate", key=b"key")
PEERS = {ME: "https://127.0.0.1:2380", OTHER: "https://127.0.0.2:2380"}
WITH_ME = CouncilRecord(seats=(Seat(member=7, node=ME, name="a"),))
WITHOUT_ME = CouncilRecord(seats=(Seat(member=8, node=OTHER, name="b"),))


class Unit:
    """Writes the files, and starts no process."""

    def __init__(self, path: Path) -> None:
        self.home = EtcdHome(path)
        self.done: list[str] = []
        self.full = 0

    async def run(self, plan: EtcdPlan, pair: EtcdPair) -> None:
        if self.full:
            self.full -= 1
            raise DiskFull("no space left")
        self.home.install(plan, pair)
        self.done.append("run")

    async def leave(self) -> None:
        self.home.retire()
        self.done.append("leave")


class OneSeat(EtcdSeat):
    """With a certificate that never changes."""

    def pair(self) -> EtcdPair:
        return PAIR


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    return Unit(tmp_path / "etcd")


@pytest.fixture
def seat(tmp_path: Path, unit: Unit) -> OneSeat:
    settings = Settings(colony="demo", state_dir=str(tmp_path), address="127.0.0.1", council=CouncilSettings())
    return OneSeat(settings, StateDir(tmp_path), ME, unit)  # type: ignore[arg-type]


async def carried_out(seat: EtcdSeat, told: SeatRecord | None, council: CouncilRecord | None) -> None:
    """Tell it, and let it work until it waits for news again."""
    task = asyncio.create_task(seat.run())
    seat.post(told, council)
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_seat_is_taken_once_and_another_one_anew(seat: OneSeat, unit: Unit) -> None:
    await carried_out(seat, SeatRecord(member=7, peers=PEERS), None)
    plan = unit.home.plan()
    assert plan is not None
    assert (plan.member, plan.joins, plan.peers, plan.token) == (7, True, PEERS, "demo")
    await carried_out(seat, SeatRecord(member=7, peers={**PEERS, "x": "https://127.0.0.3:2380"}), WITH_ME)
    assert unit.done == ["run"], "who the others are now is etcd's own business"
    (unit.home.data / "member").mkdir()
    await carried_out(seat, SeatRecord(member=9, peers=PEERS), None)
    assert unit.done == ["run", "run"]
    assert (unit.home.old / "member").is_dir()


async def test_a_founder_keeps_its_data_until_the_member_list_is_without_it(seat: OneSeat, unit: Unit) -> None:
    """It began before there was a queen: no word about a seat is no word against it."""
    began = EtcdPlan(
        name=ME, client_url="https://127.0.0.1:2379", peer_url=PEERS[ME], peers=PEERS, token="demo", joins=False
    )
    unit.home.install(began, PAIR)
    (unit.home.data / "member").mkdir()
    await carried_out(seat, None, WITH_ME)
    await carried_out(seat, SeatRecord(member=7, peers=PEERS), WITH_ME)
    assert unit.done == []
    assert unit.home.begun
    assert unit.home.plan() == replace(began, member=7)
    await carried_out(seat, None, WITHOUT_ME)
    assert unit.done == ["leave"]
    assert unit.home.plan() is None
    await carried_out(seat, None, WITHOUT_ME)
    assert unit.done == ["leave"]


async def test_what_cannot_be_done_is_tried_again(
    seat: OneSeat, unit: Unit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("aware_agent.agent.member.seat.RETRY_S", 0.0)
    unit.full = 2
    await carried_out(seat, SeatRecord(member=7, peers=PEERS), None)
    assert unit.done == ["run"]
    assert "the seat in the council is not taken: no space left" in caplog.text


async def test_a_client_follows_etcds_members() -> None:
    async with EtcdClient(["127.0.0.1:1", "127.0.0.1:2"]) as client:
        here = client.endpoint
        with client.ring.borrow(here) as line:
            client.follow(["127.0.0.1:3", here])
            assert client.endpoint == here, "what works is kept"
            client.follow(["127.0.0.1:3", "127.0.0.1:4"])
            assert client.endpoint in {"127.0.0.1:3", "127.0.0.1:4"}
            client.ring.report(line, frozen=True)  # of an endpoint that is gone
            assert line.retired
        assert set(client.ring.endpoints) == {"127.0.0.1:3", "127.0.0.1:4"}
        client.follow([])
        assert len(client.ring) == 2, "never without any"
