"""CPU seconds of ``ansible-inventory --list``: a real gateway with many nodes, beside what ansible-core itself needs.

CPU time instead of wall time, because other work on the machine hardly changes it. Every output is parsed and its
hosts are counted: an inventory that came back short or empty is an error here, not a fast result.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aware_agent.colony.spec import Spec
from aware_agent.ports import free_port
from bench.cloud import cloud, move_in
from bench.harness import Run, Unavailable
from bench.lab import ROOT, Document, Lab, LabError
from bench.measure import Cost, run_costed
from bench.peers import nova, openstack_cloud
from bench.population import TIERS, ZONES, populate
from bench.processes import clean_environment

_LIMIT_S = 600.0
_SERVERS = 30
_REAL = f"openstack.cloud: real OpenStack, keyed groups, {_SERVERS} hosts"
_OURS = {"plugin": "aware.cluster.gateway", "context": "context.json", "stale_path": "stale"}
KEYED = [{"key": "aware_zone", "prefix": "zone"}, {"key": "aware_labels.tier", "prefix": "tier"}]


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    parser.add_argument("--hosts", type=int, action="append", help="how many; repeatable (default 1000 and 10000)")
    parser.add_argument("--repeat", type=int, default=0, help="runs of each row (default 5; quick 3, 1 above 2,000)")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """One colony that grows."""
    without = _no_cloud()
    real = {"zone": ZONES[0], "labels": {"tier": TIERS[0]}}
    async with Lab(nodes=1, spec=Spec(colony="lab", size=1), settings=real) as lab:
        await lab.form()
        bench = _Bench(run, lab, options.repeat)
        await bench.floor()
        if without:
            run.skip(_REAL, without)
        else:
            await bench.grow(_SERVERS)
            await bench.measure_real(_SERVERS)
        for hosts in sorted(options.hosts or (1000, 10000)):
            run.say(f"{hosts} hosts")
            await bench.grow(hosts)
            await bench.measure(hosts)


def _no_cloud() -> str:
    """Why the real API cannot be asked; "" in the cloud's network, which this process moves to if it can."""
    try:
        openstack_cloud.collections()  # from in there nothing can be fetched
        move_in(sys.argv[1:])
    except Unavailable as error:
        return str(error)
    return ""


class _Bench:
    """Files and rows of one run."""

    def __init__(self, run: Run, lab: Lab, repeat: int) -> None:
        self._run = run
        self._lab = lab
        self._asked = repeat
        self._present = 1
        self._directory = lab.directory / "inventory"
        self._directory.mkdir()
        self._program = Path(sys.executable).parent / "ansible-inventory"
        if not self._program.exists():
            raise LabError("ansible-core is not installed (pip install aware-agent[ansible])")

    async def floor(self) -> None:
        """What ansible-inventory costs with nothing to do."""
        await self._row("core's host_list: one host", ["-i", "a,"], 1, "floor", settings="what starting costs")

    async def grow(self, hosts: int) -> None:
        """That many nodes in the colony; they only become more."""
        async with self._lab.etcd_client() as client:
            await populate(client, self._lab.keys, hosts - self._present, first=self._present)
        self._present = hosts
        await self._lab.wait_ready(hosts, 120)

    async def measure_real(self, servers: int) -> None:
        """The peer against Keystone and Nova as they are, and ours with as many nodes."""
        await self._run.peer(_REAL, lambda: self._real(servers))
        name = f"aware.cluster.gateway, keyed groups, {servers} hosts"
        keyed = self._keyed()
        await self._row(name, ["-i", str(keyed)], servers, "aware", "real queen over TLS, 2 keyed groups", [_REAL])

    async def _real(self, servers: int) -> None:
        path = openstack_cloud.collections()
        here = cloud(self._directory)
        with here.project() as project:
            self._run.say(f"{servers} servers")
            await asyncio.to_thread(nova.make, project.connect(), servers)
            clouds = {"clouds_yaml_path": [str(project.clouds)], "only_clouds": [project.name]}
            config = openstack_cloud.write_config(self._directory, clouds)
            settings = f"{openstack_cloud.version(path)}, Keystone and Nova of the test cloud, 2 keyed groups"
            await self._row(_REAL, ["-i", str(config)], servers, "peer", settings, collections=path)

    async def measure(self, hosts: int) -> None:
        """All rows with that many hosts, ours last."""
        document: Document = (await self._lab.ask("GET", "/v1/inventory", deadline_s=60)).json()
        script = self._write_script(document)
        constructed = self._write("constructed.yml", {"plugin": "ansible.builtin.constructed", **_keyed()})
        label = f"{hosts:,} hosts"
        names = {
            "script": f"core's script: {label}",
            "constructed": f"core's script + constructed: keyed groups, {label}",
            "openstack": f"openstack.cloud: keyed groups, {label}",
        }
        await self._row(names["script"], ["-i", str(script)], hosts, "floor", settings="same hosts and groups, no HTTP")
        sources = ["-i", str(script), "-i", str(constructed)]
        await self._row(names["constructed"], sources, hosts, "peer", settings="2 keyed groups by Constructable")
        await self._run.peer(names["openstack"], lambda: self._openstack(names["openstack"], hosts))
        keyed = self._keyed()
        plain = self._write("plain.aware.yml", _OURS)
        settings = "real queen over TLS"
        await self._row(
            f"aware.cluster.gateway, {label}", ["-i", str(plain)], hosts, "aware", settings, [names["script"]]
        )
        name = f"aware.cluster.gateway, keyed groups, {label}"
        await self._row(name, ["-i", str(keyed)], hosts, "aware", f"{settings}, 2 keyed groups", [*names.values()])

    def _keyed(self) -> Path:
        self._lab.write_context(self._directory)
        return self._write("keyed.aware.yml", {**_OURS, **_keyed()})

    async def _openstack(self, name: str, hosts: int) -> None:
        path = await asyncio.to_thread(openstack_cloud.collections)
        port = free_port()
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self._directory)))
            cloud = openstack_cloud.fake_cloud(port, hosts, directory / "cloud.log")
            stack.callback(cloud.kill)
            cloud.start()
            await asyncio.sleep(2)
            config = openstack_cloud.write_files(directory, port)
            settings = f"{openstack_cloud.version(path)}, fake Keystone and Nova, expand_hostvars false, 2 keyed groups"
            await self._row(name, ["-i", str(config)], hosts, "peer", settings, collections=path)

    async def _row(
        self,
        what: str,
        sources: list[str],
        hosts: int,
        kind: Any,
        settings: str = "",
        against: list[str] | None = None,
        collections: Path = ROOT / "collections",
    ) -> None:
        repeat = self._asked or ((1 if hosts > 2000 else 3) if self._run.quick else 5)
        environment = self._environment(collections)
        costs = [
            await asyncio.to_thread(_list, [str(self._program), *sources], self._directory, environment, hosts)
            for _ in range(repeat)
        ]
        wall = sorted(cost.wall for cost in costs)[len(costs) // 2]
        self._run.record(
            what,
            [cost.cpu for cost in costs],
            unit="CPU s",
            kind=kind,
            settings=settings,
            against=against or [],
            wall_s=wall,
        )

    def _environment(self, collections: Path) -> Mapping[str, str]:
        config = self._directory / "ansible.cfg"
        config.write_text("[inventory]\nunparsed_is_failed = true\nany_unparsed_is_failed = true\n")
        return {
            **clean_environment(),
            "ANSIBLE_CONFIG": str(config),
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "ANSIBLE_LOCAL_TEMP": str(self._directory / "tmp"),
            "HOME": str(self._directory),
        }

    def _write_script(self, document: Document) -> Path:
        """What a dynamic inventory script would print, printed by ``cat``."""
        groups = {name: {"hosts": members} for name, members in document["groups"].items()}
        data = self._directory / "script.json"
        data.write_text(json.dumps({"_meta": {"hostvars": document["hosts"]}, **groups}))
        script = self._directory / "script.sh"
        script.write_text(f"#!/bin/sh\nexec cat {shlex.quote(str(data))}\n")
        script.chmod(0o700)
        return script

    def _write(self, name: str, document: Mapping[str, Any]) -> Path:
        path = self._directory / name
        path.write_text(json.dumps(document))
        return path


def _keyed() -> dict[str, Any]:
    return {"strict": True, "keyed_groups": KEYED}


def _list(argv: list[str], directory: Path, environment: Mapping[str, str], hosts: int) -> Cost:
    """One run. Raises :class:`LabError` when it fails or does not list all hosts."""
    cost = run_costed([*argv, "--list"], cwd=directory, env=environment, timeout_s=_LIMIT_S)
    if cost.code:
        raise LabError(f"{argv[-1]}: exit code {cost.code}: {cost.errors[-1500:]}")
    listed = json.loads(cost.output)
    names = {name for group in listed.values() if isinstance(group, dict) for name in group.get("hosts", ())}
    if len(names) != hosts:
        raise LabError(f"{argv[-1]}: {len(names)} hosts were listed instead of {hosts}: {cost.errors[-500:]}")
    return cost
