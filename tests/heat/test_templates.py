"""The Heat templates: whole by themselves, and right for Heat's own classes where those are installed."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from aware_agent.agent.settings import ChannelSettings, CouncilSettings, DiscoverySettings, GatewaySettings
from aware_agent.security.founding_key import make_founding_key

ROOT = Path(__file__).resolve().parents[2]
HEAT = ROOT / "deploy" / "heat"
TEMPLATES = ("cluster.yaml", "colony.yaml", "software-config.yaml")
OF_SERVERS = ("cluster.yaml", "colony.yaml")
SECRETS = {"join_token", "founding_key", "hook", "pip_index"}
HEAT_PYTHON = Path(os.environ.get("VENV_HEAT") or ROOT / ".venv-heat") / "bin" / "python"
needs_heat = pytest.mark.skipif(not HEAT_PYTHON.exists(), reason=f"no {HEAT_PYTHON}: run scripts/heat-venv")


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((HEAT / name).read_text())
    return document


def uses(value: Any, function: str) -> Iterator[Any]:
    """Arguments of every use of an intrinsic function."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == function:
                yield item
            yield from uses(item, function)
    elif isinstance(value, list):
        for item in value:
            yield from uses(item, function)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_name_means_something(name: str) -> None:
    document = load(name)
    resources, parameters = document["resources"], document["parameters"]
    assert set(uses(document, "get_param")) == set(parameters)
    assert {*uses(document, "get_resource"), *(a[0] for a in uses(document, "get_attr"))} <= set(resources)
    assert {a[0] for a in uses(resources, "if")} | {*uses(resources, "condition")} == set(
        document.get("conditions", {})
    )
    files = set(uses(document, "get_file"))
    assert files
    assert all((HEAT / file).is_file() for file in files)


@pytest.mark.parametrize("name", TEMPLATES)
def test_secrets_are_hidden_and_never_put_out(name: str) -> None:
    document = load(name)
    hidden = {key for key, parameter in document["parameters"].items() if parameter.get("hidden")}
    assert hidden == SECRETS & set(document["parameters"])
    assert hidden & {"join_token", "founding_key"}
    assert not SECRETS & set(uses(document["outputs"], "get_param"))


def test_nothing_is_pasted_into_a_script() -> None:
    """Every value is a file of its own; the script reads exactly those that the templates write."""
    files: set[str] = set()
    for name in OF_SERVERS:
        config = load(name)["resources"]["boot"]["properties"]["cloud_config"]
        files |= {Path(file["path"]).name for file in config["write_files"]}
        assert all(file["permissions"] == "0600" for file in config["write_files"])
        assert config["runcmd"] == [["sh", "/run/aware-bootstrap/bootstrap.sh"]]
        # Heat's only way to make a string of a number; whatever the value is, it is the whole of the file.
        assert all(replace["template"] in replace["params"] for replace in uses(config, "str_replace"))
    script = (HEAT / "bootstrap.sh").read_text()
    shell = set(re.findall(r"(?:value|check) ([a-z]+)\b", script))
    assert {"colony", "token", "founding", "council", "etcd", "seeds", "zone", "source", "index"} <= shell
    named = {key for key in ("endpoint", "auth", "hook", "ca") if f"$IN/{key}" in script or f'read("{key}")' in script}
    assert (shell & files) | {"bootstrap.sh"} | named == files


@pytest.mark.parametrize("name", OF_SERVERS)
def test_the_firewall_opens_what_agents_use(name: str) -> None:
    rules = load(name)["resources"]["firewall"]["properties"]["rules"]
    among = {
        (rule["protocol"], port)
        for rule in rules
        if rule.get("remote_mode") == "remote_group_id"
        for port in range(rule["port_range_min"], rule["port_range_max"] + 1)
    }
    gateway, channel, beacon = GatewaySettings().port, ChannelSettings().port, DiscoverySettings().port
    client, peer = CouncilSettings().client_port, CouncilSettings().peer_port
    assert among == {("udp", beacon), *(("tcp", port) for port in (gateway, channel, client, peer))}
    outside = [r for r in rules if r.get("remote_ip_prefix")]
    assert [(r["port_range_min"], r["port_range_max"]) for r in outside] == [(gateway, gateway)]
    script = (HEAT / "bootstrap.sh").read_text()
    ports = {"GATEWAY": gateway, "CHANNEL": channel, "DISCOVERY": beacon, "ETCD": client, "ETCD_PEER": peer}
    assert all(f"AWARE_{what}_PORT:-{port}}}" in script for what, port in ports.items())


def test_running_servers_survive_an_update_of_the_template() -> None:
    """Changed user data would otherwise replace every server, the queen's among them."""
    member = load("cluster.yaml")["resources"]["nodes"]["properties"]["resource"]["properties"]
    founder = load("colony.yaml")["resources"]["founders"]["properties"]["resource_def"]["properties"]
    assert member["user_data_update_policy"] == founder["user_data_update_policy"] == "IGNORE"


def test_the_playbook_takes_what_the_config_gives() -> None:
    (play,) = yaml.safe_load((HEAT / "join.yml").read_text())
    config, joined = (load("software-config.yaml")["resources"][key]["properties"] for key in ("join", "joined"))
    inputs = {item["name"] for item in config["inputs"]}
    assert set(joined["input_values"]) == inputs
    wanted = set(re.findall(r"{{ (aware_[a-z_]+) }}", str(play["vars"]["aware_values"])))
    assert wanted | {"ansible_python_interpreter"} == inputs


def test_the_template_takes_the_keys_that_the_command_makes() -> None:
    (constraint,) = load("colony.yaml")["parameters"]["founding_key"]["constraints"]
    for colony in ("demo", "a-1"):
        assert re.fullmatch(constraint["allowed_pattern"], make_founding_key(colony, os.urandom(32)).text())
    assert not re.fullmatch(constraint["allowed_pattern"], "aware-found1.demo.x.y")


@pytest.mark.parametrize("pattern", ["join_token", "seeds", "colony"])
def test_parameters_are_checked_by_heat_before_a_server_is_paid_for(pattern: str) -> None:
    (constraint,) = load("cluster.yaml")["parameters"][pattern]["constraints"]
    rule = re.compile(constraint["allowed_pattern"])
    good = {
        "join_token": [f"aware1.{'0a' * 8}.{'A-_' * 14}A.{'b' * 43}"],
        "seeds": ["", "https://192.0.2.1:8443", "https://a.b,https://c:1"],
        "colony": ["demo"],
    }
    bad = {"join_token": ["", "x"], "seeds": ["http://a", "https://a b", "https://a'"], "colony": ["", "A", 'a"b']}
    assert all(rule.fullmatch(text) for text in good[pattern])
    assert not any(rule.fullmatch(text) for text in bad[pattern])


def _check(*files: Path) -> subprocess.CompletedProcess[str]:
    argv = [str(HEAT_PYTHON), str(ROOT / "scripts" / "heat-check"), *map(str, files)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


@needs_heat
def test_heats_own_classes_accept_them() -> None:
    done = _check(*(HEAT / name for name in TEMPLATES))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OS::Nova::Server" in done.stdout


MISTAKES = {
    "property": ("user_data_update_policy", "user_data_up", "Unknown Property user_data_up"),
    "value": ("change_in_capacity", "chang", "is not an allowed value"),
    "attribute": ("[ready, data]", "[ready, dota]", "no attribute dota"),
    "resource": ("{get_resource: hosts}", "{get_resource: hots}", "hots"),
}


@needs_heat
def test_heats_own_classes_would_see_a_mistake(tmp_path: Path) -> None:
    """One process for all: loading Heat takes seconds."""
    (tmp_path / "bootstrap.sh").write_text((HEAT / "bootstrap.sh").read_text())
    text = (HEAT / "cluster.yaml").read_text()
    for name, (old, new, _) in MISTAKES.items():
        assert old in text
        (tmp_path / f"{name}.yaml").write_text(text.replace(old, new))
    done = _check(*(tmp_path / f"{name}.yaml" for name in MISTAKES))
    assert done.returncode == 1, done.stderr
    for name, (_, _, said) in MISTAKES.items():
        assert any(line.startswith(f"{name}.yaml: ") and said in line for line in done.stdout.splitlines())
