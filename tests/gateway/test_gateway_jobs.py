"""Jobs over HTTP: what can be run, asked for, shown, cancelled, run again, followed; and who may."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from aware_agent.agent.member import operations
from aware_agent.agent.member.operations import MemberOperations
from aware_agent.agent.settings import JobSettings
from aware_agent.colony.job_log import LogPart
from aware_agent.colony.jobs import HostProgress, Job, JobState, Progress
from aware_agent.colony.node import JobsReport
from aware_agent.colony.operation import OperationsRecord
from aware_agent.gateway.app import GatewayApp
from aware_agent.queen.jobs import book
from aware_agent.security.roles import Role
from tests.gateway.conftest import As
from tests.gateway.memory import MemoryContext

OPERATION = """
playbook: plays/restart.yaml
description: restart the web servers
castes: [web]
parameters:
  required: [serial]
  properties:
    serial: {type: integer, minimum: 1}
    graceful: {type: boolean, default: true}
    password: {type: string, writeOnly: true}
"""
BODY = {"operation": "restart-web", "parameters": {"serial": 1}}
ID = "01HF7YAT00000000000000000H"


@pytest.fixture
async def files(context: MemoryContext, tmp_path: Path) -> Path:
    """Two operations on the queen's host, one for admins, and a file that is wrong."""
    (tmp_path / "plays").mkdir()
    (tmp_path / "plays" / "restart.yaml").write_text("- hosts: all\n")
    (tmp_path / "restart-web.yml").write_text(OPERATION)
    (tmp_path / "wipe.yml").write_text(OPERATION + "role: admin\n")
    (tmp_path / "wrong.yml").write_text("playbook: nothing.yaml\n")
    context.memory.operations._settings = JobSettings(operations_dir=str(tmp_path))
    await context.memory.operations.look()
    return tmp_path


def put_job(context: MemoryContext, job_id: str = ID, **values: Any) -> Job:
    fields = {"operation": "restart-web", "parameters": {"serial": 1}, "term": 1, "actor": "otto"}
    job = Job(id=job_id, **{**fields, "created_at": 1.0, "changed_at": 1.0, **values})  # type: ignore[arg-type]
    context.put(context.keys.key("jobs", job_id), job)
    return job


def put_log(context: MemoryContext, number: int, text: str, job_id: str = ID) -> None:
    context.put(context.keys.key("job-logs", job_id, f"{number:06d}"), LogPart(at=1.0, text=text))


async def test_a_job_is_on_record_before_anything_runs(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As, files: Path
) -> None:
    done = await anonymous.post("/v1/jobs", json=BODY, headers=as_(Role.OPERATOR))
    assert done.status_code == 202, done.text
    document = done.json()
    assert (document["state"], document["actor"], document["term"]) == ("queued", "otto", context.memory.term)
    assert document["parameters"] == {"serial": 1, "graceful": True}
    assert done.headers["location"] == f"/v1/jobs/{document['id']}"
    shown = await anonymous.get(done.headers["location"], headers=as_(Role.VIEWER))
    assert shown.json() == document
    assert (context.history[-1][1].type, context.history[-1][1].message) == ("job.queued", "otto asked for restart-web")


async def test_a_dry_run_tells_what_would_run_and_on_what(
    admin: httpx.AsyncClient, context: MemoryContext, files: Path
) -> None:
    at = context.memory.etcd.revision
    body = {**BODY, "parameters": {"serial": 2, "password": "hunter22"}}
    dry = (await admin.post("/v1/jobs?dry_run=true", json=body)).json()
    assert (dry["dry_run"], dry["changed"]) == (True, True)
    said = "\n".join(dry["would"])
    for text in ("ada asked for restart-web", f"{files}/plays/restart.yaml", "hosts: demo-2, demo-3", '"serial":2'):
        assert text in said
    assert "600 s" in said
    assert "hunter22" not in said
    assert "********" in said
    assert context.memory.etcd.revision == at


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"operation": "nothing"}, 404, None),
        ({"operation": "../etc"}, 404, None),
        ({"parameters": {}}, 422, "parameters"),
        ({"parameters": {"serial": 0}}, 422, "parameters.serial"),
        ({"parameters": {"serial": 1, "ansible_host": "x"}}, 422, "parameters.ansible_host"),
        ({"parameters": {"serial": 1, "password": "abc"}}, 422, "parameters.password"),
        ({"hosts": ["demo-5"]}, 422, "hosts"),  # alive, and not of its caste
        ({"hosts": ["nobody"]}, 422, "hosts"),
        ({"playbook": "evil.yml"}, 422, "playbook"),
        ({"operation": "scale", "parameters": {"delta": 0}}, 422, "delta"),
        ({"operation": "scale", "parameters": {"delta": 1, "x": 1}}, 422, "parameters"),
        ({"operation": "scale", "parameters": {"delta": 1}, "hosts": ["demo-2"]}, 422, "hosts"),
        ({"operation": "scale", "parameters": {"delta": -5}}, 409, None),
        ({"operation": "verify", "parameters": {"delta": 1}}, 422, "operation"),
    ],
    ids=str,
)
async def test_what_cannot_be_run_is_refused_and_nothing_is_written(
    admin: httpx.AsyncClient, context: MemoryContext, files: Path, changes: Any, status: int, field: str | None
) -> None:
    at = context.memory.etcd.revision
    refused = await admin.post("/v1/jobs", json={**BODY, **changes})
    assert refused.status_code == status, refused.text
    assert field is None or refused.json()["field"] == field
    assert refused.json()["detail"]
    assert context.memory.etcd.revision == at


async def test_an_operation_may_need_more_than_the_route(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As, files: Path
) -> None:
    body = {**BODY, "operation": "wipe"}
    refused = await anonymous.post("/v1/jobs", json=body, headers=as_(Role.OPERATOR))
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    done = await anonymous.post("/v1/jobs", json=body, headers=as_(Role.ADMIN))
    assert done.status_code == 202
    path = done.headers["location"]
    assert (await anonymous.post(f"{path}/cancel", headers=as_(Role.OPERATOR))).status_code == 403
    assert (await anonymous.post(f"{path}/cancel", headers=as_(Role.ADMIN))).status_code == 202
    assert (await anonymous.post(f"{path}/retry", headers=as_(Role.OPERATOR))).status_code == 403
    # What the file was about is not known any more: an admin decides.
    put_job(context, operation="gone")
    assert (await anonymous.post(f"/v1/jobs/{ID}/cancel", headers=as_(Role.OPERATOR))).status_code == 403


async def test_a_secret_is_shown_to_nobody_and_a_retry_still_has_it(
    admin: httpx.AsyncClient, context: MemoryContext, files: Path
) -> None:
    body = {**BODY, "parameters": {"serial": 1, "password": "hunter22"}}
    first = await admin.post("/v1/jobs", json=body, headers={"idempotency-key": "k"})
    again = await admin.post("/v1/jobs", json=body, headers={"idempotency-key": "k"})
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert (await admin.post("/v1/jobs", json=BODY, headers={"idempotency-key": "k"})).status_code == 409
    job_id = first.json()["id"]
    assert first.json()["secrets"] == ["password"]
    await admin.post(f"/v1/jobs/{job_id}/cancel")
    second = (await admin.post(f"/v1/jobs/{job_id}/retry")).json()
    assert (second["retry_of"], second["secrets"], second["state"]) == (job_id, ["password"], "queued")
    assert second["id"] != job_id
    everything = b"".join(kv.value for kv in context.projection.items())
    assert b"hunter22" not in everything
    assert "hunter22" not in first.text
    kept = context.reader.one(f"jobs/{second['id']}", Job)
    assert kept is not None
    opened = context.memory.sealer.open(kept.sealed, context.keys.key("jobs", kept.id))
    assert json.loads(opened) == {"password": "hunter22"}


async def test_cancel_and_retry_make_sense_or_are_refused(
    admin: httpx.AsyncClient, context: MemoryContext, files: Path
) -> None:
    job = (await admin.post("/v1/jobs", json=BODY)).json()
    path = f"/v1/jobs/{job['id']}"
    refused = await admin.post(f"{path}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "job-state")
    stale = await admin.post(f"{path}/cancel", headers={"if-match": str(job["revision"] - 1)})
    assert stale.status_code == 412
    done = await admin.post(f"{path}/cancel", headers={"if-match": str(job["revision"])})
    assert (done.status_code, done.json()["state"]) == (202, "cancelled")
    assert done.json()["message"] == "ada cancelled it before it began"
    refused = await admin.post(f"{path}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "job-state")
    put_job(context, state=JobState.RUNNING)
    running = (await admin.post(f"/v1/jobs/{ID}/cancel")).json()
    assert (running["state"], running["cancelled_by"]) == ("running", "ada")
    assert (await admin.post("/v1/jobs/nothing/cancel")).status_code == 404
    assert (await admin.get("/v1/jobs/a%2Fb")).status_code == 404


async def test_lists_are_filtered(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    for number, state in enumerate(JobState):
        put_job(context, f"{number:026d}", state=state, operation="a" if number % 2 else "b")
    ids = [job["id"] for job in (await admin.get("/v1/jobs?state=failed")).json()["jobs"]]
    assert len(ids) == 1
    assert len((await admin.get("/v1/jobs?operation=a")).json()["jobs"]) == 3
    assert (await admin.get("/v1/jobs?state=nonsense")).status_code == 422


async def test_waiting_jobs_are_bounded(admin: httpx.AsyncClient, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "MAX_OPEN", 2)
    assert [(await admin.post("/v1/jobs", json=BODY)).status_code for _ in range(3)] == [202, 202, 409]


async def test_the_table_says_what_each_member_lacks(
    admin: httpx.AsyncClient, context: MemoryContext, files: Path
) -> None:
    found = context.memory.operations.found
    record = OperationsRecord(term=1, node="demo-1", read_at=1.0, operations=found.operations, problems=found.problems)
    context.put(context.keys.key("operations"), record)
    lacking = JobsReport(problem="ansible_runner is missing: pip install 'aware-agent[runner]'")
    context.add_node(0, jobs=found.report)
    context.add_node(1, jobs=lacking)
    document = (await admin.get("/v1/operations")).json()
    assert [one["name"] for one in document["operations"]] == ["restart-web", "wipe"]
    assert document["operations"][0]["members"] == ["demo-1"]
    assert [Path(one["file"]).name for one in document["skipped"]] == ["wrong.yml"]
    assert "there is no playbook" in document["skipped"][0]["message"]
    first, second = document["members"]
    assert (first["name"], first["ready"], first["differs"]) == ("demo-1", True, [])
    assert (second["name"], second["ready"], second["differs"]) == ("demo-2", False, ["restart-web", "wipe"])
    assert "aware-agent[runner]" in second["problem"]


async def test_without_ansible_a_job_is_refused_with_what_to_install(
    admin: httpx.AsyncClient, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "missing_parts", lambda: ["ansible_runner"])
    refused = await admin.post("/v1/jobs", json=BODY)
    assert (refused.status_code, refused.json()["code"]) == (501, "runner-missing")
    assert "aware-agent[runner]" in refused.json()["hint"]
    scaled = await admin.post("/v1/jobs", json={"operation": "scale", "parameters": {"delta": 1}})
    assert scaled.status_code == 202, "what runs no playbook needs none of it"


async def test_a_log_is_read_in_parts_and_says_what_was_cut(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As
) -> None:
    put_job(context, state=JobState.RUNNING, log_parts=2, log_bytes=900, log_cut=100)
    for number, text in enumerate(("one\n", "two\n")):
        put_log(context, number, text)
    path, headers = f"/v1/jobs/{ID}/log", as_(Role.OPERATOR)
    whole = (await anonymous.get(path, headers=headers)).json()
    assert (whole["text"], whole["after"], whole["complete"]) == ("one\ntwo\n", 2, False)
    assert (whole["printed"], whole["cut"]) == (900, 100)
    rest = (await anonymous.get(f"{path}?start=1", headers=headers)).json()
    assert (rest["text"], rest["after"]) == ("two\n", 2)
    assert (await anonymous.get(path, headers=as_(Role.VIEWER))).status_code == 403


async def test_following_gives_log_and_progress_until_the_end(
    admin: httpx.AsyncClient, app: GatewayApp, context: MemoryContext
) -> None:
    job = put_job(context, state=JobState.RUNNING)
    put_log(context, 0, "one\n")
    context.put(context.keys.key("jobs", ID), msgspec.structs.replace(job, log_parts=1))

    async def follow() -> list[tuple[str, Any]]:
        answer = await admin.get(f"/v1/jobs/{ID}/log?follow=true")
        assert answer.headers["content-type"].startswith("text/event-stream")
        found = []
        for message in answer.text.strip().split("\n\n"):
            lines = dict(line.partition(": ")[::2] for line in message.splitlines() if not line.startswith(":"))
            if "event" in lines:
                found.append((lines["event"], json.loads(lines["data"])))
        return found

    following = asyncio.create_task(follow())
    async with asyncio.timeout(20):
        while not len(app.gateway.hub):
            await asyncio.sleep(0.01)
    progress = Progress(task="Restart", hosts={"demo-2": HostProgress(ok=1)})
    put_log(context, 1, "two\n")
    job = msgspec.structs.replace(job, log_parts=2, progress=progress)
    context.put(context.keys.key("jobs", ID), job)
    await asyncio.sleep(0.1)
    ended = msgspec.structs.replace(job, state=JobState.SUCCEEDED, message="done on 1 host", ended_at=2.0)
    context.put(context.keys.key("jobs", ID), ended)
    async with asyncio.timeout(20):
        messages = await following
    assert "".join(data["text"] for kind, data in messages if kind == "job.log") == "one\ntwo\n"
    changes = [data for kind, data in messages if kind == "job.changed"]
    assert changes[-1]["state"] == "succeeded"
    assert any(one["hosts_done"].get("demo-2", {}).get("ok") == 1 for one in changes)
    assert messages[-1][0] == "aware.end"
    assert "succeeded" in messages[-1][1]["reason"]
    assert len(app.gateway.hub) == 0


async def test_a_stream_of_a_job_counts_as_a_stream(
    admin: httpx.AsyncClient, app: GatewayApp, context: MemoryContext
) -> None:
    put_job(context, state=JobState.RUNNING)
    app.gateway.hub._most_each = 0
    refused = await admin.get(f"/v1/jobs/{ID}/log?follow=true")
    assert refused.status_code in (429, 503)


async def test_metrics_count_jobs_by_state(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    put_job(context, state=JobState.TIMED_OUT)
    text = (await admin.get("/metrics")).text
    assert 'aware_jobs{state="timed_out"} 1' in text
    assert 'aware_jobs{state="running"} 0' in text


async def test_what_is_not_used_needs_no_look(context: MemoryContext) -> None:
    """A member without files of operations has none, and says so."""
    member = MemberOperations(JobSettings(operations_dir="/nowhere"))
    await member.look()
    assert member.found.operations == ()
