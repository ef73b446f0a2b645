"""Logging in with the word of somebody else."""

from __future__ import annotations

import threading
import webbrowser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from typer.testing import CliRunner, Result

from aware_agent.cli import login_provider
from aware_agent.cli.app import app
from aware_agent.gateway.identity.oidc import challenge
from tests.unit.cli_support import Colony, FakeGateway, problem

LOGIN = "https://aware.example.org/v1/auth/oidc/corp/login"
WAYS = [
    {"name": "corp", "kind": "oidc", "login_url": LOGIN, "takes_tokens": False},
    {"name": "ci", "kind": "oidc", "login_url": "", "takes_tokens": True},
    {"name": "cloud", "kind": "keystone", "login_url": "", "takes_tokens": True},
]


@pytest.fixture
def queen(demo: Colony) -> FakeGateway:
    fake = demo.gateway()
    demo.context(fake.url)
    tokens = {"access_token": "new-token", "refresh_token": "refresh", "expires_in": 3600, "role": "operator"}
    fake.say("GET /v1/auth/providers", {"providers": WAYS})
    fake.say("POST /v1/auth/exchange", tokens)
    fake.say("GET /v1/auth/me", {"name": "corp:alice", "role": "operator", "expires_at": 1.0})
    return fake


def login(demo: Colony, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["login", "--context", str(demo.context_file), *arguments])


class Browser:
    """Comes back to where it is sent, with ``answers`` one after the other."""

    def __init__(self, *answers: dict[str, str]) -> None:
        self.answers, self.asked, self.statuses = answers, dict[str, str](), list[int]()
        self._thread: threading.Thread | None = None

    def open(self, url: str) -> bool:
        assert url.startswith(LOGIN)
        self.asked = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        self._thread = threading.Thread(target=self._come_back)
        self._thread.start()
        return True

    def _come_back(self) -> None:
        for answer in self.answers:
            said = {"state": self.asked["state"], **answer}
            came = httpx.get(self.asked["redirect_uri"], params=said, trust_env=False, timeout=60)
            self.statuses.append(came.status_code)

    def join(self) -> None:
        assert self._thread is not None
        self._thread.join(60)


def test_a_browser_brings_a_code_that_is_redeemed_with_the_verifier(
    demo: Colony, queen: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser({"state": "of another", "code": "theirs"}, {"code": "ours"})
    monkeypatch.setattr(webbrowser, "open", browser.open)
    result = login(demo, "--provider", "corp")
    browser.join()
    assert result.exit_code == 0, result.output
    assert "logged in as corp:alice with role operator" in result.output
    assert browser.statuses == [404, 200]
    (asked,) = [ask for ask in queen.asked if ask.path == "/v1/auth/exchange"]
    assert asked.body["code"] == "ours"
    assert challenge(asked.body["code_verifier"]) == browser.asked["code_challenge"]
    assert "Authorization" not in asked.headers
    assert demo.token_file.read_text() == "new-token\n"
    assert "ours" not in result.output
    assert asked.body["code_verifier"] not in result.output


def test_a_user_who_says_no_and_one_who_never_comes(
    demo: Colony, queen: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser({"error": "access_denied"})
    monkeypatch.setattr(webbrowser, "open", browser.open)
    result = login(demo, "--provider", "corp")
    browser.join()
    assert (result.exit_code, "access_denied" in result.output) == (3, True)
    monkeypatch.setattr(login_provider, "WAIT_S", 0.0)
    result = login(demo, "--provider", "corp", "--no-browser")
    assert (result.exit_code, "no browser came back" in result.output) == (3, True)
    assert LOGIN in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--provider", "nobody"], "corp, ci, cloud"),
        (["--provider", "ci"], "no logins with a browser"),
        (["--keystone", "--provider", "corp"], "cloud"),
    ],
)
def test_a_provider_that_cannot_do_that_is_said(
    demo: Colony, queen: FakeGateway, arguments: list[str], said: str
) -> None:
    result = login(demo, *arguments)
    assert (result.exit_code, said in result.output) == (2, True), result.output


def test_a_token_in_a_file_is_shown(demo: Colony, queen: FakeGateway) -> None:
    file = demo.directory / "ci-token"
    file.write_text("a.b.c\n")
    file.chmod(0o600)
    assert login(demo, "--provider", "ci", "--token-file", str(file)).exit_code == 0
    (asked,) = [ask for ask in queen.asked if ask.path == "/v1/auth/exchange"]
    assert asked.body == {"provider": "ci", "token": "a.b.c"}
    queen.routes["POST /v1/auth/exchange"] = lambda _: problem(403, "no-role", "no rule gives you a role")
    refused = login(demo, "--provider", "ci", "--token-file", str(file))
    assert (refused.exit_code, "no rule" in refused.output) == (3, True)


def test_providers_are_set_from_a_file_and_a_secret_of_its_own(demo: Colony, queen: FakeGateway) -> None:
    asked: list[Any] = []
    queen.say("PUT /v1/identity-providers/corp", {"changed": True, "revision": 7, "term": 1})
    file, secret = demo.directory / "corp.yaml", demo.directory / "secret"
    file.write_text("kind: oidc\nissuer: https://id.example.org\nrules:\n  - {role: viewer, values: [staff]}\n")
    secret.write_text("hush hush\n")
    secret.chmod(0o600)
    fixed = ["identity-providers", "set", "corp", "--context", str(demo.context_file), "--file", str(file)]
    result = CliRunner().invoke(app, [*fixed, "--client-secret-file", str(secret)])
    assert result.exit_code == 0, result.output
    asked = [ask.body for ask in queen.asked if ask.method == "PUT"]
    assert asked == [
        {
            "kind": "oidc",
            "issuer": "https://id.example.org",
            "rules": [{"role": "viewer", "values": ["staff"]}],
            "client_secret": "hush hush",
        }
    ]
    assert "hush" not in result.output
    file.write_text("client_secret: hush\n")
    refused = CliRunner().invoke(app, fixed)
    assert (refused.exit_code, "hush" in refused.output) == (2, False)
