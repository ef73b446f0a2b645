"""An inventory directory for a colony on servers that really boot, and what a user would do with it.

Guests are emulated and the machine may be busy, so limits are wide and every stage says how long it took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from cloud_support import Cloud, Project
from testcloud.settings import HERE

from tests.patience import eventually

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
        self.names = [f"{COLONY}-{number}" for number in range(1, SIZE + 1)]
        self.formed = False
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
        listed = self.said(PROGRAMS / "ansible-inventory", "-i", self.state / "aware.yml", "--list")
        # What nodes say of themselves is marked as text that is no template.
        return dict(json.loads(listed, object_hook=lambda found: found.get("__ansible_unsafe", found)))

    def ready(self) -> list[str]:
        """Names of nodes that are ready."""
        nodes = (self.aware("nodes", "list") or {}).get("nodes", [])
        return sorted(node["name"] for node in nodes if node["status"] == "ready")

    def seats(self) -> list[str]:
        """Names of the nodes whose etcd votes and answers."""
        members = (self.aware("council", "list") or {}).get("members", [])
        return sorted(one["name"] for one in members if one["healthy"] and not one["learner"])

    def queen(self) -> str:
        """Name of the queen, "" while nobody reigns or answers."""
        return str((self.aware("queen", "show") or {}).get("name") or "")

    def form(self) -> None:
        """site.yml and a colony of all nodes, once."""
        if self.formed:
            return
        self.play("site")
        # Starved of processor time, an emulated node may miss a deadline and come back.
        self.waited(lambda: self.ready() == self.names and self.queen() in self.names, "three nodes and a queen")
        self.formed = True

    def waited(self, done: Callable[[], Any], what: str) -> Any:
        """The first true answer; says how long it took."""
        began = time.monotonic()
        answer = eventually(done, what, 1200)
        self.tell(f"{what}: {time.monotonic() - began:.0f} s")
        return answer
