"""The demo on machines that are not tidy: spaces and quotes in the path, umask 077, no HOME, no UTF-8, and killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.borrowed_venv import borrow
from tests.e2e.test_demo import ROOT, Checkout

pytestmark = pytest.mark.e2e

_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")
_TREES = ("aware_agent", "collections", "inventories", "playbooks", "roles")
SEED = 9


class Rough(Checkout):
    """A checkout at an awkward place, with an environment that has next to nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {"PATH": os.defpath, "LC_ALL": "C", "NO_COLOR": "1"}
        self.aware = str(root / ".venv" / "bin" / "aware")

    def up(self) -> str:
        """``make demo``, but for the setup."""
        return self.must("sh", "-c", 'umask 077; exec "$0" demo up', self.aware)

    def down(self) -> str:
        """``make demo-down``."""
        return self.must(self.aware, "demo", "down")

    def run(self, *argv: str, timeout: float = 580) -> subprocess.CompletedProcess[str]:
        """As others run it, with more patience."""
        return super().run(*argv, timeout=timeout)

    def up_until_killed(self, after_s: float) -> None:
        """``make demo``, killed with all it has started by then except what lives on its own."""
        process = subprocess.Popen(
            [self.aware, "demo", "up"],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            # Parents first: nobody is left to start another.
            for pid in _family(process.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            process.wait()
        time.sleep(0.5)  # what waited for its word from the killed ones ends by itself


def _family(pid: int) -> list[int]:
    """``pid`` and its descendants, parents first."""
    family = [pid]
    for each in family:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            try:
                family += [int(child) for child in children.read_text().split()]
            except OSError:
                continue
    return family


@pytest.fixture
def rough(tmp_path: Path) -> Iterator[Rough]:
    root = tmp_path / "my 'own' place, 100 %"
    for tree in _TREES:
        shutil.copytree(ROOT / tree, root / tree, symlinks=True, ignore=_LEFT_OUT)
    shutil.copy2(ROOT / "ansible.cfg", root)
    (root / "inventories" / "local" / "group_vars").mkdir(exist_ok=True)
    variables = root / "inventories" / "local" / "group_vars" / "all.yml"
    variables.write_text("local_colony_settings: {discovery: {broadcast: false}}\n")
    borrow(root)
    made = Rough(root)
    yield made
    made.run(made.aware, "demo", "down")
    assert made.processes() == []


def test_an_untidy_machine(rough: Rough) -> None:
    """From up to down, and a second up, which has nothing to do and plays nothing."""
    shown = rough.up()
    assert "healthy (5 nodes are ready)" in shown
    assert shown.count('"ping": "pong"') == 5
    again = rough.up()
    assert "nothing to do" in again
    assert "PLAY" not in again
    assert "healthy (5 nodes are ready)" in again
    assert rough.down().endswith("the demo is gone\n")
    assert not (rough.root / ".aware").exists()


@pytest.mark.deep
def test_killed_at_any_moment_it_can_be_taken_down_and_run_again(rough: Rough) -> None:
    chance = random.Random(SEED)
    for _ in range(3):
        rough.up_until_killed(chance.uniform(0.5, 25.0))
        rough.down()
        assert not (rough.root / ".aware").exists()
        assert rough.processes() == []
    rough.up_until_killed(chance.uniform(5.0, 15.0))
    assert "healthy (5 nodes are ready)" in rough.up()


def test_empty_directories_are_nobodys_and_a_file_is_somebodys(rough: Rough) -> None:
    demo = rough.root / ".aware"
    (demo / "nodes" / "demo-1").mkdir(parents=True)
    assert rough.down().endswith("the demo is gone\n")
    (demo / "nodes").mkdir(parents=True)
    (demo / "nodes" / "thesis.txt").write_text("years of work")
    kept = rough.run(rough.aware, "demo", "down")
    assert kept.returncode == 5, kept.stdout
    assert "holds what no demo made (nodes)" in kept.stderr
    refused = rough.run(rough.aware, "demo", "up")
    assert "holds files that are no local colony" in refused.stdout
    assert (demo / "nodes" / "thesis.txt").read_text() == "years of work"
    shutil.rmtree(demo)
