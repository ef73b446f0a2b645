"""``aware hooks`` against a gateway as clever as the test makes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_support import Ask, Colony, FakeGateway, Reply
from typer.testing import CliRunner, Result

from aware_agent.cli.app import app

SIGNED = {"url": "https://q:8443/v1/hooks/heat/demo?sig=s", "path": "/v1/hooks/heat/demo?sig=s", "operation": "scale"}


@pytest.fixture
def queen(demo: Colony) -> FakeGateway:
    fake = demo.gateway()
    demo.context(fake.url)
    fake.say("POST /v1/hooks/sign", {**SIGNED, "expires_at": 3600, "uses": 1}, 201)
    return fake


def aware(demo: Colony, *arguments: str) -> Result:
    environment = {"AWARE_CONTEXT": str(demo.context_file), "AWARE_DEBUG": "", "COLUMNS": "200"}
    return CliRunner().invoke(app, ["hooks", *arguments], env=environment)


def test_sign_prints_the_url_once(demo: Colony, queen: FakeGateway) -> None:
    done = aware(demo, "sign", "--operation", "scale", "--delta", "1", "--max-size", "9", "--ttl", "1h")
    assert done.exit_code == 0, done.output
    assert done.stdout == SIGNED["url"] + "\n"
    wish: Any = queen.asked[-1].body
    wish = json.loads(wish) if isinstance(wish, bytes | str) else wish
    assert wish == {"operation": "scale", "ttl_s": 3600, "uses": 1, "delta": 1, "max_size": 9, "caste": ""}


def test_sign_to_a_file_shows_no_secret(demo: Colony, queen: FakeGateway, tmp_path: Path) -> None:
    file = tmp_path / "url"
    done = aware(demo, "sign", "--operation", "verify", "--to-file", str(file), "--json")
    assert done.exit_code == 0, done.output
    assert "sig=" not in done.output
    assert file.read_text() == SIGNED["url"] + "\n"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "arguments", [["--operation", "destroy"], ["--ttl", "1h"], ["--operation", "scale", "--uses", "0"]]
)
def test_wrong_usage_asks_nobody(demo: Colony, queen: FakeGateway, arguments: list[str]) -> None:
    assert aware(demo, "sign", *arguments).exit_code == 2
    assert queen.asked == []


def test_refusals_are_one_line(demo: Colony, queen: FakeGateway) -> None:
    def refuse(ask: Ask) -> Reply:
        return Reply({"code": "forbidden", "detail": "this needs role operator", "status": 403}, 403)

    queen.routes["POST /v1/hooks/sign"] = refuse
    done = aware(demo, "sign", "--operation", "verify")
    assert done.exit_code == 3
    assert "operator" in done.stderr
