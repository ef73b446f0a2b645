"""A stream that is over lets go of whoever reads or writes, also when it was never connected.

The other side is a socket that takes connections and says nothing: etcd on a host that starves.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager

import pytest
from store_support import WAIT_S, Proxy, until

from aware_agent.store import lease as leases
from aware_agent.store import stream as streams
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import EmbeddedEtcd
from aware_agent.store.failures import Failure, StreamBroken, Verdict
from aware_agent.store.keepalive import KeepAliveStream
from aware_agent.store.lease import HeldLease, LeaseKeeper
from aware_agent.store.model import Grant, WatchBatch
from aware_agent.store.pause import Pause
from aware_agent.store.watch import watch


@contextmanager
def listening() -> Iterator[str]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(50)
        yield f"127.0.0.1:{sock.getsockname()[1]}"


@pytest.fixture
async def deaf() -> AsyncIterator[EtcdClient]:
    with listening() as endpoint:
        async with EtcdClient([endpoint]) as client:
            yield client


async def outcome(step: Awaitable[object]) -> object:
    try:
        async with asyncio.timeout(WAIT_S):
            return await step
    except (StreamBroken, TimeoutError) as error:
        return error


async def writing(stream: KeepAliveStream) -> asyncio.Task[object]:
    """Somebody writes, and waits."""
    task = asyncio.create_task(outcome(stream.send(1)))
    await asyncio.sleep(0)
    return task


async def test_an_abort_before_the_stream_is_connected_wakes_reader_and_writer(deaf: EtcdClient) -> None:
    async with KeepAliveStream(deaf) as stream:
        reader = asyncio.create_task(outcome(stream.receive()))
        writer = await writing(stream)
        stream.abort("nobody answers")
        for ended in await asyncio.gather(reader, writer):
            assert isinstance(ended, StreamBroken)
            assert ended.failure.frozen
            assert ended.failure.details == "nobody answers"


async def test_an_abort_lets_nobody_begin_to_wait_either(deaf: EtcdClient) -> None:
    async with KeepAliveStream(deaf) as stream:
        stream.abort("nobody answers")
        for step in (stream.send(1), stream.receive()):
            ended = await outcome(step)
            assert isinstance(ended, StreamBroken)
            assert ended.failure.details == "nobody answers"


async def closed(client: EtcdClient) -> None:
    await client.aclose()


async def renewed(client: EtcdClient) -> None:
    """What runs on the old connections is cut when their grace is over."""
    client.ring.renew(Credentials(), 0.0)


@pytest.mark.parametrize("close", [closed, renewed])
async def test_a_channel_that_is_closed_wakes_the_writer(
    close: Callable[[EtcdClient], Awaitable[None]], deaf: EtcdClient
) -> None:
    async with KeepAliveStream(deaf) as stream:
        writer = await writing(stream)
        await close(deaf)
        assert isinstance(await writer, StreamBroken)


async def test_a_message_that_is_never_taken_ends_the_stream(deaf: EtcdClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "WRITE_S", 0.0)
    async with KeepAliveStream(deaf) as stream:
        reader = asyncio.create_task(outcome(stream.receive()))
        ended = await outcome(stream.send(1))
        assert isinstance(ended, StreamBroken)
        assert "took no message" in ended.failure.details
        assert isinstance(await reader, StreamBroken)


async def test_whoever_is_cancelled_while_writing_is_cancelled(deaf: EtcdClient) -> None:
    async with KeepAliveStream(deaf) as stream:
        writer = asyncio.create_task(stream.send(1))
        await asyncio.sleep(0)
        writer.cancel()
        await asyncio.wait([writer], timeout=WAIT_S)
        assert writer.cancelled()


def due(keeper: LeaseKeeper, ttl: int) -> HeldLease:
    """A lease that has to be kept alive now."""
    held = HeldLease(keeper, Grant(id=1, ttl=ttl), sent=keeper.clock(), margin=0.3, on_renewed=None)
    held.next_send = 0.0
    keeper._leases[held.id] = held
    return held


async def test_the_keeper_gives_up_a_stream_that_was_never_connected(deaf: EtcdClient) -> None:
    async with LeaseKeeper(deaf) as keeper, KeepAliveStream(deaf) as stream:
        due(keeper, ttl=2)  # its silence counts before gRPC gives the connection up
        assert isinstance(await outcome(keeper._keep(stream, Pause())), StreamBroken)


class Unwritable:
    """The answers end, and yet whoever sends waits for good."""

    endpoint = "127.0.0.1:1"

    async def receive(self) -> tuple[int, int]:
        raise StreamBroken(Failure(verdict=Verdict.UNKNOWN, details="the stream ended"))

    async def send(self, lease: int) -> None:
        await asyncio.Event().wait()

    def abort(self, reason: str) -> None:
        """Too late."""


async def test_the_keeper_needs_only_one_half_of_a_stream_to_see_its_end(deaf: EtcdClient) -> None:
    async with LeaseKeeper(deaf) as keeper:
        due(keeper, ttl=60)
        ended = await outcome(keeper._keep(Unwritable(), Pause()))
        assert isinstance(ended, StreamBroken)
        assert ended.failure.details == "the stream ended"


async def renewal(keeper: LeaseKeeper, lease: HeldLease) -> None:
    before = lease.deadline
    lease.next_send = 0.0
    keeper._wake.set()
    await until(lambda: lease.deadline > before)


@pytest.mark.etcd
async def test_leases_are_kept_again_after_a_reconnect_that_nobody_answered(
    shared_etcd: EmbeddedEtcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_MAX_SILENCE_S", 0.2)  # less than gRPC gives a connection
    async with Proxy(shared_etcd.endpoints[0]) as proxy:
        with listening() as endpoint:
            async with EtcdClient([proxy.endpoint], deadline_s=WAIT_S) as weak, LeaseKeeper(weak) as keeper:
                lease = await keeper.grant(60)
                await renewal(keeper, lease)
                weak.follow([proxy.endpoint, endpoint])
                proxy.freeze_present()
                await renewal(keeper, lease)  # by way of the one that says nothing, over a new connection
                assert lease.valid()


@pytest.mark.etcd
async def test_a_watch_goes_on_when_its_connection_is_closed_before_it_is_there(
    client: EtcdClient, deaf: EtcdClient, shared_etcd: EmbeddedEtcd, span: tuple[bytes, bytes]
) -> None:
    revision = await client.put(span[0], b"seen")
    async with aclosing(watch(deaf, *span, revision)) as batches:
        following = asyncio.create_task(outcome(anext(batches)))
        await asyncio.sleep(0)  # it opens the stream, writes, and waits
        deaf.ring.renew(Credentials(), 0.0)
        deaf.follow(shared_etcd.endpoints)
        batch = await following
        assert isinstance(batch, WatchBatch)
        assert [change.kv.value for change in batch.events] == [b"seen"]
