"""A colony on real hosts as a user makes it: a directory with cluster.yml, and the playbooks of the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from hosts_support import CHECKOUT, HostsLab, Play

BIN = Path(sys.executable).parent
PLAY_LIMIT_S = 1800  # a loaded machine is many times slower than an idle one


def wheels() -> Path:
    """``$AWARE_WHEELS``, else those of the present sources; made once, which needs a package index."""
    if given := os.environ.get("AWARE_WHEELS"):
        return Path(given)
    directory = CHECKOUT / "dist" / "wheels"
    command = [sys.executable, "scripts/wheels", "--python", "3.13", "--directory", str(directory)]
    subprocess.run(command, cwd=CHECKOUT, check=True, timeout=900)
    return directory


class Site:
    """The user's side: an inventory directory with the spec and its hosts, and what comes to lie beside it."""

    def __init__(self, lab: HostsLab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.context = folder / ".aware" / "context.json"
        # By SSH as an ordinary user with sudo, as users do; only how that reaches the hosts is the lab's.
        kept = json.loads((lab.directory / "ssh.yml").read_text())
        hosts: dict[str, dict[str, Any]] = kept["all"]["children"]["aware_bootstrap"]["hosts"]
        ports = {name: value for each in hosts.values() for name, value in each.items() if name == "ansible_port"}
        self.reach: dict[str, Any] = {**kept["all"]["vars"], **ports}

    def write(self, *hosts: str, **more: Any) -> None:
        """The wish: these hosts, in this order."""
        spec = {
            "plugin": "aware.cluster.spec",
            "provider": "static",
            "colony": "lab",
            "hosts": {host: {"ansible_host": self.lab.address(host), **self.reach} for host in hosts},
            "castes": {"web": {"count": 1}},
            **more,
        }
        # JSON is YAML; one key a line, as the plugin looks for its own name in a line.
        lines = (f"{key}: {json.dumps(value)}\n" for key, value in spec.items())
        (self.folder / "cluster.yml").write_text("".join(lines))

    def words(self, playbook: str, *more: str) -> list[str]:
        """What follows ``ansible-playbook``."""
        return [f"playbooks/{playbook}.yml", "-i", str(self.folder), *more]

    def play(self, playbook: str = "site", *more: str) -> Play:
        """Run it to its end."""
        path, *rest = self.words(playbook, *more)
        return self.lab.play(path, *rest, timeout_s=PLAY_LIMIT_S, AWARE_WHEELS=str(wheels()))

    def play_until_killed(self, tasks: int, log: Path, words: str = "") -> bool:
        """Run it until ``tasks`` tasks with ``words`` in their names have begun, then SIGKILL all of it.

        False when it came to its end before.
        """
        begun = re.compile(rf"^TASK \[.*{re.escape(words)}", re.MULTILINE)
        return self.lab.play_until(
            self.words("site"),
            lambda said: len(begun.findall(said)) >= tasks,
            log,
            PLAY_LIMIT_S,
            AWARE_WHEELS=str(wheels()),
        )

    def aware(self, *words: str) -> Any:
        """The answer of ``aware ... --json``."""
        done = self.lab.enter(str(BIN / "aware"), *words, f"--context={self.context}", "--json", timeout_s=120)
        return json.loads(done.stdout)

    def ready(self) -> list[str]:
        """Names of the nodes that are ready, as far as a queen answers."""
        command = (str(BIN / "aware"), "nodes", "list", f"--context={self.context}", "--json")
        done = self.lab.enter(*command, check=False, timeout_s=120)
        nodes = json.loads(done.stdout)["nodes"] if done.returncode == 0 else []
        return sorted(node["name"] for node in nodes if node["status"] == "ready")

    def queen(self) -> str:
        """Who reigns; "" when nobody answers."""
        command = (str(BIN / "aware"), "queen", "show", f"--context={self.context}", "--json")
        done = self.lab.enter(*command, check=False, timeout_s=120)
        return str(json.loads(done.stdout).get("name", "")) if done.returncode == 0 else ""

    def inventory(self, *words: str) -> Any:
        """An Ansible command over the inventory that follows the queen."""
        reach = json.dumps(self.reach)
        return self.lab.enter(
            str(BIN / words[0]), "-i", str(self.folder / ".aware" / "aware.yml"), *words[1:], "-e", reach, timeout_s=300
        )

    def seats(self) -> list[str]:
        """Names of the nodes whose etcd votes and answers, as the queen saw them last."""
        command = (str(BIN / "aware"), "council", "list", f"--context={self.context}", "--json")
        done = self.lab.enter(*command, check=False, timeout_s=120)
        members = json.loads(done.stdout)["members"] if done.returncode == 0 else []
        return sorted(one["name"] for one in members if one["healthy"] and not one["learner"])
