"""A real Prometheus reads real agents: rules and dashboards name only what agents tell, and an alert really fires."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import ssl
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from aware_agent.ports import free_port
from bench.lab import ROOT, Lab
from bench.processes import Process, clean_environment

pytestmark = pytest.mark.e2e

ROLE = ROOT / "collections" / "ansible_collections" / "aware" / "cluster" / "roles" / "monitoring"
NAME = re.compile(r"\b(?:aware|etcd|process)_[a-z_]+\b|\bup\b")
LIMIT_S = 180.0
# Only a queen with a schedule of backups tells of them (tests/e2e/test_backup.py).
BY_SCHEDULE = {
    "aware_backup_failures_total",
    "aware_backup_interval_seconds",
    "aware_backup_last_size_bytes",
    "aware_backup_last_success_timestamp_seconds",
}


def rules() -> str:
    """The alert rules with the role's own thresholds."""
    environment = jinja2.Environment(
        variable_start_string="[[", variable_end_string="]]", undefined=jinja2.StrictUndefined
    )
    text = (ROLE / "templates" / "aware-rules.yml.j2").read_text()
    return environment.from_string(text).render(yaml.safe_load((ROLE / "defaults" / "main.yml").read_text()))


def expressions() -> Iterator[str]:
    """All that rules and dashboards ask for."""
    for group in yaml.safe_load(rules())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    for path in (ROLE / "files" / "dashboards").glob("*.json"):
        for panel in json.loads(path.read_text())["panels"]:
            yield from (target["expr"] for target in panel["targets"])


def names(expression: str) -> set[str]:
    """Metrics an expression reads: its words, without labels, strings and what it groups by."""
    bare = re.sub(r"\{[^}]*\}|\"[^\"]*\"|\b(?:by|on|without)\s*\([^)]*\)", " ", expression)
    return set(NAME.findall(bare))


def fetch(url: str, context: ssl.SSLContext | None = None) -> str:
    with urllib.request.urlopen(url, context=context, timeout=10) as answer:
        return str(answer.read().decode())


def told(text: str) -> set[str]:
    """Names in an exposition, histograms with their suffixes, and families that have no sample yet."""
    families = list(text_string_to_metric_families(text))
    typed = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    return typed | {sample.name for family in families for sample in family.samples}


async def test_rules_and_dashboards_name_only_what_agents_and_etcd_tell() -> None:
    async with Lab(2) as lab:
        await lab.form()
        context = ssl.create_default_context(cafile=str(lab.ca_file))
        known = {"up"}
        for agent in lab.agents.values():
            known |= told(await asyncio.to_thread(fetch, f"{agent.url}/metrics", context))
        context = ssl.create_default_context(cafile=str(lab.material_dir / "council-ca.crt"))
        context.load_cert_chain(lab.material_dir / "etcd.crt", lab.material_dir / "etcd.key")
        known |= told(await asyncio.to_thread(fetch, f"https://{lab.etcd.endpoints[0]}/metrics", context))
    wanted = set().union(*map(names, expressions()))
    assert {"aware_node_queen", "aware_healthy", "etcd_server_has_leader", "up"} <= wanted
    assert wanted - known - BY_SCHEDULE == set()
    assert wanted & known >= {"aware_node_absent", "aware_certificate_expiry_timestamp_seconds"}


def followed(lab: Lab, directory: Path) -> dict[str, Any]:
    """The job of docs/monitoring.md that follows the colony by itself. It keeps nothing: job ``aware`` has it all."""
    trust = {"ca_file": str(directory / "ca.crt")}
    source = {
        "refresh_interval": "5s",
        "authorization": {"type": "Bearer", "credentials_file": str(directory / "viewer")},
        "tls_config": {**trust, "server_name": f"council.{lab.colony}.aware"},
        "follow_redirects": False,
    }
    urls = [f"{agent.url}/v1/monitoring/targets" for agent in lab.agents.values()]
    discovery = [{"url": url, **source} for url in urls]
    nothing = [{"source_labels": ["__name__"], "regex": ".*", "action": "drop"}]
    job = {"job_name": "followed", "scheme": "https", "tls_config": trust, "http_sd_configs": discovery}
    return {**job, "metric_relabel_configs": nothing}


@contextmanager
def prometheus(lab: Lab, directory: Path, token: str) -> Iterator[str]:
    """Prometheus with the role's rules, asking all agents of ``lab`` every second; its URL.

    Its job ``followed`` asks the members of the colony whom to ask, with ``token``.
    """
    program = shutil.which("prometheus")
    if not program:
        pytest.skip("prometheus is not installed here")
    fast = re.sub(r"^(\s+for: ).*$", r"\g<1>3s", rules(), flags=re.MULTILINE)
    (directory / "rules.yml").write_text(fast)
    targets = [
        {"targets": [agent.url.removeprefix("https://")], "labels": {"colony": lab.colony, "node": agent.name}}
        for agent in lab.agents.values()
    ]
    (directory / "nodes.json").write_text(json.dumps(targets))
    template = jinja2.Environment(undefined=jinja2.StrictUndefined)
    template.filters["to_json"] = json.dumps
    template.filters["bool"] = bool
    port = free_port()
    variables: dict[str, Any] = {
        **yaml.safe_load((ROLE / "defaults" / "main.yml").read_text()),
        "monitoring_mark": "",
        "monitoring_directory": str(directory),
        "monitoring_interval": "1s",
        "monitoring_listen": f"127.0.0.1:{port}",
        "monitoring_with_etcd": False,
        "monitoring_scrape_configs": [followed(lab, directory)],
    }
    config = template.from_string((ROLE / "templates" / "prometheus.yml.j2").read_text()).render(variables)
    config = config.replace("/aware-rules.yml", "/rules.yml").replace("/targets/nodes.json", "/nodes.json")
    (directory / "prometheus.yml").write_text(config)
    shutil.copy(lab.ca_file, directory / "ca.crt")
    (directory / "viewer").write_text(token)
    argv = [
        program,
        f"--config.file={directory}/prometheus.yml",
        f"--storage.tsdb.path={directory}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    server = Process(argv, directory / "prometheus.log", cwd=directory, env=clean_environment())
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()


async def until(url: str, query: str, wanted: int) -> list[dict[str, str]]:
    """Labels of what ``query`` gives, as soon as there are ``wanted`` of them."""
    end = asyncio.get_running_loop().time() + LIMIT_S
    found: Any = "no answer"
    while asyncio.get_running_loop().time() < end:
        try:
            text = await asyncio.to_thread(fetch, f"{url}/api/v1/query?query={urllib.request.quote(query)}")
            found = [result["metric"] for result in json.loads(text)["data"]["result"]]
            if len(found) == wanted:
                return list(found)
        except OSError as error:
            found = error
        await asyncio.sleep(0.2)
    raise AssertionError(f"{query}: not {wanted} but {found} after {LIMIT_S:g} s")


@asynccontextmanager
async def watched(directory: Path) -> AsyncIterator[tuple[Lab, str]]:
    async with Lab(3) as lab:
        await lab.form()
        with prometheus(lab, directory, (await lab.admin()).token) as url:
            yield lab, url


async def test_prometheus_reads_agents_and_alerts_fire(tmp_path: Path) -> None:
    async with watched(tmp_path) as (lab, url):
        await until(url, 'up{job="aware"} == 1', 3)
        assert (await until(url, "aware_node_queen == 1", 1))[0]["node"] == (await lab.queen())["name"]
        await until(url, "max(aware_healthy) == 1", 1)
        assert {found["node"] for found in await until(url, 'up{job="followed"} == 1', 3)} == set(lab.agents)
        queen = await lab.queen()
        lab.agent(queen["name"]).kill()
        firing = 'ALERTS{alertstate="firing", alertname="%s"}'
        # By name: on a busy machine another node may miss a scrape or two.
        unreachable = f'ALERTS{{alertstate="firing", alertname="AwareNodeUnreachable", node="{queen["name"]}"}}'
        assert (await until(url, unreachable, 1))[0]["colony"] == lab.colony
        assert (await until(url, 'aware_node_absent{status="dead"}', 1))[0]["name"] == queen["name"]
        assert (await until(url, firing % "AwareNodeDead", 1))[0]["name"] == queen["name"]
        await until(url, firing % "AwareNoQueen", 0)
        for agent in lab.running():
            agent.kill()
        assert (await until(url, firing % "AwareNoQueen", 1))[0]["colony"] == lab.colony
