"""Traces over real processes: what a command or a module asks for is one trace down to etcd and a job's process."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
import time
from pathlib import Path

import pytest

from bench.lab import ROOT, Lab
from tests.otlp_support import Collector, Seen
from tests.patience import UNHURRIED

pytestmark = pytest.mark.e2e
LIMIT_S = 240.0
PLAY = """
- hosts: all
  gather_facts: false
  connection: local
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - debug: {msg: "traced as {{ lookup('env', 'TRACEPARENT') }}"}
      run_once: true
"""
OPERATION = "playbook: plays/greet.yaml\n"
MODULE = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - aware.cluster.node: {node: lab-3, cordoned: false}
"""
WRITE = (  # of a span: its name, and that of the one it is part of
    ("aware-gateway: PATCH redirect", "aware: PATCH"),
    ("aware-gateway: PATCH /v1/nodes/{node}", "aware: PATCH"),
    ("aware-gateway: command change-node", "aware-gateway: PATCH /v1/nodes/{node}"),
    ("aware-agent: queen change-node", "aware-gateway: command change-node"),
    ("aware-agent: write", "aware-agent: queen change-node"),
    ("aware-agent: etcd Txn", "aware-agent: write"),
    ("aware-gateway: mirror", "aware-gateway: PATCH /v1/nodes/{node}"),
)
JOB = (
    ("aware-agent: queen run-job", "aware-gateway: command run-job"),
    ("aware-agent: job greet begins", "aware-agent: queen run-job"),
    ("aware-agent: job greet", "aware-agent: queen run-job"),
    ("aware-job: job process", "aware-agent: job greet"),
    ("aware-job: confine", "aware-job: job process"),
    ("aware-job: inventory", "aware-job: job process"),
    ("aware-gateway: GET /v1/inventory", "aware-job: inventory"),
    ("aware-job: playbook", "aware-job: job process"),
)


async def command(*words: str, environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "200", "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), **environment},
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def whole(collector: Collector, root: str, links: tuple[tuple[str, str], ...]) -> dict[str, Seen]:
    """The trace that begins with ``root``, once every link of ``links`` is there; spans by name."""
    missing, names, end = list(links), [root], time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        spans = collector.spans()
        found: dict[str, list[Seen]] = {}
        ids = {span.trace for span in spans if f"{span.service}: {span.name}" == root}
        for span in spans:
            if span.trace in ids:
                found.setdefault(f"{span.service}: {span.name}", []).append(span)
        names = sorted(f"{span.service}: {span.name} {span.span} of {span.parent}" for span in spans)
        missing = [link for link in links if not _linked(found, *link)]
        if ids and not missing:
            assert len(ids) == 1
            return {name: several[-1] for name, several in found.items()}
        await asyncio.sleep(0.2)
    raise AssertionError(f"missing: {missing}; there is: {names}")


def _linked(found: dict[str, list[Seen]], name: str, parent: str) -> bool:
    return {span.parent for span in found.get(name, ())} & {span.span for span in found.get(parent, ())} != set()


async def test_a_write_and_a_job_are_each_one_trace_through_all_processes(tmp_path: Path) -> None:
    operations = tmp_path / "operations"
    (operations / "plays").mkdir(parents=True)
    (operations / "plays" / "greet.yaml").write_text(PLAY)
    (operations / "greet.yml").write_text(OPERATION)
    collector = Collector()
    settings = {
        **UNHURRIED,
        "tracing": {"endpoint": collector.endpoint, "sample_ratio": 0.0},
        "jobs": {"operations_dir": str(operations)},
    }
    with collector.running():
        async with Lab(3, settings=settings) as lab:
            await lab.form()
            await lab.wait_serving()
            await lab.admin()
            queen = await lab.queen()
            other = next(agent for name, agent in lab.agents.items() if name != queen["name"])
            context = lab.write_context()
            context.write_text(json.dumps({**json.loads(context.read_text()), "endpoints": [other.url]}))
            aware = (sys.executable, "-m", "aware_agent.cli")
            # The time-out is for a busy machine.
            traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}

            # A member takes part in traces of those it knows, and it hears of a login a moment later.
            async with asyncio.timeout(LIMIT_S):
                while (await (await lab.admin()).once(other.url, "GET", "/v1/audit", timeout_s=10)).status != 200:
                    await asyncio.sleep(0.1)

            # By way of a member that does not reign.
            await command(*aware, "nodes", "cordon", "lab-3", f"--context={context}", environment=traced)
            write = await whole(collector, "aware: aware nodes cordon", WRITE)
            redirected = write["aware-gateway: PATCH redirect"]
            assert redirected.attributes["http.response.status_code"] == 307
            assert redirected.resource["service.instance.id"] == other.name
            assert write["aware-agent: write"].resource["service.instance.id"] == queen["name"]
            assert redirected.parent != write["aware-gateway: PATCH /v1/nodes/{node}"].parent, "each hop is a span"
            root = write["aware: aware nodes cordon"]
            assert (root.parent, root.error, root.attributes["process.exit.code"]) == ("", "", 0)
            answered = write["aware-gateway: PATCH /v1/nodes/{node}"]
            assert answered.attributes["user.name"] == "admin"
            line = write["aware-agent: write"].attributes["aware.audit.line"]
            log = (await lab.ask("GET", f"/v1/audit?after={line - 1}&limit=1")).json()["lines"][0]
            assert (log["seq"], log["action"]) == (line, "change-node")
            assert log["request"] == answered.attributes["aware.request"]

            # For somebody's trace, by a module.
            parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            play = tmp_path / "play.yml"
            play.write_text(MODULE)
            given = {**traced, "TRACEPARENT": parent, "AWARE_CONTEXT": str(context)}
            playbook = str(Path(sys.executable).parent / "ansible-playbook")
            await command(playbook, "-i", "localhost,", str(play), environment=given)
            links = (
                ("aware-gateway: PATCH /v1/nodes/{node}", "ansible-module: aware.cluster.node"),
                ("aware-agent: etcd Txn", "aware-agent: write"),
            )
            module = await whole(collector, "ansible-module: aware.cluster.node", links)
            made = module["ansible-module: aware.cluster.node"]
            assert f"00-{made.trace}-{made.parent}-01" == parent

            if importlib.util.find_spec("ansible_runner"):
                await _job(lab, collector, [*aware, "job", "run", "greet", "--follow", f"--context={context}"], traced)

            # What has no part in a trace leaves none: nobody asked for one, and the ratio is 0.
            known = {write["aware: aware nodes cordon"].trace, made.trace}
            assert {span.trace for span in collector.spans()} <= known | {
                span.trace for span in collector.spans() if span.name == "aware job run"
            }
            answer = await lab.ask("GET", "/metrics")
            assert 'aware_trace_spans_dropped_total{reason="queue-full"} 0' in answer.body.decode()


async def _job(lab: Lab, collector: Collector, words: list[str], traced: dict[str, str]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while "greet" not in [one["name"] for one in (await lab.ask("GET", "/v1/operations")).json()["operations"]]:
            await asyncio.sleep(0.1)
    output = await command(*words, environment=traced)
    spans = await whole(collector, "aware: aware job run", JOB)
    played = spans["aware-job: playbook"]
    assert f"traced as 00-{played.trace}-{played.span}-01" in output, "a callback of Ansible's can go on from there"
    assert spans["aware-agent: job greet"].error == ""
