"""Upgrades and ways back under a client that writes and reads throughout. One colony goes through all of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from agent_support import Colony, build_wheels
from hosts_support import HostsLab

from tests.patience import comes_to

HOSTS = 6
NODES = 3  # the others take over in the end
CANARY = ("-e", "aware_upgrade_strategy=canary", "-e", "aware_upgrade_soak=5")
pytestmark = pytest.mark.hosts


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Releases: three that follow each other, one that cannot start, one that goes with none before it."""
    folder = tmp_path_factory.mktemp("wheels")
    ill = {"aware_agent/daemon.py": ("    state_dir.prepare()\n", '    raise AwareError("this release is ill")\n')}
    far = {"aware_agent/__init__.py": ('COMPATIBLE_FROM = "0.1.0"', 'COMPATIBLE_FROM = "0.3.0"')}
    return {
        "0.1.0": build_wheels(folder, "0.1.0"),
        "0.1.1": build_wheels(folder, "0.1.1"),
        "0.1.2": build_wheels(folder, "0.1.2", ill),
        "0.2.0": build_wheels(folder, "0.2.0"),
        "0.3.0": build_wheels(folder, "0.3.0", far),
    }


@pytest.fixture(scope="module")
def colony(lab: HostsLab, wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Colony:
    made = Colony(lab, tmp_path_factory.mktemp("colony"), NODES)
    made.play("install", wheels["0.1.0"]).succeeded()
    assert set(made.versions().values()) == {"0.1.0"}
    return made


def unharmed(colony: Colony, seen: dict[str, Any]) -> None:
    """Nothing failed, nothing was lost, and no term had two queens."""
    assert seen["failed"] == []
    assert seen["lost"] == []
    assert seen["writes"] > 10
    assert all(len(names) == 1 for names in seen["queens"].values()), seen["queens"]
    assert all(len(names) == 1 for names in colony.reigns().values()), colony.reigns()


def test_an_incompatible_release_is_refused_before_anything_is_touched(colony: Colony, wheels: dict[str, Path]) -> None:
    refused = colony.play("upgrade", wheels["0.3.0"])
    assert refused.code != 0
    assert "works with 0.3.0 and newer only" in refused.output
    assert set(colony.releases().values()) == {"0.1.0"}


def test_a_rolling_upgrade_that_is_killed_goes_on_where_it_stopped_and_is_not_felt(
    colony: Colony, wheels: dict[str, Path]
) -> None:
    seen: dict[str, Any] = {}
    queen = colony.queen()
    with colony.restless_client("h2", seen):
        # At its second node, between the switch of the link and the start of what it leads to.
        colony.play_until("Start the agent anew", 2, "upgrade", wheels["0.1.1"])
        assert sorted(colony.releases().values()) == ["0.1.0", "0.1.1", "0.1.1"]
        went_on = colony.play("upgrade", wheels["0.1.1"]).succeeded()
        assert set(colony.versions().values()) == {"0.1.1"}
    unharmed(colony, seen)
    done = re.findall(r"(h\d): 0\.1\.1 -> 0\.1\.1, done before", went_on.output)
    assert len(done) == 1
    # The queen was last, after she had handed over.
    assert went_on.output.index("Upgrade the queen]") < went_on.output.rindex(f"changed: [{queen}]")
    assert colony.queen() != queen


def test_the_way_back_is_not_felt_and_ends_at_the_oldest_release(colony: Colony, wheels: dict[str, Path]) -> None:
    seen: dict[str, Any] = {}
    with colony.restless_client("h2", seen):
        colony.play("rollback", wheels["0.1.1"]).succeeded()
        assert set(colony.versions().values()) == {"0.1.0"}
    unharmed(colony, seen)
    again = colony.play("rollback", wheels["0.1.1"])
    assert again.code != 0
    assert "has no older one to go back to" in again.output


def test_a_canary_that_fails_its_gate_is_the_only_one_touched_and_goes_back(
    colony: Colony, wheels: dict[str, Path]
) -> None:
    seen: dict[str, Any] = {}
    with colony.restless_client("h2", seen):
        stopped = colony.play("upgrade", wheels["0.1.2"], *CANARY)
        assert stopped.code != 0
        assert "the agent does not run: this release is ill" in stopped.output
        assert sorted(colony.releases().values()) == ["0.1.0", "0.1.0", "0.1.2"]
        colony.play("rollback", wheels["0.1.2"]).succeeded()
        assert set(colony.versions().values()) == {"0.1.0"}
    unharmed(colony, seen)


def test_after_a_canary_that_lived_through_its_soak_the_rest_follows(colony: Colony, wheels: dict[str, Path]) -> None:
    upgraded = colony.play("upgrade", wheels["0.1.1"], *CANARY).succeeded()
    assert "Refuse one that did not live through it]" in upgraded.output
    assert set(colony.versions().values()) == {"0.1.1"}
    colony.play("upgrade", wheels["0.1.1"], *CANARY).changed_nothing()


def test_green_hosts_take_over_work_reign_and_seats(colony: Colony, wheels: dict[str, Path]) -> None:
    strategy = ("-e", "aware_upgrade_strategy=blue_green")
    refused = colony.play("upgrade", wheels["0.3.0"], *strategy)
    assert refused.code != 0
    assert "works with 0.3.0 and newer only" in refused.output
    assert set(colony.versions()) == set(colony.nodes)

    colony.play("upgrade", wheels["0.2.0"], *strategy).succeeded()
    assert colony.versions() == dict.fromkeys(colony.greens, "0.2.0")
    assert colony.queen() in colony.greens
    comes_to(colony.seats, colony.greens)
    assert all(len(names) == 1 for names in colony.reigns().values()), colony.reigns()
    for host in colony.nodes:
        units = colony.lab.sh(host, "systemctl is-active aware-agent aware-etcd", check=False)
        assert units.split() == ["inactive", "inactive"]
    colony.play("upgrade", wheels["0.2.0"], *strategy).changed_nothing()


def test_as_long_as_they_exist_the_blue_hosts_can_take_over_again(colony: Colony, wheels: dict[str, Path]) -> None:
    """The colony has removed their nodes while they were stopped, and denies their keys: they come as new nodes."""
    before = colony.ask("/v1/denied-keys")["keys"]
    assert {key["name"] for key in before} == set(colony.nodes)
    inventory = json.loads(colony.hosts.read_text())
    groups = inventory["all"]["children"]
    blue, green = groups["aware_bootstrap"], groups["aware_green"]
    inventory["all"]["children"] = {"aware_bootstrap": green, "aware_green": blue}
    colony.hosts.write_text(json.dumps(inventory))
    colony.play("upgrade", wheels["0.2.0"], "-e", "aware_upgrade_strategy=blue_green").succeeded()
    assert colony.versions() == dict.fromkeys(colony.nodes, "0.2.0")
    assert colony.queen() in colony.nodes
    comes_to(colony.seats, colony.nodes)
    assert all(len(names) == 1 for names in colony.reigns().values()), colony.reigns()
