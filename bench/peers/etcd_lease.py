"""The floor of every election on an etcd lease: a holder dies, its keys expire, a waiting candidate creates its own.

Holder and candidate are processes of their own on the same etcd as the colony. One holder holds several keys whose
leases were granted at moments spread over a keepalive interval, so one ``kill -9`` gives that many phases.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from aware_agent.store import ops
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.keys import prefix_end
from aware_agent.store.lease import LeaseKeeper
from aware_agent.store.model import ChangeKind
from aware_agent.store.watch import watch
from bench.processes import Process, clean_environment

if TYPE_CHECKING:
    from bench.harness import Run
    from bench.lab import Lab

KEYS = 5
HOLDER, WAITING, READY = b"holder", b"waiting", b"ready"
_LIMIT_S = 30.0


async def measure(run: Run, what: str, lab: Lab, ttl_s: int, kills: int) -> None:
    """Record the seconds from ``kill -9`` of the holder to the creation by the candidate."""
    values: list[float] = []
    for number in range(kills):
        values += await _kill_once(lab, f"/bench/lease/{time.time_ns()}-{number}/", ttl_s)
    run.record(what, values, unit="s", kind="floor", settings=f"{KEYS} keys x {kills} kills, keepalive TTL/3")


async def _kill_once(lab: Lab, prefix: str, ttl_s: int) -> list[float]:
    holder = _candidate(lab, prefix, ttl_s, HOLDER.decode())
    waiting = _candidate(lab, prefix, ttl_s, WAITING.decode())
    start, end = prefix.encode(), prefix_end(prefix.encode())
    created: dict[bytes, float] = {}
    killed_at = 0.0
    try:
        async with lab.etcd_client() as client, asyncio.timeout(_LIMIT_S + ttl_s):
            revision = (await client.range(start, end, limit=1)).revision
            holder.start()
            async with aclosing(watch(client, start, end, revision + 1)) as batches:
                async for batch in batches:
                    now = time.monotonic()
                    said = [change.kv for change in batch.events if change.kind is ChangeKind.PUT]
                    created.update({kv.key: now for kv in said if kv.value == WAITING})
                    if any(kv.key == start + READY and kv.value == HOLDER for kv in said):
                        waiting.start()
                    if any(kv.key == start + READY and kv.value == WAITING for kv in said):
                        created.clear()
                        await asyncio.sleep(ttl_s / 3 + random.uniform(0, ttl_s / 3))
                        killed_at = time.monotonic()
                        holder.kill()
                    if killed_at and len(created) == KEYS:
                        return [moment - killed_at for moment in created.values()]
    except TimeoutError:
        raise RuntimeError(f"no candidate won: {holder.tail()} {waiting.tail()}") from None
    finally:
        holder.kill()
        waiting.kill()
    raise RuntimeError("the watch ended")


async def measure_revoked(run: Run, what: str, lab: Lab, count: int) -> None:
    """Record the seconds from the holder's request to revoke its lease to the creation by the candidate."""
    values = []
    async with lab.etcd_client() as holder, lab.etcd_client() as waiting:
        for number in range(count):
            key = f"/bench/revoked/{time.time_ns()}-{number}".encode()
            async with LeaseKeeper(holder) as keeper, asyncio.timeout(_LIMIT_S):
                lease = await keeper.grant(60)
                await holder.txn([ops.absent(key)], [ops.put(key, HOLDER, lease=lease.id)])
                placed = asyncio.Semaphore(0)
                candidate = asyncio.create_task(_created_by(waiting, key, placed))
                await placed.acquire()
                start = time.monotonic()
                await lease.revoke()
                values.append(await candidate - start)
    run.record(what, values, unit="s", kind="floor", settings="one key, two clients of one process")


async def _created_by(client: EtcdClient, key: bytes, placed: asyncio.Semaphore) -> float:
    """When the key was gone and created anew."""
    revision = (await client.range(key, key + b"\0", limit=1)).revision
    placed.release()
    async with aclosing(watch(client, key, key + b"\0", revision + 1)) as batches:
        async for batch in batches:
            if any(change.kind is ChangeKind.DELETE for change in batch.events):
                await client.txn([ops.absent(key)], [ops.put(key, WAITING)])
                return time.monotonic()
    raise RuntimeError("the watch ended")


def _candidate(lab: Lab, prefix: str, ttl_s: int, name: str) -> Process:
    directory = lab.material_dir
    argv = [sys.executable, "-m", "bench.peers.etcd_lease", "--endpoint", lab.etcd.endpoints[0]]
    argv += ["--material", str(directory), "--prefix", prefix, "--ttl", str(ttl_s), "--name", name]
    from bench.lab import ROOT

    return Process(argv, lab.directory / f"lease-{name}.log", cwd=ROOT, env=clean_environment())


async def _campaign(client: EtcdClient, key: bytes, name: bytes, ttl_s: int, placed: asyncio.Semaphore) -> None:
    """Hold ``key`` on a lease of our own, or wait until it is gone and create it then."""
    async with LeaseKeeper(client) as keeper:  # one for each key: one keeper would send all keepalives at one moment
        lease = await keeper.grant(ttl_s)
        while True:
            result = await client.txn([ops.absent(key)], [ops.put(key, name, lease=lease.id)])
            placed.release()
            if result.succeeded:
                await asyncio.Event().wait()
            async with aclosing(watch(client, key, key + b"\0", result.revision + 1)) as batches:
                async for batch in batches:
                    if any(change.kind is ChangeKind.DELETE for change in batch.events):
                        break


async def _main(options: argparse.Namespace) -> None:
    read = {
        name: (Path(options.material) / name).read_bytes() for name in ("council-ca.crt", "founder.crt", "founder.key")
    }
    credentials = Credentials(ca=read["council-ca.crt"], cert=read["founder.crt"], key=read["founder.key"])
    async with EtcdClient([options.endpoint], credentials) as client:
        placed = asyncio.Semaphore(0)
        async with asyncio.TaskGroup() as group:
            for number in range(KEYS):
                key = f"{options.prefix}{number}".encode()
                group.create_task(_campaign(client, key, options.name.encode(), options.ttl, placed))
                await asyncio.sleep(options.ttl / 3 / KEYS if options.name.encode() == HOLDER else 0)
            for _ in range(KEYS):
                await placed.acquire()
            await client.put(options.prefix.encode() + READY, options.name.encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("--endpoint", "--material", "--prefix", "--name"):
        parser.add_argument(option, required=True)
    parser.add_argument("--ttl", type=int, required=True)
    asyncio.run(_main(parser.parse_args()))
