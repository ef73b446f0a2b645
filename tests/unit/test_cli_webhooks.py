"""``aware webhooks`` against a gateway as clever as the test makes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_support import Colony, FakeGateway
from typer.testing import CliRunner, Result

from aware_agent.cli.app import app

HOOK = {
    "id": "01J", "url": "https://hooks.example/x", "filter": {"type": ["node.*"], "severity": "warning"}, "paused": "",
    "description": "pager", "ca": "", "retry_s": 3600.0, "pause_after_s": 86400.0, "created_at": 1.0, "revision": 9,
    "created_by": "ada", "changed_at": 1.0, "signatures": 1, "position": 8, "delivered": 3, "failed_attempts": 1,
    "dead": 1, "dropped": 0, "missed": 0, "failing_since": 0.0, "reason": "", "breaker": "closed",
}  # fmt: skip
LETTER = {
    "event": {"id": "01E", "type": "node.dead", "subject": "demo-1"}, "attempts": 4, "reason": "no answer within 15 s",
    "status": 0, "at": 1.0, "replay": False,
}  # fmt: skip
RESULT = {
    "event": "01E", "type": "node.dead", "revision": 8, "at": 1.0, "delivered": True, "attempts": 1, "status": 204,
    "reason": "", "duration_s": 0.1,
}  # fmt: skip
CHANGE = {"changed": True, "revision": 10, "term": 7}
TRIED = {"event": "01T", "delivered": True, "status": 204, "answer": "", "reason": "", "duration_s": 0.25}


@pytest.fixture
def queen(demo: Colony) -> FakeGateway:
    fake = demo.gateway()
    demo.context(fake.url)
    fake.say("POST /v1/webhooks", {"id": "01J", "secret": "whsec_x", "revision": 9}, 201)
    fake.say("GET /v1/webhooks", {"webhooks": [HOOK]})
    fake.say("GET /v1/webhooks/01J", HOOK)
    fake.say("POST /v1/webhooks/01J/secret", {"id": "01J", "secret": "whsec_y", "revision": 10}, 201)
    fake.say("POST /v1/webhooks/01J/test", TRIED)
    fake.say("GET /v1/webhooks/01J/deliveries", {"deliveries": [RESULT]})
    fake.say("GET /v1/webhooks/01J/dead", {"dead": [LETTER]})
    for asked in ("PATCH /v1/webhooks/01J", "DELETE /v1/webhooks/01J", "DELETE /v1/webhooks/01J/dead/01E"):
        fake.say(asked, CHANGE)
    fake.say("POST /v1/webhooks/01J/dead/replay", CHANGE, 202)
    return fake


def aware(demo: Colony, *arguments: str) -> Result:
    environment = {"AWARE_CONTEXT": str(demo.context_file), "AWARE_DEBUG": "", "COLUMNS": "200"}
    return CliRunner().invoke(app, ["webhooks", *arguments], env=environment)


def _body(queen: FakeGateway) -> Any:
    wish: Any = queen.asked[-1].body
    return json.loads(wish) if isinstance(wish, bytes | str) else wish


def test_add_tells_the_secret_once(demo: Colony, queen: FakeGateway) -> None:
    done = aware(demo, "add", "https://hooks.example/x", "--type", "node.*", "--severity", "warning", "--retry", "30m")
    assert done.exit_code == 0, done.output
    assert done.stdout == "webhook 01J\nsecret whsec_x\n"
    assert _body(queen) == {
        "url": "https://hooks.example/x", "filter": {"severity": "warning", "type": ["node.*"]}, "description": "",
        "retry_s": 1800, "pause_after_s": 86400,
    }  # fmt: skip


def test_add_with_files_shows_no_secret(demo: Colony, queen: FakeGateway, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("whsec_mine\n")
    file = tmp_path / "kept"
    done = aware(demo, "add", "https://x/", "--secret-file", str(tmp_path / "mine"), "--to-file", str(file), "--json")
    assert done.exit_code == 0, done.output
    assert "whsec_" not in done.output
    assert file.read_text() == "whsec_x\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert _body(queen)["secret"] == "whsec_mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list"], "https://hooks.example/x"),
        (["show", "01J"], "severity warning; type node.*"),
        (["test", "01J"], "status 204 after 0.25 s"),
        (["pause", "01J"], "paused"),
        (["resume", "01J"], "resumed"),
        (["rotate-secret", "01J", "--keep-old", "0s"], "secret whsec_y"),
        (["deliveries", "01J"], "delivered"),
        (["dead", "01J"], "no answer within 15 s"),
        (["replay", "01J"], "tried again"),
        (["drop", "01J", "01E"], "dropped"),
        (["remove", "01J"], "removed"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_each_says_what_it_did(demo: Colony, queen: FakeGateway, arguments: list[str], said: str) -> None:
    done = aware(demo, *arguments)
    assert done.exit_code == 0, done.output
    assert said in done.stdout
    assert json.loads(aware(demo, *arguments, "--json").stdout)


def test_a_test_that_is_not_delivered_is_exit_code_1(demo: Colony, queen: FakeGateway) -> None:
    queen.say("POST /v1/webhooks/01J/test", {**TRIED, "delivered": False, "status": 0, "reason": "no answer"})
    done = aware(demo, "test", "01J")
    assert done.exit_code == 1
    assert "not delivered: no answer" in done.output
