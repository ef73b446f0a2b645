"""The module ``job`` as Ansible runs it, against a member that is a process."""

from __future__ import annotations

import json
from typing import Any

from .conftest import FakeMember

JOB = {"id": "01J", "operation": "restart-web", "state": "queued", "message": ""}
DONE = {**JOB, "state": "succeeded", "message": "done on 2 hosts"}
ASKED = {"operation": "restart-web", "parameters": {"serial": 2}, "secrets": {"password": "s3cret-pa55"}}


def writes(queen: FakeMember) -> list[list[Any]]:
    return [
        [line[0], line[1], json.loads(line[5]) if line[5] else None] for line in queen.requests() if line[0] != "GET"
    ]


def test_it_runs_waits_and_shows_no_secret(queen: FakeMember, module: Any) -> None:
    queen.say(routes={"POST /v1/jobs": [202, JOB], "GET /v1/jobs/01J": [200, DONE]})
    ran, result = module("job", ASKED, "-vvv")
    assert (result["changed"], result["job"]["state"]) == (True, "succeeded")
    assert "s3cret-pa55" not in ran.out + ran.err
    wanted = {"operation": "restart-web", "parameters": {"serial": 2, "password": "s3cret-pa55"}, "hosts": []}
    assert writes(queen) == [["POST", "/v1/jobs", wanted]]


def test_one_that_fails_fails_the_task_and_says_why(queen: FakeMember, module: Any) -> None:
    failed = {**JOB, "state": "failed", "message": "web-1: the disk is full"}
    queen.say(routes={"POST /v1/jobs": [202, JOB], "GET /v1/jobs/01J": [200, failed]})
    ran, result = module("job", ASKED)
    assert ran.rc != 0
    assert result["msg"] == "job 01J is failed: web-1: the disk is full"
    assert result["job"]["state"] == "failed"


def test_check_mode_shows_the_plan_and_runs_nothing(queen: FakeMember, module: Any) -> None:
    plan = {"dry_run": True, "changed": True, "would": ["ada asked for restart-web", "hosts: web-1"]}
    queen.say(routes={"POST /v1/jobs?dry_run=true": [200, plan]})
    result = module("job", ASKED, "--check")[1]
    assert (result["changed"], result["plan"]) == (True, plan["would"])
    assert [write[1] for write in writes(queen)] == ["/v1/jobs?dry_run=true"]


def test_without_waiting_it_is_enough_that_it_is_queued(queen: FakeMember, module: Any) -> None:
    queen.say(routes={"POST /v1/jobs": [202, JOB]})
    result = module("job", {**ASKED, "wait": False, "once": "release-7"})[1]
    assert (result["changed"], result["job"]["state"]) == (True, "queued")


def test_cancelling_changes_only_what_has_not_ended(queen: FakeMember, module: Any) -> None:
    over = {**JOB, "state": "cancelled"}
    queen.say(routes={"GET /v1/jobs/01J": [200, JOB], "POST /v1/jobs/01J/cancel": [202, over]})
    assert module("job", {"state": "cancelled", "id": "01J"}, "--check")[1]["changed"] is True
    assert writes(queen) == []
    assert module("job", {"state": "cancelled", "id": "01J"})[1]["job"]["state"] == "cancelled"
    queen.say(routes={"GET /v1/jobs/01J": [200, DONE]})
    assert module("job", {"state": "cancelled", "id": "01J"})[1]["changed"] is False


def test_what_is_missing_is_named(queen: FakeMember, module: Any) -> None:
    assert "operation" in module("job", {})[1]["msg"]
    assert "id" in module("job", {"state": "cancelled"})[1]["msg"]
