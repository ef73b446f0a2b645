"""What the tests of role ``agent`` and of upgrades share: wheels, inventories, a client that never rests."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hosts_support import CHECKOUT, PROGRAM, HostsLab, Play

STATE = "/var/lib/aware"
# Of a release: what others than its owner can write, or what the services' users cannot read.
WRONG = "find /opt/aware ! -type l ! -path '*/__pycache__/*' \\( -perm /022 -o ! -perm -004 -o -type d ! -perm -005 \\)"
UMASKS = {"h1": "0077", "h2": "0027", "h3": "0002"}


def give_umasks(lab: HostsLab) -> None:
    """sudo of a hardened host gives root another umask on each host."""
    for host, umask in UMASKS.items():
        lab.sh(host, f"sed -i 's/umask=[0-9]*/umask={umask}/' /etc/sudoers.d/hardened")


def has_sound_modes(lab: HostsLab, host: str) -> bool:
    """Whether nobody but the owner can write a release, and its user can read it."""
    return lab.sh(host, f"{WRONG} | head -n 5") == ""


def build_wheels(
    folder: Path, version: str, edits: dict[str, tuple[str, str]] | None = None, python: str = "3.13"
) -> Path:
    """The present sources as release ``version``, for Debian 13 (or the Python of another system).

    What ``make wheels`` or an earlier call fetched is not fetched again; else a package index is needed.
    ``edits`` replaces a text in a file of the release by another, to make one that does not work.
    """
    source = folder / f"source-{version}"
    for name in ("aware_agent", "scripts"):
        shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    for name, (old, new) in (edits or {}).items():
        text = (source / name).read_text()
        assert old in text
        (source / name).write_text(text.replace(old, new))
    wheels = folder / f"wheels-{version}"
    fetched = [*sorted(folder.glob("wheels-*")), CHECKOUT / "dist" / "wheels"][0]
    if fetched.exists():
        shutil.copytree(fetched, wheels, ignore=shutil.ignore_patterns(".*"))
    command = [sys.executable, source / "scripts" / "wheels", f"--python={python}"]
    subprocess.run([*command, f"--as-version={version}", f"--directory={wheels}"], check=True, timeout=600)
    return wheels


class Colony:
    """A colony on the first ``size`` hosts of a lab; the others are in group ``aware_green``. Plays over it."""

    def __init__(self, lab: HostsLab, folder: Path, size: int) -> None:
        self.lab = lab
        self.folder = folder
        self.nodes, self.greens = lab.hosts[:size], lab.hosts[size:]
        folder.mkdir(parents=True, exist_ok=True)
        reach = json.loads((lab.directory / "nsenter.yml").read_text())["all"]["vars"]
        groups = {
            name: {"hosts": {host: {"ansible_host": lab.address(host)} for host in hosts}}
            for name, hosts in (("aware_bootstrap", self.nodes), ("aware_green", self.greens))
        }
        self.hosts = folder.with_name(f"{folder.name}-hosts.yml")
        self.hosts.write_text(json.dumps({"all": {"vars": reach, "children": groups}}))
        (folder / "cluster.yml").write_text(
            f"plugin: aware.cluster.spec\nprovider: static\ncolony: lab\nsize: {size}\ncastes:\n  web: {{count: 1}}\n"
        )
        self.context = folder / ".aware" / "context.json"

    def words(self, playbook: str, *words: str) -> list[str]:
        """What follows ``ansible-playbook`` for one of the project's playbooks."""
        return [f"playbooks/{playbook}.yml", "-i", str(self.hosts), "-i", str(self.folder), *words]

    def play(self, playbook: str, wheels: Path, *words: str, timeout_s: float = 2400) -> Play:
        """One of the project's playbooks."""
        path, *rest = self.words(playbook, *words)
        return self.lab.play(path, *rest, timeout_s=timeout_s, AWARE_WHEELS=str(wheels))

    def play_until(self, task: str, times: int, playbook: str, wheels: Path, *words: str) -> str:
        """The same, killed when ``task`` has begun ``times`` times, which it has to; what it had said."""
        log = self.folder.with_name("killed.log")
        more = {"AWARE_LAB_SSH": "0", "AWARE_WHEELS": str(wheels)}
        arguments = self.words(playbook, *words)
        assert self.lab.play_until(arguments, lambda said: said.count(task) >= times, log, 1200, **more), (
            log.read_text()[-6000:]
        )
        return log.read_text()

    def releases(self) -> dict[str, str]:
        """The release each node's link leads to."""
        return {host: self.lab.sh(host, "basename $(readlink /opt/aware/current)") for host in self.nodes}

    def ask(self, path: str) -> Any:
        """A document of the gateway."""
        script = (
            "import json, sys; from ansible_collections.aware.cluster.plugins.module_utils import _client, _context\n"
            "connection = _context.connection_from({'context': sys.argv[1]})\n"
            "print(json.dumps(_client.GatewayClient(connection).get(sys.argv[2])))"
        )
        words = ("env", f"PYTHONPATH={CHECKOUT / 'collections'}", sys.executable, "-c", script, str(self.context), path)
        return json.loads(self.lab.enter(*words).stdout)

    def versions(self) -> dict[str, str]:
        """What each node says it is."""
        return {node["name"]: node["version"] for node in self.ask("/v1/nodes")["nodes"]}

    def seats(self) -> list[str]:
        """Names of the nodes whose etcd votes and answers, as the queen saw them last."""
        members = self.ask("/v1/council/members")["members"]
        return sorted(one["name"] for one in members if one["healthy"] and not one["learner"])

    def queen(self) -> str:
        """Name of the queen."""
        return str(self.ask("/v1/queen")["name"])

    def reigns(self) -> dict[int, set[str]]:
        """Who was queen of which term, as the hosts' journals have it."""
        found: dict[int, set[str]] = {}
        for host in self.lab.hosts:
            journal = self.lab.sh(host, "journalctl -u aware-agent -o cat --no-pager")
            for term in re.findall(r"I am queen of term (\d+)", journal):
                found.setdefault(int(term), set()).add(host)
        return found

    @contextmanager
    def restless_client(self, node: str, seen: dict[str, Any], program: str = "upgrade_client.py") -> Iterator[None]:
        """``program``, beside this file, writes and reads all the time; ``seen`` has what became of it afterwards."""
        script = str(Path(__file__).with_name(program))
        command = [PROGRAM, "enter", "env", f"PYTHONPATH={CHECKOUT / 'collections'}", sys.executable, script]
        client = subprocess.Popen(
            [*command, str(self.context), node],
            env={**os.environ, "AWARE_LAB": self.lab.name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield
        finally:
            seen.update(json.loads(client.communicate(timeout=120)[0]))
