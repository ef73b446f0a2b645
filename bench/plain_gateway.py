"""The queen's gateway application over plain HTTP, in a process of its own: real application, real mirror of etcd.

An agent serves TLS; without it, what the application itself costs is easier to compare with a bare one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from aware_agent.agent.reader import ColonyReader
from aware_agent.agent.state import StateDir
from aware_agent.gateway.app import create_queen_app
from aware_agent.gateway.server import GatewayServer
from aware_agent.queen.court import QueenContext
from aware_agent.queen.history import History
from aware_agent.security.keyring import Keyring
from aware_agent.store.client import EtcdClient
from aware_agent.store.keys import Keys
from aware_agent.store.lines import Credentials
from aware_agent.store.projection import Projection
from aware_agent.store.subscription import ProjectionBatch
from bench.lab import ADDRESS, ROOT, Lab
from bench.processes import Process, clean_environment


def plain_gateway(lab: Lab, port: int) -> Process:
    """The process; it reads the colony of ``lab`` with the founder's state."""
    state = next(iter(lab.agents.values())).state_dir
    argv = [sys.executable, "-m", "bench.plain_gateway", "--state", str(state), "--port", str(port)]
    return Process(argv, lab.directory / f"plain{port}.log", cwd=ROOT, env=clean_environment())


class _Host:
    """As much of a node as the context asks for."""

    def __init__(self, node_id: str, secret: bytes, ca: bytes) -> None:
        self.id = node_id
        self.keyring = Keyring(1, {1: secret})
        self.secret = secret
        self.ca_pem = ca
        self.settings = None

    def ready(self) -> tuple[bool, str]:
        return True, "serving a benchmark"

    def families(self) -> Iterable[Any]:
        return ()


async def _serve(state_dir: Path, port: int) -> None:
    state = StateDir(state_dir).load()
    if state is None:
        raise SystemExit(f"{state_dir} is no member's state")
    keys = Keys(state.membership.colony)
    credentials = Credentials(ca=state.ca, cert=state.certificate, key=state.key)
    async with EtcdClient(state.membership.etcd, credentials) as client:
        projection = Projection(client, [keys.everything()])
        await projection.start()
        reader = ColonyReader(projection, keys)

        def on_batch(batch: ProjectionBatch) -> None:
            reader.changed(batch.revision, [change.kv.key for change in batch.changes])

        projection.listen(on_batch)
        host = cast("Any", _Host(state.identity.id, state.membership.secret, state.ca))
        context = QueenContext(host, reader, History(projection, keys), cast("Any", None))
        await GatewayServer(create_queen_app(context), ADDRESS, port).start()
        await asyncio.Event().wait()


def _main() -> None:
    import uvloop

    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options.state, options.port))


if __name__ == "__main__":
    _main()
