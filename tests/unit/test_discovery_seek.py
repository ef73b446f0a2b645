"""A newcomer with nothing but a colony name and a join token."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator

import pytest
from discovery_support import (
    LOOPBACK_LINKS,
    eventually,
    new_token,
    newcomer,
    node_announcement,
    node_id,
    service,
)

from aware_agent.colony.errors import InvalidInput
from aware_agent.discovery.beacon import Beacon, Kind, encode
from aware_agent.discovery.errors import ClockSkew, NoColonyFound
from aware_agent.discovery.reach import reachable, seed_url
from aware_agent.discovery.seek import find_colony, search
from aware_agent.discovery.udp import BroadcastSocket
from aware_agent.ports import free_port
from aware_agent.security.token import beacon_key


@pytest.fixture
def gateway() -> Iterator[str]:
    """Something that accepts TCP connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"https://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"https://127.0.0.1:{server.getsockname()[1]}"


async def test_a_token_is_enough() -> None:
    port, token = free_port(), new_token()
    async with service(0, "demo", port, token=token) as queen, service(1, "demo", port, token=token) as worker:
        found = await find_colony("demo", token, newcomer(port))
        assert found.origin == "broadcast"
        assert found.queen_url == "https://127.0.0.1:9000"
        assert found.urls == ("https://127.0.0.1:9000",)
        assert found.clock_skew_s is not None
        assert abs(found.clock_skew_s) < 30
        assert queen.counters["offers"] >= 1
        assert worker.counters["offers"] == 0


async def test_a_newcomer_calls_from_the_beacon_port_and_a_second_one_beside_it_from_another() -> None:
    """An answer to any other port would be stopped by security groups, which know beacons by their port."""
    port, token, sources = free_port(), new_token(), set[int]()
    observer = BroadcastSocket(LOOPBACK_LINKS[0], port, lambda _d, source, _v: sources.add(source[1]), shared=True)
    with observer:
        async with service(0, "demo", port, token=token):
            first, second = await asyncio.gather(*(find_colony("demo", token, newcomer(port)) for _ in range(2)))
        await eventually(lambda: len(sources) >= 2)
    assert first.origin == second.origin == "broadcast"
    assert port in sources


async def test_a_wrong_token_gets_no_answer() -> None:
    port, token = free_port(), new_token()
    async with service(0, "demo", port, token=token) as queen:
        with pytest.raises(NoColonyFound, match="no node of colony 'demo' answered") as caught:
            await find_colony("demo", new_token(), newcomer(port, answer_timeout_s=0.5))
        assert queen.counters["rejected_unknown_key"] >= 1
        assert queen.counters["offers"] == 0
    assert caught.value.exit_code == 14
    assert "\n" not in str(caught.value)


async def test_a_known_token_id_with_a_wrong_secret_gets_no_answer() -> None:
    port, token, forged = free_port(), new_token(), new_token()
    forged = type(token)(id=token.id, secret=forged.secret, ca_pin=token.ca_pin)
    async with service(0, "demo", port, token=token) as queen:
        with pytest.raises(NoColonyFound):
            await find_colony("demo", forged, newcomer(port, answer_timeout_s=0.5))
        assert queen.counters["rejected_mac"] >= 1
        assert queen.counters["offers"] == 0


async def test_another_colony_does_not_answer() -> None:
    port, token = free_port(), new_token()
    async with service(0, "other", port, token=token) as queen:
        with pytest.raises(NoColonyFound):
            await find_colony("demo", token, newcomer(port, answer_timeout_s=0.5))
        assert queen.counters["rejected_colony"] >= 1


async def test_a_newcomer_waits_for_a_queen_to_appear() -> None:
    port, token = free_port(), new_token()
    state = {"me": node_announcement(1, queen=0)}
    member = service(1, "demo", port, token=token)
    member._describe = lambda: state["me"]
    async with member:
        search_task = asyncio.create_task(find_colony("demo", token, newcomer(port, answer_timeout_s=20)))
        await eventually(lambda: member.counters["seek_not_queen"] >= 1)
        state["me"] = node_announcement(1, queen=1)
        assert (await search_task).queen_url == "https://127.0.0.1:9001"


@pytest.mark.parametrize(
    ("shift", "sentence"),
    [
        (-3600, "this machine's clock is 3600 s behind the colony's; 30 s are allowed"),
        (3600, "this machine's clock is 3600 s ahead of the colony's; 30 s are allowed"),
    ],
)
async def test_a_clock_off_by_an_hour_is_named(shift: int, sentence: str) -> None:
    port, token = free_port(), new_token()
    async with service(0, "demo", port, token=token):
        with pytest.raises(ClockSkew) as caught:
            await find_colony("demo", token, newcomer(port), wall=lambda: time.time() + shift)
    # The other's clock is read a moment apart from ours; to the second, an hour is 3600 +- 1.
    assert caught.value.message.replace("3599", "3600").replace("3601", "3600") == sentence
    assert abs(caught.value.seconds - shift) < 30
    assert caught.value.exit_code == 16
    assert "\n" not in str(caught.value)


async def test_a_deposed_queen_that_answers_first_is_not_believed() -> None:
    port, token = free_port(), new_token()
    old = node_announcement(0, queen=0, term=5)
    new = node_announcement(1, queen=1, term=8)
    async with service(0, "demo", port, token=token, me=old), service(1, "demo", port, token=token, me=new):
        found = await find_colony("demo", token, newcomer(port, settle_s=1.0))
        assert found.queen_url == "https://127.0.0.1:9001"


async def test_a_recorded_offer_does_not_answer_another_call() -> None:
    """Without a clock both sides trust, the echoed nonce is what makes an answer fresh."""
    port, token = free_port(), new_token()
    stale = Beacon(
        kind=Kind.OFFER, key_id=token.id, sent_ms=0, nonce=os.urandom(8), sender=node_id(0), url="https://x:1"
    )
    datagram = encode(stale, beacon_key(token), "demo")
    heard: list[bytes] = []

    def replay(seek: bytes, source: tuple[str, int], via: BroadcastSocket) -> None:
        heard.append(seek)
        via.send(datagram, source)

    attacker = BroadcastSocket(LOOPBACK_LINKS[0], port, replay, shared=True)
    with attacker, pytest.raises(NoColonyFound):
        await find_colony("demo", token, newcomer(port, answer_timeout_s=0.5))
    assert heard


async def test_a_recorded_seek_is_answered_once() -> None:
    port, token = free_port(), new_token()
    seek = Beacon(kind=Kind.SEEK, key_id=token.id, sent_ms=0, nonce=os.urandom(8), sender=node_id(9))
    datagram = encode(seek, beacon_key(token), "demo")
    answers: list[bytes] = []
    async with service(0, "demo", port, token=token) as queen:
        with BroadcastSocket(LOOPBACK_LINKS[0], port, lambda data, _s, _v: answers.append(data), shared=False) as sock:
            for _ in range(5):
                sock.broadcast(datagram)
            await eventually(lambda: queen.counters["replayed"] == 4)
            await eventually(lambda: answers)
    assert queen.counters["offers"] == 1


def test_too_many_seeks_of_one_source_are_dropped_unread() -> None:
    queen = service(0, "demo", 1, token=new_token(), monotonic=lambda: 0.0)
    token = new_token()
    seek = Beacon(kind=Kind.SEEK, key_id=token.id, sent_ms=0, nonce=os.urandom(8), sender=node_id(9))
    datagram = encode(seek, b"no key of anybody", "demo")
    for _ in range(1000):
        queen.handle(datagram, ("127.0.0.1", 9))
    assert queen.counters["seek_limited"] == 800
    queen.handle(datagram, ("127.0.0.2", 9))
    assert queen.counters["seek_limited"] == 800


def test_what_is_not_ours_is_thrown_away_before_anything_is_looked_up() -> None:
    """Neither the colony is counted nor a key opened for a datagram that anybody could have sent."""
    queen = service(0, "demo", 1, token=new_token(), monotonic=lambda: 0.0)
    queen._describe = queen._token_key = lambda *_: 1 // 0  # type: ignore[assignment,return-value]
    seek = Beacon(kind=Kind.SEEK, key_id="token", sent_ms=0, nonce=os.urandom(8), sender=node_id(9))
    whole = encode(seek, b"key", "demo")
    strange = [b"", b"x" * 600, b"x" * 200, whole[:4] + b"\x63" + whole[5:], encode(seek, b"key", "other")]
    for datagram in strange:
        queen.handle(datagram, ("127.0.0.1", 9))
    assert sum(queen.counters.values()) == len(strange)
    assert all(name.startswith("rejected_") for name in queen.counters)


async def test_layers_are_asked_in_order(gateway: str, closed: str) -> None:
    port, token = free_port(), new_token()
    seeds, remembered = [closed, gateway], [gateway, closed]
    async with service(0, "demo", port, token=token):
        options = newcomer(port)
        assert (await find_colony("demo", token, options, seeds=seeds)).urls == (gateway,)
        ways = [found async for found in search("demo", token, options, seeds=seeds, remembered=remembered)]
        assert [way.origin for way in ways] == ["seed", "remembered", "broadcast"]
        later = await find_colony("demo", token, options, seeds=[closed], remembered=remembered)
        assert (later.origin, later.urls) == ("remembered", (gateway,))
        last = await find_colony("demo", token, options, seeds=[closed], remembered=[closed])
        assert last.origin == "broadcast"


async def test_without_broadcast_only_the_given_addresses_count(closed: str) -> None:
    with pytest.raises(NoColonyFound, match=r"1 seeds, 0 remembered members, no broadcast"):
        await find_colony("demo", new_token(), newcomer(free_port(), broadcast=False), seeds=[closed])


async def test_reachable_keeps_order_and_drops_doubles(gateway: str, closed: str) -> None:
    assert await reachable([closed, gateway, gateway], 5.0) == (gateway,)
    assert await reachable([], 5.0) == ()


def test_seeds_are_addresses_of_gateways() -> None:
    assert seed_url("10.0.0.1:443") == "https://10.0.0.1:443"
    assert seed_url("https://[fd00::1]:8443/") == "https://[fd00::1]:8443"
    assert seed_url("queen.example:1") == "https://queen.example:1"


@pytest.mark.parametrize(
    "seed", ["", "host", "http://host:1", "https://host:99999", "https://u:p@host:1", "https://h:1/p"]
)
async def test_a_bad_seed_is_one_clear_line(seed: str) -> None:
    with pytest.raises(InvalidInput, match="is not a gateway address") as caught:
        await find_colony("demo", new_token(), newcomer(1, broadcast=False), seeds=[seed])
    assert caught.value.field == "discovery.seeds"
