"""Load balancer and monitoring beside a colony of site.yml: no variable given, real agents, the queen's host lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hosts_support import HostsLab, lab_name, running_lab
from install_support import Site

from tests.patience import eventually

pytestmark = pytest.mark.hosts
NODES = ["h1", "h2", "h3"]
SIDE = "h4"  # balancer and Prometheus
COUNCIL = "council.lab.aware"


@pytest.fixture(scope="module")
def lab(hosts_possible: None) -> Iterator[HostsLab]:
    """Three nodes and a host beside them, with Prometheus in the image: hosts have no internet."""
    with running_lab(lab_name("ops"), 4, LAB_EXTRA_PACKAGES="prometheus") as made:
        made.sh(SIDE, "systemctl disable --now prometheus", check=False)
        yield made


@pytest.fixture(scope="module")
def site(lab: HostsLab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The colony, and in the same inventory directory the host for what stands beside it."""
    made = Site(lab, tmp_path_factory.mktemp("site"))
    made.write(*NODES)
    made.play().succeeded()
    side = {"hosts": {SIDE: {"ansible_host": lab.address(SIDE), **made.reach}}}
    (made.folder / "ops.yml").write_text(json.dumps({"aware_loadbalancer": side, "aware_monitoring": side}))
    return made


def asked(site: Site) -> str:
    """Who answers as queen behind the balancer; "" for nobody."""
    reach = (
        "--resolve",
        f"{COUNCIL}:8443:{site.lab.address(SIDE)}",
        "--cacert",
        str(site.folder / ".aware" / "ca.crt"),
    )
    token = (site.folder / ".aware" / "token").read_text().strip()
    url = ("-H", f"Authorization: Bearer {token}", f"https://{COUNCIL}:8443/v1/queen")
    done = site.lab.enter("curl", "-sf", "--max-time", "5", "--noproxy", "*", *reach, *url, check=False)
    return str(json.loads(done.stdout).get("name", "")) if done.stdout else ""


def measured(site: Site, query: str) -> dict[str, str]:
    """A query's value for each node, as Prometheus has it."""
    words = ("curl", "-sfG", "--max-time", "5", "--data-urlencode", f"query={query}")
    text = site.lab.on(SIDE, *words, "http://127.0.0.1:9090/api/v1/query", check=False).stdout
    found: list[dict[str, Any]] = json.loads(text)["data"]["result"] if text else []
    return {one["metric"]["node"]: one["value"][1] for one in found}


def test_the_balancer_leads_to_the_queen(site: Site) -> None:
    site.play("loadbalancer").succeeded()
    site.play("loadbalancer").changed_nothing()
    eventually(lambda: asked(site) == site.queen() != "", "the balancer leads to the queen")


def test_prometheus_sees_all_nodes(site: Site) -> None:
    site.play("monitoring", "-e", "monitoring_interval=2s").succeeded()
    site.play("monitoring", "-e", "monitoring_interval=2s").changed_nothing()
    eventually(lambda: measured(site, 'up{job="aware"}') == dict.fromkeys(NODES, "1"), "all nodes are up")
    reigning = {node: str(int(node == site.queen())) for node in NODES}
    eventually(lambda: measured(site, "aware_node_queen") == reigning, "Prometheus knows the queen")


def test_both_follow_when_the_queens_host_is_lost(site: Site) -> None:
    lost = site.queen()
    site.lab.kill(lost)
    left = sorted({*NODES} - {lost})
    eventually(lambda: asked(site) in left, "the balancer leads to another queen")
    eventually(lambda: measured(site, 'up{job="aware"}').get(lost) == "0", "Prometheus sees who is lost")
    eventually(lambda: measured(site, "aware_node_queen").get(asked(site)) == "1", "Prometheus knows the new queen")
    site.lab.start(lost)
    eventually(lambda: site.ready() == NODES, "the lost host is back")


def test_a_further_run_of_all_changes_nothing(site: Site) -> None:
    for playbook in ("site", "loadbalancer", "verify"):
        site.play(playbook).changed_nothing()
