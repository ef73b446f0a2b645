"""Logging in and out."""

from __future__ import annotations

import base64
import json
import time

import pytest
from typer.testing import CliRunner, Result

from aware_agent.cli.app import app
from aware_agent.cli.login import more_than_half_left
from tests.unit.cli_support import Colony, FakeGateway, problem


@pytest.fixture
def queen(demo: Colony) -> FakeGateway:
    fake = demo.gateway()
    demo.context(fake.url)
    answer = {"access_token": "new-token", "refresh_token": "refresh", "expires_in": 3600, "role": "admin"}
    fake.say("POST /v1/auth/token", answer)
    fake.say("GET /v1/auth/me", {"name": "admin", "role": "admin", "expires_at": 1.0})
    fake.say("DELETE /v1/auth/token", {"changed": True})
    demo.directory.joinpath("password").write_text("hush\n")
    return fake


def token(issued: float, expires: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"iat": issued, "exp": expires}).encode()).decode().rstrip("=")
    return f"e30.{claims}.sig"


def login(demo: Colony, *arguments: str) -> Result:
    password = str(demo.directory / "password")
    fixed = ["login", "--context", str(demo.context_file), "--username", "admin", "--password-file", password]
    return CliRunner().invoke(app, [*fixed, *arguments])


def test_login_writes_the_tokens_for_the_owner_only(demo: Colony, queen: FakeGateway) -> None:
    demo.token_file.unlink()
    result = login(demo, "--json")
    assert json.loads(result.stdout) == {"changed": True}
    assert queen.asked[-1].body == {"username": "admin", "password": "hush"}
    assert "Authorization" not in queen.asked[-1].headers
    assert demo.token_file.read_text() == "new-token\n"
    assert demo.token_file.stat().st_mode & 0o777 == 0o600
    assert demo.directory.joinpath("token.refresh").stat().st_mode & 0o777 == 0o600


def test_a_good_token_is_kept(demo: Colony, queen: FakeGateway) -> None:
    now = time.time()
    good = token(now - 60, now + 3600)
    demo.token_file.write_text(good)
    assert json.loads(login(demo, "--json").stdout) == {"changed": False}
    assert demo.token_file.read_text() == good
    assert json.loads(login(demo, "--json", "--force").stdout) == {"changed": True}


@pytest.mark.parametrize("why", ["old", "refused", "of another user", "damaged"])
def test_a_token_that_is_not_good_is_replaced(demo: Colony, queen: FakeGateway, why: str) -> None:
    now = time.time()
    demo.token_file.write_text(token(now - 3600, now + 60) if why == "old" else token(now, now + 3600))
    if why == "refused":
        queen.routes["GET /v1/auth/me"] = lambda _: problem(401, "unauthenticated")
    elif why == "of another user":
        queen.say("GET /v1/auth/me", {"name": "bob", "role": "viewer"})
    elif why == "damaged":
        demo.token_file.write_text("a.%%%.c")
    assert json.loads(login(demo, "--json").stdout) == {"changed": True}
    assert demo.token_file.read_text() == "new-token\n"


def test_a_wrong_password_changes_nothing(demo: Colony, queen: FakeGateway) -> None:
    queen.routes["POST /v1/auth/token"] = lambda _: problem(401, "unauthenticated", "wrong user or password")
    result = login(demo)
    assert result.exit_code == 3
    assert "hush" not in result.output
    assert demo.token_file.read_text() == "good-token\n"


def test_locked_out(demo: Colony, queen: FakeGateway) -> None:
    queen.routes["POST /v1/auth/token"] = lambda _: problem(429, "too-many-attempts", "too many", hint="wait 9 s")
    result = login(demo)
    assert (result.exit_code, result.stderr) == (8, "error: too many (wait 9 s)\n")


def test_a_password_file_that_is_missing(demo: Colony, queen: FakeGateway) -> None:
    demo.directory.joinpath("password").unlink()
    result = login(demo)
    assert result.exit_code == 9
    assert "cannot read password file" in result.stderr


def test_logout_revokes_and_forgets(demo: Colony, queen: FakeGateway) -> None:
    demo.directory.joinpath("token.refresh").write_text("r")
    arguments = ["logout", "--context", str(demo.context_file), "--json"]
    assert json.loads(CliRunner().invoke(app, arguments).stdout) == {"changed": True}
    assert queen.paths() == ["DELETE /v1/auth/token"]
    assert not demo.token_file.exists()
    assert not demo.directory.joinpath("token.refresh").exists()
    assert json.loads(CliRunner().invoke(app, arguments).stdout) == {"changed": False}


def test_whoami(demo: Colony, queen: FakeGateway) -> None:
    assert "admin" in CliRunner().invoke(app, ["whoami", "--context", str(demo.context_file)]).stdout


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "a..c", token(5, 4)])
def test_nonsense_has_no_life_left(text: str) -> None:
    assert not more_than_half_left(text, 10.0)


def test_half_of_the_life() -> None:
    assert more_than_half_left(token(0, 100), 49)
    assert not more_than_half_left(token(0, 100), 50)
