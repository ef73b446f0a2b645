"""Files of the roles for operations: documented, valid for who reads them, and no secrets or strangers in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.aware.cluster.plugins.filter.networks import networks

from .conftest import ROOT

ROLES = ROOT / "collections" / "ansible_collections" / "aware" / "cluster" / "roles"
DEPLOY = ROOT / "deploy" / "monitoring"
DASHBOARDS = sorted((ROLES / "monitoring" / "files" / "dashboards").glob("*.json"))
PANELS = {"stat", "timeseries", "table", "state-timeline"}


@pytest.mark.parametrize("role", ["firewall", "loadbalancer", "monitoring"])
def test_readme_of_a_role_names_all_its_options(role: str) -> None:
    folder = ROLES / role
    specs: dict[str, Any] = yaml.safe_load((folder / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    options = set(specs["main"]["options"])
    readme = (folder / "README.md").read_text()
    assert [name for name in options if f"`{name}`" not in readme] == []
    assert set(yaml.safe_load((folder / "defaults" / "main.yml").read_text())) <= options


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_whole(path: Path) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == path.stem
    assert board["schemaVersion"] >= 36
    assert {variable["name"] for variable in board["templating"]["list"]} == {"datasource", "colony"}
    places = set()
    for panel in board["panels"]:
        assert panel["type"] in PANELS
        assert panel["title"]
        assert panel["description"]
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert 'colony="$colony"' in target["expr"]
        cells = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not places & cells, f"{panel['title']} lies over another panel"
        places |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    links = {link["url"].rpartition("/")[2] for link in board["links"]}
    assert links <= {other.stem for other in DASHBOARDS}


def test_examples_of_log_shipping_read_both_units() -> None:
    documents = {
        str(path.relative_to(DEPLOY)): path.read_text()
        for path in sorted(DEPLOY.rglob("*"))
        if path.suffix in (".yml", ".yaml", ".json", ".service")
    }
    assert len(documents) == 7
    for name, text in documents.items():
        if name.endswith((".yml", ".yaml", ".json")):
            assert isinstance(yaml.safe_load(text), dict), name
    for name in ("filebeat.yml", "fluent-bit.yaml", "vector.yaml", "datadog/journald.d/conf.yaml"):
        assert "aware-agent.service" in documents[name]
        assert "aware-etcd.service" in documents[name]
    readme = (DEPLOY / "README.md").read_text()
    assert [name for name in documents if name.split("/")[0] not in readme] == []


def test_networks_are_checked_merged_and_sorted() -> None:
    mixed = ["192.0.2.128/25", "2001:db8::/64", "192.0.2.0/25", "192.0.2.7", "10.0.0.1"]
    assert networks(mixed) == ["10.0.0.1/32", "192.0.2.0/24", "2001:db8::/64"]
    assert networks(mixed, version=6) == ["2001:db8::/64"]
    assert networks(mixed, containing=["192.0.2.200", "2001:db9::1"]) == ["192.0.2.0/24"]
    assert networks([]) == []


@pytest.mark.parametrize("wrong", ["h1.example", "192.0.2.1/24", "", 7.5, "192.0.2.0/33"])
def test_what_is_no_network_is_named(wrong: object) -> None:
    with pytest.raises(AnsibleFilterError, match=r"members: .* is no IP address or network"):
        networks(["192.0.2.1", wrong], what="members")
    with pytest.raises(AnsibleFilterError, match="members: this is no list"):
        networks("192.0.2.1", what="members")
