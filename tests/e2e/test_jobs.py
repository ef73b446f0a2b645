"""Jobs in a colony of real agents: a playbook over its inventory, told of live, cancelled, and a queen who falls."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from aware_agent.colony.jobs import ENDS
from bench.lab import Lab

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(importlib.util.find_spec("ansible_runner") is None, reason="extra runner is not installed"),
]
PLAY = """
- name: Greet
  hosts: all
  gather_facts: false
  connection: local
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - name: Say it
      debug: {msg: "{{ text }} from {{ inventory_hostname }} of {{ aware_zone | default('-') }} term {{ aware_term }}"}
    - name: Look for the secret
      shell: cat {{ state }}/colony.json {{ state }}/* ; true
      when: state is defined
      run_once: true
      register: looked
    - debug: {msg: "{{ looked.stdout | default('') }} {{ looked.stderr | default('') }}"}
      run_once: true
    - name: Take a while
      shell: (setsid sleep {{ seconds }}1 &) ; sleep {{ seconds }}2
      run_once: true
      when: seconds > 0
"""
GREET = """
playbook: plays/greet.yaml
concurrency: 1
parameters:
  properties:
    text: {type: string, default: hello}
    seconds: {type: integer, default: 0}
    state: {type: string}
    password: {type: string, writeOnly: true}
"""

CLOUD_PLAY = """
- hosts: all
  gather_facts: false
  connection: local
  tasks:
    - debug: {msg: "{{ lookup('file', aware_secrets.key) }} and {{ lookup('file', clouds) }}"}
      vars: {clouds: "{{ lookup('env', 'OS_CLIENT_CONFIG_FILE') }}"}
      run_once: true
"""
CLOUDS = """
clouds:
  other:
    auth: {auth_url: https://keystone.example/v3, username: aware, password: cl0ud-pa55, project_name: demo}
"""


@pytest.fixture
def operations() -> Iterator[Path]:
    """Like /etc/aware/operations.d: whom a job becomes can read it."""
    directory = Path(tempfile.mkdtemp(prefix="aware-operations-", dir="/var/tmp"))
    directory.chmod(0o755)
    (directory / "plays").mkdir()
    (directory / "plays" / "greet.yaml").write_text(PLAY)
    (directory / "greet.yml").write_text(GREET)
    (directory / "again.yml").write_text(GREET + "idempotent: true\n")
    (directory / "plays" / "cloud.yaml").write_text(CLOUD_PLAY)
    (directory / "cloud.yml").write_text("playbook: plays/cloud.yaml\nuses: [lab, key]\n")
    (directory / "wrong.yml").write_text("playbook: [\n")
    yield directory
    shutil.rmtree(directory)


async def ready(lab: Lab) -> None:
    """Return when the queen's table is there."""
    async with asyncio.timeout(60):
        while True:
            answer = await lab.ask("GET", "/v1/operations")
            if answer.ok and {"greet", "again"} <= {one["name"] for one in answer.json()["operations"]}:
                return
            await asyncio.sleep(0.1)


async def run(lab: Lab, operation: str = "greet", **parameters: Any) -> str:
    answer = await lab.ask("POST", "/v1/jobs", {"operation": operation, "parameters": parameters})
    assert answer.status == 202, answer.body
    return str(answer.json()["id"])


async def job(lab: Lab, job_id: str) -> dict[str, Any]:
    document: dict[str, Any] = (await lab.ask("GET", f"/v1/jobs/{job_id}")).json()
    return document


async def until(lab: Lab, job_id: str, *states: str) -> dict[str, Any]:
    async with asyncio.timeout(120):
        while (document := await job(lab, job_id))["state"] not in states:
            await asyncio.sleep(0.1)
    return document


async def ended(lab: Lab, job_id: str) -> dict[str, Any]:
    return await until(lab, job_id, *ENDS)


async def log(lab: Lab, job_id: str) -> str:
    return str((await lab.ask("GET", f"/v1/jobs/{job_id}/log")).json()["text"])


def processes(job_id: str) -> list[str]:
    """Command lines of the processes of a job that live."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("AWARE_JOB") == job_id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
    return found


async def begun(job_id: str) -> None:
    """Return when the shell of the playbook sleeps."""
    async with asyncio.timeout(90):
        while not any(line.startswith("sleep") for line in processes(job_id)):
            await asyncio.sleep(0.1)


async def gone(job_id: str) -> None:
    async with asyncio.timeout(30):
        while processes(job_id):
            await asyncio.sleep(0.1)


async def aware(lab: Lab, *arguments: str) -> tuple[int, str]:
    """The real command line."""
    await lab.admin()
    context = lab.write_context()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aware_agent.cli", *arguments, f"--context={context}",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_playbook_runs_over_the_colonys_inventory_and_two_of_a_kind_queue(
    operations: Path, tmp_path: Path
) -> None:
    async with Lab(3, settings={"jobs": {"operations_dir": str(operations)}}) as lab:
        await lab.form()
        await ready(lab)
        queen = await lab.queen()
        table = (await lab.ask("GET", "/v1/operations")).json()
        assert [Path(one["file"]).name for one in table["skipped"]] == ["wrong.yml"]
        state = str(lab.agent(queen["name"]).state_dir)
        password = tmp_path / "password"
        password.write_text("s3cret-pa55\n")
        code, output = await aware(
            lab, "job", "run", "greet", "-p", "text={{ lookup('env', 'HOME') }}", "-p", f"state={state}",
            "--secret-file", f"password={password}", "--follow",
        )  # fmt: skip
        assert code == 0, output
        for name in ("lab-1", "lab-2", "lab-3"):
            assert f"{{{{ lookup('env', 'HOME') }}}} from {name} of " in output
        assert f"term {queen['term']}" in output
        assert "succeeded: done on 3 hosts" in output
        secret = lab.material.secret.hex()
        assert "Permission denied" in output
        assert secret not in output

        code, output = await aware(lab, "job", "run", "greet", "-p", "text=x", "--host", "lab-2", "--dry-run")
        assert (code, "hosts: lab-2" in output) == (0, True), output

        first, second = await run(lab, seconds=60), await run(lab, text="after")
        await begun(first)
        assert (await job(lab, second))["state"] == "queued"
        code, output = await aware(lab, "job", "cancel", first)
        assert code == 0, output
        assert (await ended(lab, first))["message"] == "admin cancelled it"
        assert processes(first) == []
        done = await ended(lab, second)
        assert (done["state"], done["started_at"] >= (await job(lab, first))["ended_at"]) == ("succeeded", True)
        assert "after from lab-1" in await log(lab, second)

        # Every member shows it, not the queen alone.
        for agent in lab.agents.values():
            answer = await (await lab.admin()).once(agent.url, "GET", f"/v1/jobs/{second}/log", timeout_s=10)
            assert "after from lab-1" in answer.json()["text"]
        kinds = [e["type"] for e in (await lab.ask("GET", "/v1/events?since=0&type=job.*")).json()["events"]]
        assert kinds == [
            *("job.queued", "job.started", "job.succeeded"),
            *("job.queued", "job.started", "job.queued", "job.cancelling", "job.cancelled"),
            *("job.started", "job.succeeded"),
        ]
        events = json.dumps((await lab.ask("GET", "/v1/events?since=0")).json())
        assert "s3cret-pa55" not in events


async def test_when_the_queen_falls_the_next_one_starts_it_again_or_says_that_it_was_interrupted(
    operations: Path,
) -> None:
    async with Lab(3, settings={"jobs": {"operations_dir": str(operations), "parallel": 2}}) as lab:
        await lab.form()
        await ready(lab)
        queen = await lab.queen()
        once, again = await run(lab, seconds=60), await run(lab, "again", seconds=60)
        waiting = await run(lab, text="waited")
        await begun(once)
        await begun(again)
        lab.agent(queen["name"]).kill()
        after = await lab.new_queen(queen["term"])
        assert after["name"] != queen["name"]
        await gone(once)
        lost = await ended(lab, once)
        assert (lost["state"], lost["reason"], lost["attempt"]) == ("lost", "interrupted", 1)
        assert f"term {queen['term']} fell" in lost["message"]
        running = await until(lab, again, "running")
        async with asyncio.timeout(60):
            while running["attempt"] < 2 or running["node"] != after["name"]:
                await asyncio.sleep(0.1)
                running = await job(lab, again)
        await begun(again)
        assert running["term"] == after["term"]
        assert (await ended(lab, waiting))["state"] == "succeeded", "what waited is not lost"
        assert (await lab.ask("POST", f"/v1/jobs/{again}/cancel")).status == 202
        assert (await ended(lab, again))["state"] == "cancelled"
        assert processes(again) == []


async def test_a_secret_of_the_colony_reaches_the_job_that_uses_it_under_every_queen_and_nobody_else(
    operations: Path, tmp_path: Path
) -> None:
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    (tmp_path / "key").write_text("t3xt-of-a-key\n")
    async with Lab(3, settings={"jobs": {"operations_dir": str(operations)}}) as lab:
        await lab.form()
        await ready(lab)
        queen = await lab.queen()
        refused = await lab.ask("POST", "/v1/jobs", {"operation": "cloud"})
        assert (refused.status, refused.json()["code"]) == (409, "secret-missing")
        for arguments in (("lab", "--clouds-file", "clouds.yaml"), ("key", "--text-file", "key")):
            code, output = await aware(lab, "secret", "set", *arguments[:2], str(tmp_path / arguments[2]))
            assert (code, output) == (0, f"secret {arguments[0]} is set\n")
        first = await ended(lab, await run(lab, "cloud"))
        assert first["state"] == "succeeded", first
        lab.agent(queen["name"]).kill()
        after = await lab.new_queen(queen["term"])
        second = await ended(lab, await run(lab, "cloud"))
        assert (second["state"], second["node"]) == ("succeeded", after["name"])
        for done in (first, second):
            printed = await log(lab, done["id"])
            assert "******** and " in printed
            assert "https://keystone.example/v3" in printed
            assert "cl0ud-pa55" not in printed
        code, shown = await aware(lab, "secret", "list")
        told = [(await lab.ask("GET", path)).body for path in ("/v1/events?since=0", "/v1/audit", "/v1/secrets")]
        assert (code, b"secret.changed" in told[0], b"put-secret" in told[1]) == (0, True, True)
        everything = shown.encode() + b"".join(told) + b"".join(
            file.read_bytes() for file in lab.agent(after["name"]).state_dir.rglob("*.log")
        )  # fmt: skip
        for secret in (b"cl0ud-pa55", b"t3xt-of-a-key"):
            assert secret not in everything
