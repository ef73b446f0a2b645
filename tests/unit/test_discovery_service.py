"""Members among themselves, over real UDP on loopback."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from discovery_support import LOOPBACK_LINKS, SECRET, eventually, node_announcement, node_id, service

from aware_agent.discovery.beacon import Beacon, Kind, announce_key, encode
from aware_agent.discovery.errors import PortInUse
from aware_agent.discovery.interfaces import LOOPBACK_BROADCAST
from aware_agent.discovery.pace import Pace
from aware_agent.discovery.peers import Peer
from aware_agent.discovery.service import AnnounceKeys, NodeAnnouncement
from aware_agent.ports import free_port

SOURCE = ("127.0.0.1", 9)


def announcement(number: int = 1, *, key: bytes | None = None, at: float | None = None, **fields: object) -> bytes:
    now = time.time() if at is None else at
    basics = {"kind": Kind.ANNOUNCE, "key_id": "1", "sent_ms": round(now * 1000), "nonce": os.urandom(8)}
    basics.update(sender=node_id(number), name=f"n{number}", address="127.0.0.1", url="https://127.0.0.1:1")
    return encode(Beacon(**{**basics, **fields}), key or announce_key(SECRET), "demo")


async def test_three_members_find_each_other() -> None:
    port = free_port()
    heard: list[Peer] = []
    async with (
        service(0, "demo", port) as a,
        service(1, "demo", port) as b,
        service(2, "demo", port, on_peer=heard.append) as c,
    ):
        await eventually(lambda: len(a.peers) == len(b.peers) == len(c.peers) == 2)
        queen = c.peers.get(node_id(0))
        assert queen is not None
        assert queen.is_queen
        assert (queen.url, queen.term, queen.address) == ("https://127.0.0.1:9000", 1, "127.0.0.1")
        assert sorted(peer.id for peer in heard) == [node_id(0), node_id(1)]
        assert a.metrics()["rejected_own"] >= 1
        assert a.metrics()["send_errors"] == 0
        await b.aclose()
        await eventually(lambda: a.peers.get(node_id(1)) is None)


async def test_colonies_on_one_port_do_not_see_each_other() -> None:
    port = free_port()
    other_secret = AnnounceKeys(current="1", keys={"1": announce_key(b"other" * 8)})
    async with (
        service(0, "demo", port) as a,
        service(1, "other", port) as b,
        service(2, "demo", port, keys=other_secret) as c,
    ):
        await eventually(lambda: a.counters["rejected_colony"] and a.counters["rejected_mac"])
        await eventually(lambda: b.counters["rejected_colony"] and c.counters["rejected_mac"])
        assert len(a.peers) == len(b.peers) == len(c.peers) == 0


async def test_a_change_is_told_at_once() -> None:
    port = free_port()
    lazy = Pace(interval_s=3600, fast_s=3600)
    state = {"me": node_announcement(0, queen=1)}
    a = service(0, "demo", port, pace=lazy)
    a._describe = lambda: state["me"]
    async with service(1, "demo", port, pace=lazy) as b, a:
        await eventually(lambda: len(b.peers) == 1)
        state["me"] = node_announcement(0, queen=0, term=9)
        a.hurry()
        await eventually(lambda: (peer := b.peers.get(node_id(0))) and peer.term == 9 and peer.is_queen)


async def test_a_quiet_node_hears_and_says_nothing_until_it_is_not_quiet_any_more() -> None:
    port = free_port()
    fast = Pace(interval_s=0.02, fast_s=0.02)
    quiet = [True]
    async with service(0, "demo", port, pace=fast) as a:
        async with service(1, "demo", port, pace=fast, quiet=lambda: quiet[0]) as b:
            await eventually(lambda: b.counters["heard"] > 5)
            assert b.counters["announced"] == a.counters["heard"] == 0
            quiet[0] = False
            await eventually(lambda: a.counters["heard"] > 2)
            quiet[0] = True
            said = b.counters["announced"]
            more = b.counters["heard"] + 5
            await eventually(lambda: b.counters["heard"] > more)
            assert b.counters["announced"] == said
        assert b.counters["announced"] == said, "nor does it say good-bye"


async def test_a_quiet_node_looks_as_rarely_as_it_would_speak() -> None:
    slower = Pace(interval_s=3600, fast_s=0.001, fast_count=1)
    async with service(0, "demo", free_port(), pace=slower, quiet=lambda: True) as member:
        await eventually(lambda: member._timer and member._timer.when() - asyncio.get_running_loop().time() > 0.1)
        assert member.counters["announced"] == 0


def test_a_replay_is_heard_once() -> None:
    member = service(0, "demo", 1)
    datagram = announcement()
    for _ in range(3):
        member.handle(datagram, SOURCE)
    assert member.counters == {"heard": 1, "replayed": 2}


@pytest.mark.parametrize("ahead_s", [31, -31, 3600])
def test_a_member_with_a_wrong_clock_is_not_heard_but_named(ahead_s: int, caplog: pytest.LogCaptureFixture) -> None:
    member = service(0, "demo", 1)
    with caplog.at_level(logging.WARNING, "aware.discovery"):
        for _ in range(5):
            member.handle(announcement(at=time.time() + ahead_s), SOURCE)
    assert member.counters == {"skewed": 5}
    assert len(member.peers) == 0
    assert len(caplog.records) == 1
    assert "node n1 at 127.0.0.1: clock differs from ours by" in caplog.text


def test_complaints_do_not_fill_the_disk(caplog: pytest.LogCaptureFixture) -> None:
    member = service(0, "demo", 1, monotonic=lambda: 0.0)
    for number in range(1, 500):
        member.handle(announcement(number, at=0.0), SOURCE)
    assert member.counters == {"skewed": 499}
    assert len(caplog.records) == 10


def test_the_edge_of_the_window_is_inside() -> None:
    member = service(0, "demo", 1, wall=lambda: 1_700_000_000.0)
    member.handle(announcement(at=1_700_000_030.0), SOURCE)
    member.handle(announcement(at=1_699_999_970.0), SOURCE)
    member.handle(announcement(at=1_700_000_030.001), SOURCE)
    assert member.counters == {"heard": 2, "skewed": 1}


def test_a_copied_state_directory_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    member = service(0, "demo", 1)
    member.handle(announcement(0), SOURCE)
    assert member.counters == {"twin": 1}
    assert "has our node id" in caplog.text


def test_two_generations_of_the_secret_are_believed_while_it_rotates() -> None:
    old, new = announce_key(SECRET), announce_key(b"new secret" * 4)
    member = service(0, "demo", 1)
    member.handle(announcement(1, key=new, key_id="2"), SOURCE)
    member.keys = AnnounceKeys(current="1", keys={"1": old, "2": new})
    member.handle(announcement(1, key=new, key_id="2"), SOURCE)
    member.handle(announcement(2, key=old, key_id="1"), SOURCE)
    member.keys = AnnounceKeys(current="2", keys={"2": new})
    member.handle(announcement(3, key=old, key_id="1"), SOURCE)
    assert member.counters == {"rejected_unknown_key": 2, "heard": 2}


def test_keys_stay_out_of_repr() -> None:
    assert SECRET.hex() not in repr(AnnounceKeys(current="1", keys={"1": SECRET}))
    assert repr(SECRET) not in repr(AnnounceKeys(current="1", keys={"1": SECRET}))


async def test_a_port_that_is_not_shared_is_one_clear_line() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        port = free_port()
        other.bind(("0.0.0.0", port))
        with pytest.raises(PortInUse, match=f"UDP port {port} on {LOOPBACK_BROADCAST} is in use") as caught:
            await service(0, "demo", port).start()
    assert caught.value.exit_code == 17


async def test_an_announcement_nobody_could_carry_fails_the_start_and_leaves_nothing_open() -> None:
    port = free_port()
    bad = NodeAnnouncement(id=node_id(0), name="two words", address="127.0.0.1", url="")
    with pytest.raises(ValueError, match="two words"):
        await service(0, "demo", port, me=bad).start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alone:
        alone.bind((LOOPBACK_BROADCAST, port))


async def test_closing_twice_is_harmless() -> None:
    member = service(0, "demo", free_port())
    await member.start()
    await member.aclose()
    await member.aclose()
    assert not member._sockets


NEIGHBOUR = """
import asyncio, os, sys
from discovery_support import service, eventually
async def main():
    if sys.argv[2:]:
        os.setuid(int(sys.argv[2]))  # after the imports: the interpreter may live where others cannot read
    async with service(1, "demo", int(sys.argv[1])) as member:
        await eventually(lambda: len(member.peers) == 1)
        print("found", flush=True)
asyncio.run(main())
"""


@pytest.mark.parametrize("user", [None, 65534])
async def test_agents_of_different_users_share_the_port(user: int | None) -> None:
    if user is not None and os.geteuid() != 0:
        pytest.skip("only root can start a process of another user")
    here = Path(__file__).parent
    environment = {"PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])]), "PYTHONDONTWRITEBYTECODE": "1"}
    port = free_port()
    async with service(0, "demo", port) as member:
        process = subprocess.Popen(
            [sys.executable, "-c", NEIGHBOUR, str(port), *([str(user)] if user else [])],
            stdout=subprocess.PIPE,
            env=environment,
        )
        try:
            await eventually(lambda: len(member.peers) == 1)
        finally:
            output, _ = await asyncio.to_thread(process.communicate, timeout=20)
    assert output == b"found\n"
    assert process.returncode == 0


def test_loopback_stays_on_loopback() -> None:
    assert [link.broadcast for link in LOOPBACK_LINKS] == ["127.255.255.255"]
