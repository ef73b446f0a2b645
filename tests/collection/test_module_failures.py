"""Modules leave with one sentence whatever they are told of a cloud or a host, and with no traceback."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

pytestmark = pytest.mark.filterwarnings("ignore")  # of openstacksdk, about the settings that are wrong here
URL = "https://127.0.0.1:5/v3"
LOGIN = {"auth_url": URL, "username": "u", "password": "p", "project_name": "x", "user_domain_name": "d"}
GOOD = {**LOGIN, "project_domain_name": "d"}


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, Any]]:
    """Run a module here, with only this environment, and return its own answer; nothing else may end it."""

    def ran(name: str, options: dict[str, Any], **environment: str) -> dict[str, Any]:
        for variable in [key for key in os.environ if key.startswith(("OS_", "AWARE_"))]:
            monkeypatch.delenv(variable)
        for variable, value in {"HOME": str(tmp_path), **environment}.items():
            monkeypatch.setenv(variable, value)
        module = importlib.import_module(f"ansible_collections.aware.cluster.plugins.modules.{name}")
        with patch_module_args(options), pytest.raises(SystemExit):
            module.main()
        answer: dict[str, Any] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
        assert "Traceback" not in answer["msg"]
        return answer

    return ran


Run = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("clouds", "sentence"),
    [
        ("clouds: [a, b", "clouds.yaml is not YAML, look at line "),
        ("[1, 2]", "clouds.yaml is not a mapping"),
        ("clouds: {one: &x {auth: *x}}", "holds itself by an alias"),
        ("clouds: &x [*x]", "holds itself by an alias"),
        ("clouds: {one: {region_name: " + "9" * 5000 + "}}", "clouds.yaml is not YAML"),
        ("x: " + "[" * 5000 + "]" * 5000, "clouds.yaml is not YAML"),
        ("clouds: [one]", "clouds is not a mapping of names to clouds"),
        ("clouds:", "clouds is empty, and should be a mapping of names to clouds"),
        ("{clouds: {one: {}}, cache: 5}", "cache is not a mapping"),
        ("clouds: {two: {}, three: {}}", "there is no cloud one in "),
        ("clouds: {two: {}, three: {}}", "clouds.yaml: it has three, two"),
        ("", "clouds.yaml: it has none"),
        ("clouds: {one: }", "cloud one in"),
        ("clouds: {one: {5: 5}}", "5 is no word of a cloud: it is a whole number, not text"),
        ("clouds: {one: {auth: {5: 5}}}", "5 is no word of a cloud: it is a whole number, not text"),
        ("clouds: {one: {auth: }}", "auth is empty"),
        ("clouds: {one: {auth: hello}}", "auth is not a mapping"),
        (json.dumps({"clouds": {"one": {"auth": GOOD, "cacert": "/none.pem"}}}), "CA file /none.pem: No such file"),
        (json.dumps({"clouds": {"one": {"auth": GOOD, "verify": "/none.pem"}}}), "CA file /none.pem: No such file"),
        (
            json.dumps({"clouds": {"one": {"auth": GOOD, "cert": "/none.crt"}}}),
            "no client certificate or key /none.crt",
        ),
        *(
            (json.dumps({"clouds": {"one": {"auth": {**GOOD, "auth_url": url}}}}), sentence)
            for url, sentence in [
                ("x y", "auth_url 'x y' is not a URL"),
                (None, "auth_url is empty; it is like https://"),
                (5, "auth_url 5 is not a URL"),
                (["x"], "auth.auth_url is a list, and should be text"),
                ("https://[::1/v3", "auth_url 'https://[::1/v3' is not a URL"),
                ("https://", "auth_url 'https://' is not a URL"),
                ("https://x:abc/", "auth_url 'https://x:abc/' is not a URL"),
                ("https://x:99999/", "auth_url 'https://x:99999/' is not a URL"),
            ]
        ),
        *(
            (json.dumps({"clouds": {"one": {"auth": GOOD, **entry}}}), sentence)
            for entry, sentence in [
                ({"cacert": ["x"]}, "cacert is a list, and should be text"),
                ({"profile": 5}, "profile is a whole number, and should be text"),
                ({"networks": 5}, "networks is a whole number, and should be a list"),
                ({"networks": [5]}, "networks is a list of mappings with name"),
                ({"regions": "x"}, "regions is text, and should be a list"),
            ]
        ),
        *(
            (json.dumps({"clouds": {"one": {"auth": auth}}}), sentence)
            for auth, sentence in [
                ({"auth_url": URL, "token": "x"}, "auth has token, which its auth_type (password when none is named)"),
                (
                    {"auth_url": URL, "application_credential_id": "x", "application_credential_secret": "y"},
                    "does not take: set auth_type to v3applicationcredential, with cloud 'one'",
                ),
                ({**GOOD, "project_name": {"a": 1}}, "auth.project_name is a mapping, and should be text"),
                ({**GOOD, "colour": "red"}, "auth has colour, which its auth_type"),
            ]
        ),
    ],
)
def test_clouds_yaml(run: Run, tmp_path: Path, clouds: str, sentence: str) -> None:
    pytest.importorskip("openstack")
    (tmp_path / "clouds.yaml").write_text(clouds)
    options = {"colony": "demo", "cloud": "one", "retry_timeout": 1}
    answer = run("openstack_cluster_info", options, OS_CLIENT_CONFIG_FILE=str(tmp_path / "clouds.yaml"))
    assert answer["failed"] is True
    assert sentence in answer["msg"]
    assert "\n" not in answer["msg"]
    assert "not found" not in answer["msg"]
    assert "Error" not in answer["msg"], "the name of a class of Python is no reason"


@pytest.mark.parametrize("kind", ["CLOUDS", "SECURE", "VENDOR"])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("clouds: [a, b", "other.yaml is not YAML, look at line "),
        ("[1]", "other.yaml is not a mapping"),
        (None, "not there"),
    ],
)
def test_each_file_of_openstack_is_looked_at(
    run: Run, tmp_path: Path, kind: str, content: str | None, sentence: str
) -> None:
    """openstacksdk passes over a broken file without a word, and then lacks what is in it."""
    pytest.importorskip("openstack")
    (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"one": {"auth": GOOD, "profile": "mine"}}}))
    if content is not None:
        (tmp_path / "other.yaml").write_text(content)
    named = {"OS_CLIENT_CONFIG_FILE": str(tmp_path / "clouds.yaml")}
    variable = {"CLOUDS": "CONFIG", "SECURE": "SECURE", "VENDOR": "VENDOR"}[kind]
    named[f"OS_CLIENT_{variable}_FILE"] = str(tmp_path / "other.yaml")
    answer = run("openstack_cluster_info", {"colony": "demo", "cloud": "one", "retry_timeout": 1}, **named)
    assert answer["failed"] is True
    assert sentence in answer["msg"]
    assert "\n" not in answer["msg"]


@pytest.mark.parametrize(
    ("options", "environment", "sentence"),
    [
        ({}, {"OS_AUTH_URL": URL}, "an auth_url is known but no username and no password"),
        ({}, {"OS_CLIENT_CONFIG_FILE": "/none.yaml"}, "OS_CLIENT_CONFIG_FILE names /none.yaml, which is not there"),
        ({}, {"OS_CLOUD": "nosuch"}, "there is no cloud nosuch in clouds.yaml, which is in none of "),
        ({"cloud": "nosuch"}, {}, "there is no cloud nosuch in clouds.yaml, which is in none of "),
        ({"auth": {"auth_url": "nowhere"}}, {}, "is not a URL like https://cloud.example/v3"),
        ({}, {"OS_AUTH_URL": "https://[::1", "OS_USERNAME": "u", "OS_PASSWORD": "p"}, "is not a URL like"),
        ({"cloud": {"auth": None}}, {}, "option cloud: auth is empty"),
        ({"api_timeout": 0}, {}, "api_timeout is 0, and must be more than 0 seconds"),
        ({"cloud": {"auth": "x"}}, {}, "option cloud: auth is not a mapping"),
        ({"cloud": {"auth": GOOD}, "ca_cert": "/none"}, {}, "CA file /none: No such file or directory"),
        ({"auth": {"auth_url": URL}, "auth_type": "v3token"}, {}, "openstacksdk cannot use option auth"),
    ],
)
def test_options_and_environment(run: Run, options: dict[str, Any], environment: dict[str, str], sentence: str) -> None:
    pytest.importorskip("openstack")
    answer = run("openstack_cluster_info", {"colony": "demo", "retry_timeout": 1, **options}, **environment)
    assert answer["failed"] is True
    assert sentence in answer["msg"]


def test_a_host_or_a_colony_without_what_it_should_have(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = run("local_process", {"pidfile": str(tmp_path / "file" / "x.pid"), "argv": ["true"]})
    assert answer["failed"] is True
    assert "Not a directory" in answer["msg"] or "exists" in answer["msg"].lower()
    answer = run("cluster_info", {"endpoints": [URL.removesuffix("/v3")], "token": "access-token", "deadline": 1})
    assert "no gateway of the colony answered: https://127.0.0.1:5: Connection refused" in answer["msg"]
