"""From a spec to a colony on servers that really boot, the queen's server lost, and the way back, by playbooks only.

Guests are emulated and the machine may be busy, so limits are wide and every stage says how long it took. What is
tested is order and outcome: site.yml makes three servers and a colony on them; nodes find it by broadcast, for nobody
tells them where it is; Nova deletes the queen's server; another reigns; site.yml brings the third node back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cloud_support import Cloud, Project
from testcloud.settings import HERE

from tests.patience import eventually

pytestmark = [pytest.mark.cloud, pytest.mark.real, pytest.mark.filterwarnings("default")]
ROOT = HERE.parents[1]
PROGRAMS = Path(sys.executable).parent
WHEELS = Path(os.environ.get("AWARE_WHEELS") or ROOT / "dist" / "wheels")
COLONY = "hive"
SIZE = 3
FROM_HERE = "10.232.0.0/24"  # the cloud's own end of the guests' network
LIMIT_S = 7200  # of one playbook
SSH = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ControlMaster=auto -o ControlPersist=120"


class Site:
    """One inventory directory and what was made of it."""

    def __init__(self, cloud: Cloud, project: Project, directory: Path, began: float) -> None:
        self.cloud, self.project, self.directory, self.began = cloud, project, directory, began
        self.connection = project.connect()
        self.key = directory / "key"
        self.state = directory / ".aware"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        (directory / "group_vars").mkdir()
        self.write("cluster.yml", plugin="aware.cluster.spec", provider="openstack", colony=COLONY, size=SIZE)
        self.write("group_vars/all.yml", **self.variables())

    def write(self, name: str, **document: Any) -> None:
        """A YAML file of the inventory."""
        (self.directory / name).write_text(yaml.safe_dump(document))

    def variables(self) -> dict[str, Any]:
        """As inventories/openstack/group_vars/all.yml, and patience for emulated guests."""
        infrastructure = {
            "image": "guest",
            "flavor": "g.512",
            "networks": ["public"],
            "availability_zones": ["real"],
            "keypair": {"public_key": self.key.with_suffix(".pub").read_text()},
            "security_group": {"ssh_cidrs": [FROM_HERE], "gateway_cidrs": [FROM_HERE]},
        }
        slow = {"timing": {"queen_ttl_s": 10, "presence_ttl_s": 20}, "store": {"startup_timeout_s": 300}}
        return {
            "aware_openstack": {
                **{"cloud": self.project.name, "user": "debian", "infrastructure": infrastructure},
                **{"timeout": 1200, "connect_timeout": 1200},
            },
            # Nobody is told where the colony is: a newcomer has its name and a token, and calls into the network.
            "aware_agent_settings": {"discovery": {"seeds": [], "find_timeout_s": 300}, **slow},
            "aware_agent_start_timeout": 900,
            "aware_agent_watchdog": 300,
            "aware_agent_room": 150,
            "etcd_min_free_mb": 100,
            "etcd_wait": 600,
            "etcd_settings": {"heartbeat-interval": 500, "election-timeout": 5000},
            "colony_wait": 900,
            **self.way(),
        }

    def way(self) -> dict[str, Any]:
        """How Ansible reaches the guests."""
        return {"ansible_ssh_private_key_file": str(self.key), "ansible_ssh_common_args": SSH}

    def tell(self, text: str) -> None:
        """Progress for whoever watches (pytest -s)."""
        print(f"[{time.monotonic() - self.began:6.0f} s] {text}", flush=True)

    def play(self, name: str, **variables: Any) -> str:
        """playbooks/NAME.yml to its end, with a line for each play; returns the recap."""
        argv = [PROGRAMS / "ansible-playbook", f"playbooks/{name}.yml", "-i", self.directory / "cluster.yml"]
        lines = []
        with self.process([*argv, "-e", json.dumps(variables)]) as process:
            assert process.stdout
            for line in process.stdout:
                lines.append(line.rstrip())
                if line.startswith(("PLAY [", "TASK [", "fatal", "failed")):
                    self.tell(line.strip()[:400])
        assert process.returncode == 0, "\n".join(lines[-60:])
        return "\n".join(lines[lines.index(next(line for line in lines if line.startswith("PLAY RECAP"))) :])

    def process(self, argv: list[Any]) -> subprocess.Popen[str]:
        """A program with the environment that it would have at a user's desk."""
        environment = {
            **self.project.environment,
            **{
                "AWARE_WHEELS": str(WHEELS),
                "ANSIBLE_PIPELINING": "1",
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_TIMEOUT": "120",
            },
            **{"ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.directory / "cp"), "PYTHONWARNINGS": "ignore"},
        }
        words = [str(word) for word in argv]
        return subprocess.Popen(
            ["timeout", str(LIMIT_S), *words],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def said(self, *argv: Any) -> str:
        """What a program prints; "" when it fails."""
        with self.process(list(argv)) as process:
            output = process.stdout.read() if process.stdout else ""
        return output if process.returncode == 0 else ""

    def aware(self, *words: str) -> Any:
        """``aware WORDS --json`` with the colony's context; None when nobody answers."""
        said = self.said(PROGRAMS / "aware", *words, f"--context={self.state / 'context.json'}", "--json")
        try:
            return json.loads(said)
        except ValueError:
            return None

    def inventory(self) -> dict[str, Any]:
        """``ansible-inventory --list`` from the queen."""
        return dict(json.loads(self.said(PROGRAMS / "ansible-inventory", "-i", self.state / "aware.yml", "--list")))

    def ready(self) -> list[str]:
        """Names of nodes that are ready."""
        nodes = (self.aware("nodes", "list") or {}).get("nodes", [])
        return sorted(node["name"] for node in nodes if node["status"] == "ready")

    def queen(self) -> str:
        """Name of the queen, "" while nobody reigns or answers."""
        return str((self.aware("queen", "show") or {}).get("name") or "")


@pytest.fixture(scope="module")
def site(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An inventory for a project of its own; the tests below follow one another on it."""
    if not cloud.settings.real:
        pytest.skip("this test cloud has no real guests: REAL=1 make cloud-up")
    if not list(WHEELS.glob("aware_agent-*.whl")):
        pytest.skip(f"no wheels in {WHEELS}: make wheels WHEELS='--python 3.13'")
    with cloud.project() as project:
        yield Site(cloud, project, tmp_path_factory.mktemp("site"), time.monotonic())


def waited(site: Site, done: Callable[[], Any], what: str) -> Any:
    """The first true answer; says how long it took."""
    began = time.monotonic()
    answer = eventually(done, what, 1200)
    site.tell(f"{what}: {time.monotonic() - began:.0f} s")
    return answer


def test_from_spec_to_colony(site: Site) -> None:
    site.play("site")
    names = [f"{COLONY}-{number}" for number in range(1, SIZE + 1)]
    # Starved of processor time, an emulated node may miss a deadline and come back.
    waited(site, lambda: site.ready() == names and site.queen() in names, "three nodes and a queen")
    servers = list(site.connection.compute.servers())
    assert sorted(server.name for server in servers) == names
    assert {server.metadata["aware_etcd"] for server in servers} == {"member"}

    found = site.inventory()
    assert sorted(found["_meta"]["hostvars"]) == names
    assert found["aware_queen"]["hosts"] == [site.queen()]
    way = ("-u", "debian", "-e", json.dumps(site.way()))
    with site.process([PROGRAMS / "ansible", "all", "-i", site.state / "aware.yml", *way, "-m", "ping"]) as process:
        pinged = process.communicate()[0]
    assert pinged.count('"ping": "pong"') == SIZE, pinged
    site.tell("the queen's inventory reaches all by SSH")


def test_newcomers_found_the_colony_by_broadcast(site: Site) -> None:
    """But for the one whose identity the controller laid down, for it to found the colony."""
    origins = {node["name"]: node["origin"] for node in site.aware("nodes", "list")["nodes"]}
    assert sorted(origins.values()) == ["broadcast"] * (SIZE - 1) + ["known"], origins


def test_the_queens_server_is_lost_and_comes_back(site: Site) -> None:
    queen = site.queen()
    (server,) = [one for one in site.connection.compute.servers() if one.name == queen]
    site.tell(f"Nova deletes {queen}, the queen's server")
    site.connection.compute.delete_server(server)
    heir = waited(site, lambda: site.queen() not in ("", queen) and site.queen(), "another queen reigns")
    assert heir != queen
    assert len(site.inventory()["_meta"]["hostvars"]) == SIZE, "the inventory was not the whole one"

    site.play("site")
    names = [f"{COLONY}-{number}" for number in range(1, SIZE + 1)]
    assert waited(site, lambda: site.ready() == names, "three nodes are ready")
    (again,) = [one for one in site.connection.compute.servers() if one.name == queen]
    assert again.id != server.id
    assert again.metadata["aware_etcd"] == "member"
    origins = {node["name"]: node["origin"] for node in site.aware("nodes", "list")["nodes"]}
    assert origins[queen] == "broadcast", origins


def test_a_further_run_changes_nothing(site: Site) -> None:
    recap = site.play("site")
    assert recap.count("changed=0 ") == SIZE + 1, recap
