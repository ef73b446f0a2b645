"""From a spec to a colony on servers that really boot, the queen's server lost, and the way back, by playbooks only.

What is tested is order and outcome: site.yml makes three servers and a colony on them; nodes find it by broadcast, for
nobody tells them where it is; Nova deletes the queen's server; another reigns; site.yml brings the third node back.
"""

from __future__ import annotations

import json

import pytest
from real_site import PROGRAMS, SIZE, Site

pytestmark = [pytest.mark.cloud, pytest.mark.real, pytest.mark.filterwarnings("default")]


def test_from_spec_to_colony(site: Site) -> None:
    site.form()
    servers = list(site.connection.compute.servers())
    assert sorted(server.name for server in servers) == site.names
    assert site.waited(lambda: site.seats() == site.names, "three seats are taken")

    found = site.inventory()
    assert sorted(found["_meta"]["hostvars"]) == site.names
    assert found["aware_queen"]["hosts"] == [site.queen()]
    way = ("-u", "debian", "-e", json.dumps(site.way()))
    with site.process([PROGRAMS / "ansible", "all", "-i", site.state / "aware.yml", *way, "-m", "ping"]) as process:
        pinged = process.communicate()[0]
    assert pinged.count('"ping": "pong"') == SIZE, pinged
    site.tell("the queen's inventory reaches all by SSH")


def test_the_queens_server_is_lost_and_comes_back(site: Site) -> None:
    queen = site.queen()
    (server,) = [one for one in site.connection.compute.servers() if one.name == queen]
    site.tell(f"Nova deletes {queen}, the queen's server")
    site.connection.compute.delete_server(server)
    heir = site.waited(lambda: site.queen() not in ("", queen) and site.queen(), "another queen reigns")
    assert heir != queen
    assert len(site.inventory()["_meta"]["hostvars"]) == SIZE, "the inventory was not the whole one"

    site.play("site")
    assert site.waited(lambda: site.ready() == site.names, "three nodes are ready")
    (again,) = [one for one in site.connection.compute.servers() if one.name == queen]
    assert again.id != server.id
    assert site.waited(lambda: site.seats() == site.names, "the seat is taken again")
    origins = {node["name"]: node["origin"] for node in site.aware("nodes", "list")["nodes"]}
    assert origins[queen] == "broadcast", origins


def test_a_further_run_changes_nothing(site: Site) -> None:
    recap = site.play("site")
    assert recap.count("changed=0 ") == SIZE + 1, recap
