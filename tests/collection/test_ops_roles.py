"""Roles firewall, loadbalancer and monitoring without hosts: what they write is what nft, HAProxy and promtool take."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import ROOT, Ran

ROLES = ROOT / "collections" / "ansible_collections" / "aware" / "cluster" / "roles"
HOSTS = {"h1": "192.0.2.11", "h2": "192.0.2.12", "h3": "192.0.2.13", "h4": "2001:db8::4"}
RULES_TEST = Path(__file__).with_name("monitoring") / "rules.test.yml"
Render = Callable[..., dict[str, str]]


def program(name: str) -> str:
    """The path of a system program; skips without it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if not found:
        pytest.skip(f"{name} is not installed here")
    return found


def need_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("a network namespace of its own needs root")


def run(*argv: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(a) for a in argv], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def of_role(role: str, part: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROLES / role / part / "main.yml").read_text()))


@pytest.fixture
def render(tmp_path: Path, ansible: Callable[..., Ran]) -> Render:
    """Templates of a role as Ansible renders them for h1: name of template to text."""

    def made(role: str, *templates: str, brackets: bool = False, **variables: Any) -> dict[str, str]:
        task: dict[str, Any] = {
            "src": str(ROLES / role / "templates") + "/{{ file }}",
            "dest": f"{tmp_path}/{{{{ file }}}}",
            "mode": "0600",
        }
        if brackets:
            task |= {"variable_start_string": "[[", "variable_end_string": "]]"}
        play = {
            "hosts": "h1",
            "gather_facts": False,
            "connection": "local",
            "vars": {**of_role(role, "defaults"), **of_role(role, "vars"), **variables},
            "tasks": [
                {"ansible.builtin.template": task, "loop": list(templates), "loop_control": {"loop_var": "file"}}
            ],
        }
        hosts = {name: {"ansible_host": address} for name, address in HOSTS.items()}
        children = {"aware_bootstrap": {"hosts": hosts}, "aware_etcd": {"hosts": {"h1": {}, "h2": {}}}}
        (tmp_path / "play.yml").write_text(json.dumps([play]))
        (tmp_path / "hosts.yml").write_text(
            json.dumps({"all": {"children": children, "vars": {"ansible_python_interpreter": sys.executable}}})
        )
        enabled = {"ANSIBLE_INVENTORY_ENABLED": "yaml"}
        ran = ansible("ansible-playbook", "-i", tmp_path / "hosts.yml", tmp_path / "play.yml", **enabled)
        assert ran.rc == 0, ran.out + ran.err
        return {name: (tmp_path / name).read_text() for name in templates}

    return made


FACTS = {"interfaces": ["lo", "eth0"], "eth0": {"ipv4": {"network": "192.0.2.0", "prefix": "24"}}}


@pytest.mark.netns
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"firewall_management_cidrs": ["198.51.100.0/24", "2001:db8:1::/64"]},
        {"firewall_management_cidrs": ["198.51.100.7"], "firewall_default_drop": True, "firewall_log": True},
        {"firewall_extra_rules": ["tcp dport 80 accept"], "firewall_ssh_ports": [22, 2222], "firewall_log": True},
    ],
)
def test_nft_takes_the_rules_whole_and_replaces_only_its_own(
    render: Render, variables: dict[str, Any], tmp_path: Path
) -> None:
    nft = program("nft")
    need_root()
    text = render("firewall", "aware.nft.j2", ansible_facts=FACTS, **variables)["aware.nft.j2"]
    assert "flush ruleset" not in text
    rules = tmp_path / "aware.nft.j2"
    # Twice: over nothing, and over itself. Then again with an error at its end: nothing of it counts.
    (tmp_path / "broken.nft").write_text(
        text.replace("policy accept", "policy drop") + "\nadd rule inet aware no such\n"
    )
    script = """
        set -e
        nft add table inet other
        nft -c -f $1; nft -f $1; nft -s list ruleset > a
        nft -f $1; nft -s list ruleset > b; cmp a b
        ! nft -f broken.nft 2> /dev/null; nft -s list ruleset > c; cmp a c
        nft delete table inet aware; nft list tables
    """
    done = run("unshare", "--net", "sh", "-c", f"alias nft={nft}\n{script}", "sh", rules, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "table inet other\n"), done.stderr


def test_sets_of_the_firewall_are_who_they_should_be(render: Render) -> None:
    text = render(
        "firewall",
        "aware.nft.j2",
        ansible_facts=FACTS,
        firewall_management_cidrs=["198.51.100.0/25", "198.51.100.128/25"],
    )["aware.nft.j2"]
    sets = dict(re.findall(r"set (\w+) \{\s+type \w+\s+flags interval\s+(?:elements = \{ (.*?) \}\s+)?\}", text))
    assert sets["management4"] == "198.51.100.0/24"
    assert sets["members4"] == "192.0.2.11/32, 192.0.2.12/31"
    assert sets["members6"] == "2001:db8::4/128"
    assert sets["etcd_peers4"] == sets["etcd_clients4"] == "192.0.2.11/32, 192.0.2.12/32", "workers have no etcd client"
    assert sets["discovery4"] == "192.0.2.0/24"
    assert sets["management6"] == ""


def test_script_of_the_firewall_is_sound(render: Render, tmp_path: Path) -> None:
    render("firewall", "aware-firewall.sh.j2", ansible_facts=FACTS)
    done = run(program("shellcheck"), "--shell=sh", tmp_path / "aware-firewall.sh.j2")
    assert done.returncode == 0, done.stdout


BALANCER = {"loadbalancer_colony": "demo", "loadbalancer_ca_file": "/nowhere", "ansible_facts": {}}


def test_haproxy_takes_its_configuration(render: Render, tmp_path: Path) -> None:
    haproxy = program("haproxy")
    text = render("loadbalancer", "haproxy.cfg.j2", **BALANCER)["haproxy.cfg.j2"]
    assert len(re.findall(r"^    server h\d ", text, re.MULTILINE)) == len(HOSTS)
    assert "server h4 [2001:db8::4]:8443" in text
    # Whoever answers must be of the council: a worker's certificate has another name.
    assert "check-sni council.demo.aware verify required verifyhost council.demo.aware " in text
    (tmp_path / "ca.crt").write_text(_certificate())
    path = tmp_path / "haproxy.cfg"
    path.write_text(text.replace("/etc/aware-loadbalancer/", f"{tmp_path}/"))
    done = run(haproxy, "-c", "-f", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_haproxy_says_whom_it_speaks_for_when_it_is_told_to(render: Render) -> None:
    plain = render("loadbalancer", "haproxy.cfg.j2", **BALANCER)["haproxy.cfg.j2"]
    assert "send-proxy" not in plain
    telling = render("loadbalancer", "haproxy.cfg.j2", **BALANCER, loadbalancer_proxy_protocol=True)["haproxy.cfg.j2"]
    assert "default-server send-proxy-v2 check-send-proxy" in telling


@pytest.mark.netns
def test_keepalived_takes_its_configuration(render: Render, tmp_path: Path) -> None:
    keepalived = program("keepalived")
    need_root()
    vip = {"loadbalancer_vip": "192.0.2.200/24", "loadbalancer_interface": "eth9", "loadbalancer_address": "192.0.2.12"}
    made = render("loadbalancer", "keepalived.cfg.j2", "check-queen.j2", **BALANCER, **vip)
    peers = re.search(r"unicast_peer \{\s+(.*?)\s+\}", made["keepalived.cfg.j2"], re.DOTALL)
    assert peers
    assert peers[1].split() == ["192.0.2.11", "192.0.2.13"]  # of the same version of IP
    assert "priority 99" in made["keepalived.cfg.j2"]
    path = tmp_path / "keepalived.cfg"
    script = tmp_path / "check-queen"
    script.write_text(made["check-queen.j2"])
    script.chmod(0o755)
    path.write_text(made["keepalived.cfg.j2"].replace("/etc/aware-loadbalancer/", f"{tmp_path}/"))
    check = f"ip link add eth9 type veth peer name eth8 && exec {keepalived} --config-test --use-file {path}"
    done = run("unshare", "--net", "sh", "-c", check)
    assert done.returncode == 0, done.stdout + done.stderr
    assert run(program("shellcheck"), "--shell=sh", script).returncode == 0


def _certificate() -> str:
    from aware_agent.security import pki

    return pki.create_ca("demo", 1_800_000_000.0).certificate.decode()


@pytest.fixture
def rules(render: Render, tmp_path: Path) -> Path:
    """The alert rules with the role's own thresholds."""
    text = render("monitoring", "aware-rules.yml.j2", brackets=True)["aware-rules.yml.j2"]
    path = tmp_path / "aware-rules.yml"
    path.write_text(text)
    return path


def test_promtool_takes_rules_and_configuration(render: Render, rules: Path, tmp_path: Path) -> None:
    promtool = program("promtool")
    done = run(promtool, "check", "rules", rules)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "targets").mkdir()
    for name in ("ca.crt", "etcd-ca.crt", "etcd.crt", "etcd.key", "token"):
        (tmp_path / name).write_text(_certificate())
    variables = {
        "monitoring_colony": "demo",
        "monitoring_directory": str(tmp_path),
        "monitoring_etcd_certificate": "given",
        "monitoring_etcd_key": "given",
        "monitoring_etcd_asked": [{"name": "h1", "address": "2001:db8::1", "port": "2379"}],
        "monitoring_token": "t",
        "monitoring_alertmanagers": ["alerts.example:9093"],
        "monitoring_scrape_configs": [{"job_name": "mine", "static_configs": [{"targets": ["localhost:1"]}]}],
        "monitoring_external_labels": {"site": "here"},
    }
    for name, port, members in (("nodes", 8443, "nodes"), ("etcd", 2379, "etcd_asked")):
        item = {"name": name, "port": port, "members": f"{{{{ monitoring_{members} }}}}"}
        text = render("monitoring", "targets.json.j2", item=item, **variables)["targets.json.j2"]
        (tmp_path / "targets" / f"{name}.json").write_text(text)
    nodes = json.loads((tmp_path / "targets" / "nodes.json").read_text())
    assert {"targets": ["[2001:db8::4]:8443"], "labels": {"colony": "demo", "node": "h4"}} in nodes
    etcd = json.loads((tmp_path / "targets" / "etcd.json").read_text())
    assert etcd == [{"targets": ["[2001:db8::1]:2379"], "labels": {"colony": "demo", "node": "h1"}}]
    config = tmp_path / "prometheus.yml.j2"
    render("monitoring", "prometheus.yml.j2", **variables)
    done = run(promtool, "check", "config", config)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = {job["job_name"]: job for job in yaml.safe_load(config.read_text())["scrape_configs"]}
    assert set(jobs) == {"prometheus", "aware", "aware-etcd", "mine"}
    assert jobs["aware-etcd"]["tls_config"]["ca_file"] != jobs["aware"]["tls_config"]["ca_file"], (
        "etcd has a CA of its own"
    )
    assert "server_name" not in jobs["aware"]["tls_config"], "each is known by its address"
    assert "insecure_skip_verify" not in config.read_text()


def test_every_alert_fires_and_stays_silent_as_promtool_tests_say(rules: Path, tmp_path: Path) -> None:
    shutil.copy(RULES_TEST, tmp_path)
    done = run(program("promtool"), "test", "rules", RULES_TEST.name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    tested = yaml.safe_load(RULES_TEST.read_text())["tests"]
    fired = {case["alertname"] for test in tested for case in test["alert_rule_test"] if case["exp_alerts"]}
    alerts = [rule for group in yaml.safe_load(rules.read_text())["groups"] for rule in group["rules"]]
    assert fired == {rule["alert"] for rule in alerts}
    for rule in alerts:
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
    # A test that passed with other rules would prove nothing.
    rules.write_text(rules.read_text().replace("== 0\n", "== 2\n"))
    assert run(program("promtool"), "test", "rules", RULES_TEST.name, cwd=tmp_path).returncode == 1
