"""From nothing to n servers that are ACTIVE, on the fake computes of the test cloud.

The floor is one multi-create request to Nova with nothing around it. Ours makes a security group with its rules and a
server group as well, takes a lock, marks every server and looks at the end whether all is as planned. The peer is what
people write without us: a loop of ``openstack.cloud.server`` that waits for each. Floor and ours take turns, so that
other work meets both.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.agent import ROOT
from bench.cloud import TOOLS, cloud, move_in
from bench.harness import Run, Unavailable
from bench.peers import nova, openstack_cloud

_LIMIT_S = 1200.0
_COLONY = "bench"


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    parser.add_argument(
        "--servers", type=int, action="append", help="how many; repeatable (default 10 and 30; quick 10)"
    )
    parser.add_argument("--repeat", type=int, default=0, help="runs of floor and ours (default 3); the loop runs once")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """All rows for each number of servers, in a project made for this."""
    with contextlib.suppress(Unavailable):
        openstack_cloud.collections()  # from in there nothing can be fetched
    try:
        move_in(sys.argv[1:])
    except Unavailable as error:
        run.skip("provision", str(error))
        return
    with tempfile.TemporaryDirectory(prefix="aware-bench-") as name:
        here = cloud(Path(name))
        with here.project() as project:
            bench = _Bench(run, Path(name), project, options.repeat or 3)
            run.say("one server, so that caches are warm")
            await asyncio.to_thread(bench.floor, 1)
            for servers in options.servers or ([10] if run.quick else [10, 30]):
                await bench.measure(servers)


class _Bench:
    """One project; every row begins and ends without servers."""

    def __init__(self, run: Run, directory: Path, project: Any, repeat: int) -> None:
        self._run, self._directory, self._project, self._repeat = run, directory, project, repeat
        self._connection = project.connect()
        self._programs = Path(sys.executable).parent

    async def measure(self, servers: int) -> None:
        """Floor and ours in turn, then playbooks."""
        floor, ours = f"Nova multi-create: {servers} servers", f"openstack_cluster: {servers} servers"
        loop, played = (
            f"openstack.cloud.server, a loop: {servers} servers",
            f"openstack_cluster, a playbook: {servers} servers",
        )
        rounds = [
            (await self._do(self.floor, servers), await self._do(self.module, servers)) for _ in range(self._repeat)
        ]
        around = "security group, server group, lock, metadata, verified"
        self._run.record(
            floor, [one for one, _ in rounds], unit="s", kind="floor", settings="one request, no other thing made"
        )
        self._run.record(ours, [two for _, two in rounds], unit="s", kind="aware", settings=around, against=[floor])
        await self._run.peer(loop, lambda: self._loop(loop, servers))
        times = [await self._do(self.playbook, servers) for _ in range(self._repeat)]
        settings = f"ansible-playbook, {around}"
        self._run.record(played, times, unit="s", kind="aware", settings=settings, against=[floor, loop])

    async def _do(self, act: Any, servers: int) -> float:
        return await asyncio.to_thread(act, servers)

    async def _loop(self, name: str, servers: int) -> None:
        path = await asyncio.to_thread(openstack_cloud.collections)
        task = {
            "openstack.cloud.server": {
                **{
                    "name": f"{_COLONY}-{{{{ item }}}}",
                    "image": nova.IMAGE,
                    "flavor": nova.FLAVOR,
                    "network": nova.NETWORK,
                },
                **{"auto_ip": False, "wait": True, "timeout": 300},
            },
            "loop": list(range(1, servers + 1)),
        }
        taken = await asyncio.to_thread(self._play, task, path, servers)
        settings = f"{openstack_cloud.version(path)}, ansible-playbook, wait for each"
        self._run.record(name, [taken], unit="s", kind="peer", settings=settings)

    def floor(self, servers: int) -> float:
        """Seconds of the one request."""
        return self._timed(
            [sys.executable, "-m", "bench.peers.nova", str(servers)], nova.request(self._connection, _COLONY), servers
        )

    def module(self, servers: int) -> float:
        """Seconds of our module as Ansible runs it, without Ansible."""
        argv = [sys.executable, str(TOOLS / "run_module.py"), "openstack_cluster"]
        return self._timed(argv, self._wish(servers), servers)

    def playbook(self, servers: int) -> float:
        """Seconds of ansible-playbook with one task."""
        return self._play({"aware.cluster.openstack_cluster": self._wish(servers)}, ROOT / "collections", servers)

    def _wish(self, servers: int) -> dict[str, Any]:
        parts = {"image": nova.IMAGE, "flavor": nova.FLAVOR, "networks": [nova.NETWORK]}
        return {"colony": _COLONY, "size": servers, "infrastructure": parts}

    def _play(self, task: dict[str, Any], collections: Path, servers: int) -> float:
        book = self._directory / "play.yml"
        book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        argv = [str(self._programs / "ansible-playbook"), "-i", "localhost,", "-c", "local"]
        argv += ["-e", f"ansible_python_interpreter={sys.executable}", str(book)]
        return self._timed(argv, None, servers, ANSIBLE_COLLECTIONS_PATH=str(collections))

    def _timed(self, argv: Sequence[str], document: Any, servers: int, **variables: str) -> float:
        """Run it, count what is ACTIVE, remove it. Raises RuntimeError when there are not as many as asked for."""
        config = self._directory / "ansible.cfg"
        config.write_text("[defaults]\n")
        home = {"HOME": str(self._directory), "ANSIBLE_CONFIG": str(config), "PYTHONWARNINGS": "ignore"}
        began = time.monotonic()
        done = subprocess.run(
            list(argv),
            input="" if document is None else json.dumps(document),
            env={**self._project.environment, **home, **variables},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
        taken = time.monotonic() - began
        states = [server.status for server in self._connection.compute.servers()]
        self._clean()
        if done.returncode or states != ["ACTIVE"] * servers:
            raise RuntimeError(
                f"{argv[1]}: exit code {done.returncode}, {states}: {(done.stdout + done.stderr)[-1500:]}"
            )
        self._run.say(f"{Path(argv[1]).name} {servers}: {taken:.1f} s")
        return taken

    def _clean(self) -> None:
        """Back to an empty project: a group that is left over would be less work for the next run."""
        compute, network = self._connection.compute, self._connection.network
        for server in compute.servers(details=False):
            compute.delete_server(server)
        end = time.monotonic() + _LIMIT_S
        while list(compute.servers(details=False)):
            if time.monotonic() > end:
                raise RuntimeError("servers are not deleted")
            time.sleep(1)
        for group in compute.server_groups():
            compute.delete_server_group(group)
        for group in network.security_groups(project_id=self._project.id):
            if group.name != "default":
                network.delete_security_group(group)
