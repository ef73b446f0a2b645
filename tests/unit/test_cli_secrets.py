"""``aware secret`` against a gateway as clever as the test makes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_support import Colony, FakeGateway
from typer.testing import CliRunner, Result

from aware_agent.cli.app import app

CLOUDS = """
clouds:
  lab:
    auth_type: v3applicationcredential
    auth: {auth_url: "https://keystone.example/v3", application_credential_id: abc, application_credential_secret: pa55}
    cacert: cloud-ca.crt
    verify: true
  other:
    auth: {auth_url: "https://other.example/v3", username: a, password: pa55}
"""
CHANGE = {"changed": True, "revision": 9, "term": 7}


@pytest.fixture
def queen(demo: Colony, tmp_path: Path) -> FakeGateway:
    fake = demo.gateway()
    demo.context(fake.url)
    fake.say("PUT /v1/secrets/lab", CHANGE)
    fake.say("DELETE /v1/secrets/lab", CHANGE)
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    (tmp_path / "cloud-ca.crt").write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    return fake


def aware(demo: Colony, *arguments: str) -> Result:
    environment = {"AWARE_CONTEXT": str(demo.context_file), "AWARE_DEBUG": "", "COLUMNS": "250"}
    return CliRunner().invoke(app, ["secret", *arguments], env=environment)


def sent(queen: FakeGateway) -> Any:
    body = queen.asked[-1].body
    return json.loads(body) if isinstance(body, bytes | str) else body


def test_a_cloud_is_sent_with_its_authority_and_without_paths(demo: Colony, queen: FakeGateway, tmp_path: Path) -> None:
    done = aware(demo, "set", "lab", "--clouds-file", str(tmp_path / "clouds.yaml"), "--cloud", "lab")
    assert done.stdout == "secret lab is set\n", done.output
    body = sent(queen)
    assert (body["kind"], set(body["cloud"])) == ("openstack", {"auth_type", "auth"})
    assert body["ca"].startswith("-----BEGIN CERTIFICATE-----\nx\n")
    assert body["cloud"]["auth"]["application_credential_secret"] == "pa55"


def test_a_text_comes_from_a_file(demo: Colony, queen: FakeGateway, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("t3xt\n")
    queen.say("PUT /v1/secrets/lab", {**CHANGE, "changed": False})
    done = aware(demo, "set", "lab", "--text-file", str(tmp_path / "key"))
    assert done.stdout == "secret lab is as it was\n"
    assert sent(queen) == {"kind": "text", "text": "t3xt"}


def test_a_dry_run_tells_what_would_be(demo: Colony, queen: FakeGateway, tmp_path: Path) -> None:
    said = {"dry_run": True, "changed": True, "would": ["ada removed secret lab"], "revision": 1, "term": 1}
    queen.say("DELETE /v1/secrets/lab", said)
    assert aware(demo, "remove", "lab", "--dry-run").stdout == "ada removed secret lab\n"
    queen.say("DELETE /v1/secrets/lab", CHANGE)
    assert aware(demo, "remove", "lab").stdout == "secret lab removed\n"


def test_the_list_shows_what_may_be_shown(demo: Colony, queen: FakeGateway) -> None:
    row = {"name": "lab", "kind": "openstack", "about": "password at x", "changed_at": 1.0, "changed_by": "ada"}
    queen.say("GET /v1/secrets", {"secrets": [row]})
    shown = aware(demo, "list").stdout.splitlines()
    assert shown[1].split()[:2] == ["lab", "openstack"]
    assert "password at x" in shown[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "lab"], "one of two things"),
        (["set", "lab", "--text-file", "a", "--clouds-file", "b"], "one of two things"),
        (["set", "lab", "--text-file", "a", "--cloud", "lab"], "go with --clouds-file"),
        (["set", "lab", "--clouds-file", "{clouds}"], "has 2 clouds"),
        (["set", "lab", "--clouds-file", "{clouds}", "--cloud", "nope"], "has no cloud 'nope'"),
        (["set", "lab", "--clouds-file", "{ca}"], "cloud-ca.crt"),
        (["set", "lab", "--text-file", "{missing}"], "cannot read secret file"),
    ],
)
def test_what_cannot_be_meant_is_said(
    demo: Colony, queen: FakeGateway, tmp_path: Path, arguments: list[str], said: str
) -> None:
    places = {"clouds": tmp_path / "clouds.yaml", "ca": tmp_path / "cloud-ca.crt", "missing": tmp_path / "missing"}
    done = aware(demo, *[argument.format(**places) for argument in arguments])
    assert done.exit_code != 0
    assert said in done.output
    assert not any(ask.method == "PUT" for ask in queen.asked)
