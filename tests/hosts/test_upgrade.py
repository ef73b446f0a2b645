"""Upgrades and ways back under a client that writes and reads throughout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agent_support import Colony, build_wheels
from hosts_support import HostsLab

HOSTS = 3
pytestmark = pytest.mark.hosts


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Four releases: two that follow each other, one that cannot start, one that goes with none before it."""
    folder = tmp_path_factory.mktemp("wheels")
    ill = {"aware_agent/daemon.py": ("    state_dir.prepare()\n", '    raise AwareError("this release is ill")\n')}
    far = {"aware_agent/__init__.py": ('COMPATIBLE_FROM = "0.1.0"', 'COMPATIBLE_FROM = "0.3.0"')}
    return {
        "0.1.0": build_wheels(folder, "0.1.0"),
        "0.1.1": build_wheels(folder, "0.1.1"),
        "0.1.2": build_wheels(folder, "0.1.2", ill),
        "0.3.0": build_wheels(folder, "0.3.0", far),
    }


@pytest.fixture(scope="module")
def colony(lab: HostsLab, wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Colony:
    made = Colony(lab, tmp_path_factory.mktemp("colony"), HOSTS)
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


def test_a_rolling_upgrade_and_the_way_back_are_not_felt(colony: Colony, wheels: dict[str, Path]) -> None:
    seen: dict[str, Any] = {}
    queen = colony.queen()
    with colony.restless_client("h2", seen):
        upgraded = colony.play("upgrade", wheels["0.1.1"]).succeeded()
        assert set(colony.versions().values()) == {"0.1.1"}
    unharmed(colony, seen)
    # The queen was last, after she had handed over.
    assert upgraded.output.index("Upgrade the queen]") < upgraded.output.rindex(f"changed: [{queen}]")
    assert colony.queen() != queen
    colony.play("upgrade", wheels["0.1.1"]).changed_nothing()

    seen = {}
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
    strategy = ("-e", "aware_upgrade_strategy=canary", "-e", "aware_upgrade_soak=5")
    with colony.restless_client("h2", seen):
        stopped = colony.play("upgrade", wheels["0.1.2"], *strategy, "-e", "aware_upgrade_gate_timeout=30")
        assert stopped.code != 0
        assert "the agent does not run: this release is ill" in stopped.output
        assert sorted(colony.releases().values()) == ["0.1.0", "0.1.0", "0.1.2"]
        colony.play("rollback", wheels["0.1.2"]).succeeded()
        assert set(colony.versions().values()) == {"0.1.0"}
    unharmed(colony, seen)
    # The next release is fine: canary, soak, the rest.
    colony.play("upgrade", wheels["0.1.1"], *strategy).succeeded()
    assert set(colony.versions().values()) == {"0.1.1"}


def test_an_incompatible_release_is_refused_before_anything_is_touched(colony: Colony, wheels: dict[str, Path]) -> None:
    before = colony.releases()
    refused = colony.play("upgrade", wheels["0.3.0"])
    assert refused.code != 0
    assert "works with 0.3.0 and newer only" in refused.output
    assert colony.releases() == before


def test_an_interrupted_upgrade_goes_on_where_it_stopped(colony: Colony, wheels: dict[str, Path]) -> None:
    colony.play("rollback", wheels["0.1.1"], "-e", "aware_rollback_version=0.1.0").succeeded()
    queen = colony.queen()
    first = next(host for host in colony.lab.hosts if host != queen)
    colony.play("upgrade", wheels["0.1.1"], "--limit", f"localhost,{first}").succeeded()
    assert sorted(colony.versions().values()) == ["0.1.0", "0.1.0", "0.1.1"]
    went_on = colony.play("upgrade", wheels["0.1.1"]).succeeded()
    assert f"{first}: 0.1.1 -> 0.1.1, done before" in went_on.output
    assert set(colony.versions().values()) == {"0.1.1"}
