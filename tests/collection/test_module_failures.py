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
        ("clouds: {one: }", "cloud one in"),
        ("clouds: {one: {auth: }}", "auth is empty"),
        ("clouds: {one: {auth: hello}}", "auth is not a mapping"),
        (json.dumps({"clouds": {"one": {"auth": GOOD, "cacert": "/none.pem"}}}), "CA file /none.pem: No such file"),
        (json.dumps({"clouds": {"one": {"auth": GOOD, "verify": "/none.pem"}}}), "CA file /none.pem: No such file"),
        (
            json.dumps({"clouds": {"one": {"auth": GOOD, "cert": "/none.crt"}}}),
            "no client certificate or key /none.crt",
        ),
        (json.dumps({"clouds": {"one": {"auth": {**GOOD, "auth_url": "x y"}}}}), "auth_url 'x y' is not a URL"),
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


@pytest.mark.parametrize(
    ("options", "environment", "sentence"),
    [
        ({}, {"OS_AUTH_URL": URL}, "an auth_url is known but no username and no password"),
        ({}, {"OS_CLIENT_CONFIG_FILE": "/none.yaml"}, "OS_CLIENT_CONFIG_FILE names /none.yaml, which is not there"),
        ({"cloud": {"auth": None}}, {}, "option cloud: auth is empty"),
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
