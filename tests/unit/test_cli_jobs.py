"""``aware job`` against a gateway as clever as the test makes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_support import Ask, Colony, FakeGateway, Reply, problem
from typer.testing import CliRunner, Result

from aware_agent.cli.app import app
from aware_agent.cli.job_follow import messages

JOB: dict[str, Any] = {
    "id": "01J", "operation": "restart-web", "state": "queued", "reason": "", "message": "",
    "parameters": {"serial": 1},
    "secrets": ["password"], "hosts": [], "actor": "otto", "reference": "", "node": "", "term": 7, "attempt": 0,
    "created_at": 1.0, "started_at": 0.0, "ended_at": 0.0, "cancelled_by": "", "retry_of": "", "play": "", "task": "",
    "hosts_done": {}, "more_hosts": 0, "log_bytes": 0, "log_cut": 0, "revision": 9,
}  # fmt: skip
DONE = {**JOB, "state": "succeeded", "message": "done on 2 hosts"}


def event(kind: str, data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


@pytest.fixture
def queen(demo: Colony) -> FakeGateway:
    fake = demo.gateway()
    demo.context(fake.url)
    fake.say("POST /v1/jobs", JOB, 202)
    fake.say("GET /v1/jobs", {"jobs": [JOB, DONE]})
    fake.say("GET /v1/jobs/01J", DONE)
    return fake


def aware(demo: Colony, *arguments: str) -> Result:
    environment = {"AWARE_CONTEXT": str(demo.context_file), "AWARE_DEBUG": "", "COLUMNS": "250"}
    return CliRunner().invoke(app, ["job", *arguments], env=environment)


def test_run_sends_values_as_they_are_meant_and_secrets_by_file(
    demo: Colony, queen: FakeGateway, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("hunter22\n")
    done = aware(
        demo, "run", "restart-web", "-p", "serial=2", "-p", "graceful=false", "-p", "text=a=b", "-p", 'number="7"',
        "--secret-file", f"password={tmp_path / 'secret'}", "--host", "web-1",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert done.stdout == "job 01J is queued\n"
    wish: Any = queen.asked[-1].body
    wish = json.loads(wish) if isinstance(wish, bytes | str) else wish
    values = {"serial": 2, "graceful": False, "text": "a=b", "number": "7", "password": "hunter22"}
    assert wish == {"operation": "restart-web", "parameters": values, "hosts": ["web-1"]}


def test_a_dry_run_prints_the_plan(demo: Colony, queen: FakeGateway) -> None:
    plan = {"dry_run": True, "changed": True, "would": ["otto asked for restart-web", "hosts: web-1"]}
    queen.say("POST /v1/jobs", plan)
    done = aware(demo, "run", "restart-web", "--dry-run")
    assert done.stdout == "otto asked for restart-web\nhosts: web-1\n"
    assert queen.asked[-1].query == {"dry_run": "true"}
    assert json.loads(aware(demo, "run", "restart-web", "--dry-run", "--json").stdout) == plan


def test_following_goes_on_after_a_break_and_ends_with_the_job(demo: Colony, queen: FakeGateway) -> None:
    asked: list[str] = []

    def log(ask: Ask) -> Reply:
        asked.append(ask.query["start"])
        headers = {"Content-Type": "text/event-stream"}
        if len(asked) == 1:
            raw = event("job.log", {"text": "one\n", "after": 1}) + b"event: job.log\ndata: {cut"
            return Reply(raw=raw, headers=headers, cut=True)
        queen.say("GET /v1/jobs/01J", DONE)
        raw = event("job.log", {"text": "two\x1b[2J\n", "after": 2}) + event(
            "aware.end", {"reason": "over", "resume": 2}
        )
        return Reply(raw=raw, headers=headers, cut=True)

    queen.say("GET /v1/jobs/01J", {**JOB, "state": "running"})
    queen.routes["GET /v1/jobs/01J/log"] = log
    done = aware(demo, "run", "restart-web", "--follow")
    assert done.exit_code == 0, done.output
    assert asked == ["0", "1"]
    assert done.stdout.splitlines() == [
        "job 01J is queued", "one", "two\ufffd[2J", "job 01J succeeded: done on 2 hosts",
    ]  # fmt: skip


def test_following_one_that_fails_has_an_exit_code_of_its_own(demo: Colony, queen: FakeGateway) -> None:
    queen.say("GET /v1/jobs/01J", {**JOB, "state": "failed", "message": "web-1: the disk is full"})
    raw = event("job.log", {"text": "fatal\n", "after": 1})
    queen.routes["GET /v1/jobs/01J/log"] = lambda ask: Reply(raw=raw, cut=True)
    done = aware(demo, "follow", "01J")
    assert done.exit_code == 26
    assert "the disk is full" in done.stderr


def test_list_show_cancel_and_retry(demo: Colony, queen: FakeGateway) -> None:
    listed = aware(demo, "list", "--state", "failed", "--operation", "restart-web")
    assert "done on 2 hosts" in listed.stdout
    assert queen.asked[-1].query == {"state": "failed", "operation": "restart-web"}
    progress = {"web-1": {"ok": 3, "changed": 1, "skipped": 0, "failed": 0, "unreachable": 0, "task": "Restart"}}
    queen.say("GET /v1/jobs/01J", {**DONE, "hosts_done": progress})
    shown = aware(demo, "show", "01J").stdout
    for text in ("restart-web", "password", "web-1", "Restart"):
        assert text in shown
    queen.say("POST /v1/jobs/01J/cancel", {**JOB, "state": "running"}, 202)
    assert aware(demo, "cancel", "01J").stdout == "job 01J is running, and ends\n"
    queen.say("POST /v1/jobs/01J/retry", {**JOB, "id": "01K", "retry_of": "01J"}, 202)
    assert aware(demo, "retry", "01J").stdout == "job 01K is queued\n"


def test_operations_and_what_is_wrong_with_them(demo: Colony, queen: FakeGateway) -> None:
    table = {
        "node": "demo-1",
        "operations": [
            {"name": "restart-web", "role": "operator", "castes": ["web"], "idempotent": True, "time_limit_s": 600.0,
             "description": "restart the web servers"},
        ],
        "skipped": [{"file": "/etc/aware/operations.d/x.yml", "message": "it is not YAML"}],
        "members": [{"name": "demo-2", "problem": "ansible_runner is missing", "differs": ["restart-web"]}],
    }  # fmt: skip
    queen.say("GET /v1/operations", table)
    done = aware(demo, "operations")
    assert "restart the web servers" in done.stdout
    for text in ("x.yml: it is not YAML", "demo-2 can run no playbook: ansible_runner is missing", "demo-2 has other"):
        assert text in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["run", "x", "-p", "nothing"], ["run", "x", "-p", "=1"], ["list", "--state", "gone"], ["show", "../x"]],
)
def test_wrong_usage_changes_nothing(demo: Colony, queen: FakeGateway, arguments: list[str]) -> None:
    assert aware(demo, *arguments).exit_code in (2, 4)
    assert [ask for ask in queen.asked if ask.method != "GET"] == []


def test_a_refusal_is_one_line(demo: Colony, queen: FakeGateway) -> None:
    queen.routes["POST /v1/jobs"] = lambda ask: problem(501, "runner-missing", "no ansible-runner here")
    done = aware(demo, "run", "restart-web")
    assert done.exit_code != 0
    assert "no ansible-runner here" in done.stderr


def test_a_message_that_was_cut_off_is_not_given() -> None:
    whole = event("job.log", {"text": "x"}).decode().splitlines()
    assert list(messages([*whole, "", "event: job.log", 'data: {"text":'])) == [("job.log", {"text": "x"})]
