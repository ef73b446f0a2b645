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
from pathlib import Path
from typing import TYPE_CHECKING

from aware_agent.store import ops
from aware_agent.store.client import EtcdClient
from aware_agent.store.keys import prefix_end
from aware_agent.store.lease import LeaseKeeper
from aware_agent.store.lines import Credentials
from aware_agent.store.watch import watch
from bench.processes import Process, clean_environment

if TYPE_CHECKING:
    from bench.harness import Run
    from bench.lab import Lab

KEYS = 5
_LIMIT_S = 30.0


async def measure(run: Run, what: str, lab: Lab, ttl_s: int, kills: int) -> None:
    """Record the seconds from ``kill -9`` of the holder to the creation by the candidate."""
    values: list[float] = []
    for number in range(kills):
        values += await _kill_once(lab, f"/bench/lease/{time.time_ns()}-{number}/", ttl_s)
    run.record(what, values, unit="s", kind="floor", settings=f"{KEYS} keys x {kills} kills, keepalive TTL/3")


async def _kill_once(lab: Lab, prefix: str, ttl_s: int) -> list[float]:
    holder = _candidate(lab, prefix, ttl_s, "holder")
    waiting = _candidate(lab, prefix, ttl_s, "waiting")
    async with lab.etcd_client() as client:
        revision = (await client.range(prefix.encode(), prefix_end(prefix.encode()), limit=1)).revision
        created: dict[bytes, float] = {}
        start = 0.0
        try:
            holder.start()
            async with asyncio.timeout(_LIMIT_S + ttl_s):
                async for batch in watch(client, prefix.encode(), prefix_end(prefix.encode()), revision + 1):
                    now = time.monotonic()
                    for change in batch.events:
                        if change.kv.value == b"waiting" and change.kv.version == 1:
                            created[change.kv.key] = now
                        elif change.kv.value == b"holder" and change.kv.key.endswith(b"/%d" % (KEYS - 1)):
                            waiting.start()
                            await asyncio.sleep(1.5 + random.uniform(0, ttl_s / 3))
                            start = time.monotonic()
                            holder.kill()
                    if len(created) == KEYS:
                        return [moment - start for moment in created.values()]
        finally:
            holder.kill()
            waiting.kill()
    raise RuntimeError(f"the watch ended early: {holder.tail()} {waiting.tail()}")


def _candidate(lab: Lab, prefix: str, ttl_s: int, name: str) -> Process:
    directory = lab.material_dir
    argv = [sys.executable, "-m", "bench.peers.etcd_lease", "--endpoint", lab.etcd.endpoints[0]]
    argv += ["--material", str(directory), "--prefix", prefix, "--ttl", str(ttl_s), "--name", name]
    from bench.lab import ROOT

    return Process(argv, lab.directory / f"lease-{name}.log", cwd=ROOT, env=clean_environment())


async def _campaign(client: EtcdClient, keeper: LeaseKeeper, key: bytes, name: bytes, ttl_s: int) -> None:
    """Wait until ``key`` is gone, create it on a lease of our own, keep it."""
    while True:
        lease = await keeper.grant(ttl_s)
        result = await client.txn([ops.absent(key)], [ops.put(key, name, lease=lease.id)])
        if result.succeeded:
            await asyncio.Event().wait()
        async for batch in watch(client, key, key + b"\0", result.revision + 1):
            if any(change.kind == "DELETE" for change in batch.events):
                again = await client.txn([ops.absent(key)], [ops.put(key, name, lease=lease.id)])
                if again.succeeded:
                    await asyncio.Event().wait()


async def _main(options: argparse.Namespace) -> None:
    read = {name: (Path(options.material) / name).read_bytes() for name in ("ca.crt", "founder.crt", "founder.key")}
    credentials = Credentials(ca=read["ca.crt"], cert=read["founder.crt"], key=read["founder.key"])
    async with EtcdClient([options.endpoint], credentials) as client:
        keeper = LeaseKeeper(client)
        async with asyncio.TaskGroup() as group:
            for number in range(KEYS):
                key = f"{options.prefix}{number}".encode()
                group.create_task(_campaign(client, keeper, key, options.name.encode(), options.ttl))
                if options.name == "holder":
                    await asyncio.sleep(options.ttl / 3 / KEYS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("--endpoint", "--material", "--prefix", "--name"):
        parser.add_argument(option, required=True)
    parser.add_argument("--ttl", type=int, required=True)
    asyncio.run(_main(parser.parse_args()))
