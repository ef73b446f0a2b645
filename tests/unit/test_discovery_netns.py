"""Broadcast between hosts: three network namespaces on a bridge, all inside a namespace of the test's own.

Nothing of it is visible to the machine: the bridge and its veths live and die with the outer namespace. Run as
``python test_discovery_netns.py colony`` inside a new namespace, the file is that little network; ``... host N``
is one host in it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from discovery_support import ANNOUNCE_KEYS, eventually, node_id

from aware_agent.discovery.interfaces import choose_links, local_links
from aware_agent.discovery.seek import SeekSettings, find_colony
from aware_agent.discovery.service import BeaconService, NodeAnnouncement
from aware_agent.security.token import JoinToken, beacon_key

PORT = 20100
TOKEN = JoinToken(id="0123456789abcdef", secret="A" * 43, ca_pin="p" * 43)
LIMIT_S = 60
INTO_NEW_NAMESPACE = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]


def why_not() -> str:
    """Why namespaces cannot be made here, "" when they can."""
    if not (shutil.which("ip") and shutil.which("unshare")):
        return "ip (iproute2) and unshare (util-linux) are needed"
    probe = "ip link add name br0 type bridge && ip link add name v0 type veth peer name v1 && unshare --net true"
    tried = subprocess.run(
        [*INTO_NEW_NAMESPACE, "sh", "-c", probe], capture_output=True, text=True, check=False, timeout=30
    )
    return f"cannot make network namespaces: {tried.stderr.strip()}" if tried.returncode else ""


@pytest.mark.netns
def test_broadcast_crosses_a_bridge() -> None:
    if reason := why_not():
        pytest.skip(reason)
    here = Path(__file__)
    result = subprocess.run(
        [*INTO_NEW_NAMESPACE, sys.executable, str(here), "colony"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parent), str(here.parents[2])])},
        timeout=2 * LIMIT_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    queen, member, newcomer = (json.loads(line) for line in result.stdout.splitlines())
    assert queen == {"links": ["10.77.0.255"], "peers": ["n2"], "queen_seen": []}
    assert member == {"links": ["10.77.0.255"], "peers": ["n1"], "queen_seen": ["https://10.77.0.1:20101"]}
    assert newcomer == {
        "links": ["10.77.0.255"],
        "origin": "broadcast",
        "queen_url": "https://10.77.0.1:20101",
        "all_links": ["10.77.0.255", "127.255.255.255"],
    }


def announcement(number: int) -> NodeAnnouncement:
    return NodeAnnouncement(
        id=node_id(number),
        name=f"n{number}",
        address=f"10.77.0.{number}",
        url=f"https://10.77.0.{number}:20101",
        queen_id=node_id(1),
        queen_url="https://10.77.0.1:20101",
        term=1,
        size=2,
    )


async def be_member(number: int) -> None:
    """Members 1 (queen) and 2 say whom they heard and stay until their standard input ends."""
    links = choose_links(f"10.77.0.{number}")
    member = BeaconService(
        colony="demo",
        links=links,
        port=PORT,
        keys=ANNOUNCE_KEYS,
        describe=lambda: announcement(number),
        token_key=lambda key_id: beacon_key(TOKEN) if key_id == TOKEN.id else None,
    )
    async with member:
        await eventually(lambda: len(member.peers) == 1, LIMIT_S)
        tell(
            links=[link.broadcast for link in links],
            peers=[peer.name for peer in member.peers],
            queen_seen=[peer.url for peer in member.peers if peer.is_queen],
        )
        await asyncio.to_thread(sys.stdin.read)


async def be_newcomer(number: int) -> None:
    address = f"10.77.0.{number}"
    settings = SeekSettings(node_id=node_id(3), name="n3", address=address, port=PORT, answer_timeout_s=LIMIT_S)
    found = await find_colony("demo", TOKEN, settings)
    tell(
        links=[link.broadcast for link in choose_links(address)],
        origin=found.origin,
        queen_url=found.queen_url,
        all_links=sorted(link.broadcast for link in local_links()),
    )


def tell(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=30)


def run_host(number: int) -> None:
    """One host: waits for its cable, then does its part."""
    print("born", flush=True)
    sys.stdin.readline()
    ip("link", "set", "lo", "up")
    ip("address", "add", f"10.77.0.{number}/24", "broadcast", "+", "dev", "eth0")
    ip("link", "set", "eth0", "up")
    asyncio.run(be_newcomer(number) if number == 3 else be_member(number))


def run_colony() -> None:
    """The bridge, the cables and the three hosts; prints what each host found."""
    ip("link", "add", "name", "br0", "type", "bridge")
    ip("link", "set", "br0", "up")
    hosts = [start_host(number) for number in (1, 2, 3)]
    try:
        for host in hosts:  # each gives up by itself after LIMIT_S
            assert host.stdout is not None
            print(host.stdout.readline().strip(), flush=True)
    finally:
        for host in hosts:
            host.kill()
            host.wait()


def start_host(number: int) -> subprocess.Popen[str]:
    argv = ["unshare", "--net", sys.executable, __file__, "host", str(number)]
    host = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert host.stdin is not None
    assert host.stdout is not None
    assert host.stdout.readline() == "born\n"
    ip("link", "add", "name", f"cable{number}", "type", "veth", "peer", "name", "eth0", "netns", str(host.pid))
    ip("link", "set", f"cable{number}", "master", "br0", "up")
    host.stdin.write("go\n")
    host.stdin.flush()
    return host


if __name__ == "__main__":
    run_colony() if sys.argv[1] == "colony" else run_host(int(sys.argv[2]))
