"""The playbooks, a real cloud and a real colony: fake servers for Nova, agents on loopback under the same names."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("openstack")

from provisioning import MARKS, Project, project

from bench.lab import ROOT, Lab

pytestmark = MARKS
PROGRAM = Path(sys.executable).parent / "ansible-playbook"


class Books:
    """ansible-playbook with an inventory as inventories/openstack is one; fake servers answer no SSH."""

    def __init__(self, here: Project, directory: Path, colony: str, size: int) -> None:
        self.here, self.directory = here, directory
        here.colony = colony
        parts = {"image": "tiny", "flavor": "m1.tiny", "networks": ["public"]}
        aware_openstack = {"cloud": "mine", "connect": False, "infrastructure": parts}
        spec = {"plugin": "aware.cluster.spec", "provider": "openstack", "colony": colony, "size": size}
        (directory / "group_vars").mkdir()
        (directory / "group_vars" / "all.yml").write_text(yaml.safe_dump({"aware_openstack": aware_openstack}))
        (directory / "cluster.yml").write_text(yaml.safe_dump({**spec, "castes": {"web": {"count": 1}}}))
        self.clouds = directory / "clouds.yaml"
        self.clouds.write_text(yaml.safe_dump({"clouds": {"mine": here.cloud}}))

    def play(self, name: str, *words: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        """Run playbooks/NAME.yml to its end."""
        argv = [str(PROGRAM), f"playbooks/{name}.yml", "-i", str(self.directory / "cluster.yml"), *words]
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("OS_")},
            "OS_CLIENT_CONFIG_FILE": str(self.clouds),
            "ANSIBLE_NOCOLOR": "1",
        }
        argv += ["-e", json.dumps(variables)]
        return subprocess.run(argv, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)

    def good(self, name: str, *words: str, **variables: Any) -> str:
        """Its output; it has to succeed."""
        done = self.play(name, *words, **variables)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
        return done.stdout

    def picture(self) -> tuple[Any, ...]:
        """All that could have changed in the project."""
        servers = sorted(
            (one["id"], one["name"], one["status"], sorted(one["metadata"].items())) for one in self.here.servers()
        )
        rules = sorted(rule["id"] for group in self.here.groups() for rule in group["security_group_rules"])
        tags = [tag for group in self.here.groups() for tag in group["tags"]]
        return servers, rules, tags, [one["id"] for one in self.here.server_groups()]


@pytest.fixture
def here() -> Iterator[Project]:
    """A project of the test's own."""
    with project() as made:
        yield made
        made.good(state="absent")
        made.empty()


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    """Three agents, lab-1 to lab-3."""
    async with Lab(3) as made:
        await made.form()
        yield made


async def names(lab: Lab) -> list[str]:
    """Nodes the colony knows."""
    return sorted(node["name"] for node in (await lab.ask("GET", "/v1/nodes")).json()["nodes"])


async def cordons(lab: Lab) -> dict[str, bool]:
    """Which nodes get no new work."""
    return {node["name"]: node["cordoned"] for node in (await lab.ask("GET", "/v1/nodes")).json()["nodes"]}


def test_provision_twice_and_destroy(here: Project, tmp_path: Path) -> None:
    books = Books(here, tmp_path, "bee", 3)
    planned = books.good("provision", "--check", "--diff")
    assert "create server bee-1: caste web" in planned
    assert "failed=0" in books.good("site", "--check"), "without servers the plan is all there is to show"
    assert not here.servers()
    assert not here.groups()
    books.good("provision")
    here.check(3)
    before = books.picture()
    assert " changed=0 " in books.good("provision")
    assert books.picture() == before

    refused = books.play("destroy", aware_destroy="be")
    assert "Nothing was deleted" in refused.stdout
    books.good("destroy", "--check", aware_destroy="bee")
    assert books.picture() == before
    books.good("destroy", aware_destroy="bee")
    here.empty()


def test_scaling_without_a_gateway_has_to_be_allowed(here: Project, tmp_path: Path) -> None:
    books = Books(here, tmp_path, "bee", 1)
    assert "Without it nobody knows who is queen" in books.play("scale", aware_size=2).stdout
    assert "Say how many nodes" in books.play("scale", aware_size="many", aware_without_gateway=True).stdout
    assert not here.servers()
    books.good("scale", aware_size=2, aware_without_gateway=True)
    here.check(2)


async def test_check_mode_then_for_real(here: Project, lab: Lab, tmp_path: Path) -> None:
    """Each says what it would do, and neither cloud nor colony is another afterwards; then it does it."""
    books = Books(here, tmp_path, "lab", 3)
    context = str(lab.write_context(tmp_path))
    queen = (await lab.queen())["name"]
    await asyncio.to_thread(books.good, "provision")
    here.check(3)
    before, cordoned = books.picture(), await cordons(lab)

    said = await asyncio.to_thread(
        books.good, "replace", "--check", "--diff", aware_replace=[queen], aware_context=context
    )
    assert f"delete server {queen}: named for replacement" in said
    assert f"create server {queen}" in said
    said = await asyncio.to_thread(
        books.good, "scale", "--check", "--diff", aware_size=2, aware_remove=queen, aware_context=context
    )
    assert f"delete server {queen}: named for removal" in said
    assert books.picture() == before
    assert (await lab.queen())["name"] == queen
    assert await cordons(lab) == cordoned

    old = here.server_id(queen)
    await asyncio.to_thread(books.good, "replace", aware_replace=[queen], aware_context=context)
    here.check(3)
    assert here.server_id(queen) != old
    reigns = (await lab.queen())["name"]
    assert reigns != queen, "the queen's server went while she reigned"
    assert queen not in await names(lab), "the colony waits for a node whose server is gone"

    # Whoever goes, it is not the queen.
    await asyncio.to_thread(books.good, "scale", aware_size=2, aware_context=context)
    here.check(2)
    assert reigns in here.names()
    assert (await lab.queen())["name"] == reigns
