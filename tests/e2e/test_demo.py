"""``make demo`` as a user runs it: up, again without a change, another queen, a bigger wish, down without a trace."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


class Checkout:
    """A copy of the checkout, so that a demo the developer runs is left alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "NO_COLOR": "1"}

    def run(self, *argv: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a program in the checkout."""
        return subprocess.run(
            argv, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def must(self, *argv: str) -> str:
        """Run and insist on success; what it printed."""
        done = self.run(*argv)
        assert done.returncode == 0, (
            f"{argv} ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
        )
        return done.stdout

    def inventory(self) -> dict[str, object]:
        """Hosts and caste groups as Ansible sees them."""
        document = json.loads(self.must("ansible-inventory", "-i", "inventories/aware.yml", "--list"))
        castes = {name: document.get(name, {}).get("hosts", []) for name in ("web", "store", "spare")}
        return {"hosts": sorted(document["_meta"]["hostvars"]), **castes}

    def processes(self) -> list[str]:
        """Command lines of processes that belong to this checkout's demo."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if str(self.root / ".aware") in line:
                    found.append(line)
        return found


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """The tracked and new files of the working tree, copied."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    root = tmp_path / "aware"
    for name in listed:
        source = ROOT / name
        if source.is_symlink() or source.is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, root / name, follow_symlinks=False)
    made = Checkout(root)
    yield made
    made.run("aware", "demo", "down")
    assert made.processes() == []


def changes(output: str) -> list[int]:
    """The ``changed=`` figures of a play recap."""
    return [int(number) for number in re.findall(r"changed=(\d+)", output)]


def test_the_demo_from_up_to_down(checkout: Checkout) -> None:
    """The whole story in one go: its parts build on each other."""
    shown = checkout.must("aware", "demo", "up")
    assert "healthy (5 nodes are ready)" in shown
    assert shown.count('"ping": "pong"') == 5
    assert re.search(r"dashboard: https://127\.0\.0\.1:\d+/", shown)

    again = checkout.must("ansible-playbook", "playbooks/site.yml", "-i", "inventories/local")
    assert set(changes(again)) == {0}

    before = checkout.inventory()
    assert before["hosts"] == [f"demo-{number}" for number in range(1, 6)]
    queen = json.loads(checkout.must("aware", "queen", "show", "--json"))
    killed = checkout.must("aware", "demo", "kill-queen")
    assert queen["name"] in killed
    successor = json.loads(checkout.must("aware", "queen", "show", "--json"))
    assert successor["name"] != queen["name"]
    assert successor["term"] > queen["term"]
    assert checkout.inventory()["hosts"] == before["hosts"]

    spec = checkout.root / "inventories" / "local" / "cluster.yml"
    spec.write_text(spec.read_text().replace("size: 5", "size: 6"))
    checkout.must("ansible-playbook", "playbooks/site.yml", "-i", "inventories/local")
    assert len(checkout.inventory()["hosts"]) == 6  # type: ignore[arg-type]
    assert json.loads(checkout.must("aware", "status", "--json"))["status"] == "healthy"

    checkout.must("aware", "demo", "down")
    assert not (checkout.root / ".aware").exists()
    assert checkout.processes() == []


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [("size: 5", "size: 2", "2"), ("size: 5", "sise: 5", "sise"), ("count: 2", "count: -2", "count")],
)
def test_an_impossible_wish_makes_nothing(checkout: Checkout, before: str, after: str, word: str) -> None:
    """A spec nobody could fulfil: Ansible says what is wrong and no file or process appears."""
    spec = checkout.root / "inventories" / "local" / "cluster.yml"
    spec.write_text(spec.read_text().replace(before, after, 1))
    done = checkout.run("ansible-playbook", "playbooks/site.yml", "-i", "inventories/local")
    assert done.returncode != 0
    assert word in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (checkout.root / ".aware").exists()


def test_a_dead_gateway_never_gives_an_empty_inventory(checkout: Checkout) -> None:
    """No gateway and nothing remembered: the run fails."""
    done = checkout.run("ansible-inventory", "-i", "inventories/aware.yml", "--list")
    assert done.returncode != 0
    assert "context.json" in done.stderr
    assert "Traceback" not in done.stderr
