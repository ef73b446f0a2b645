"""What continuous integration decides: every suite counts, and a skip is never a pass."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CI = ROOT / ".ci"


def play(tmp_path: Path, *suites: str, **variables: str) -> tuple[int, list[str]]:
    """Exit code and lines of .ci/run-suites for a list of such lines."""
    listed = tmp_path / "suites"
    listed.write_text("# name minutes command\n" + "".join(f"{suite}\n" for suite in suites))
    done = subprocess.run(
        [CI / "run-suites", listed],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not done.stderr
    return done.returncode, done.stdout.splitlines()


def program(path: Path, *lines: str) -> str:
    """A suite's command."""
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


def test_all_pass(tmp_path: Path) -> None:
    well = program(
        tmp_path / "well", "echo '=== 3 passed, 1 skipped in 0.1s ==='", "echo 'SKIPPED [1] x.py:1: no root'"
    )
    code, lines = play(tmp_path, f"one 1 {well}", "two 1 true")
    assert code == 0
    assert lines[-1].startswith("ci: all suites passed in ")
    assert "ci: test SKIPPED [1] x.py:1: no root" in lines, "a skipped test is told again at the end"


def test_what_the_tests_reach_is_told_again_at_the_end(tmp_path: Path) -> None:
    well = program(tmp_path / "well", "echo '3 passed in 0.1s'", "echo 'coverage: 91 % of it'", "echo done")
    code, lines = play(tmp_path, f"one 1 {well}", "two 1 true")
    assert code == 0
    assert lines[-4:-2] == ["3 passed in 0.1s", "coverage: 91 % of it"]


@pytest.mark.parametrize("name", ["check", "hosts", "cloud"])
def test_each_failure_fails_the_whole_and_the_rest_is_played(tmp_path: Path, name: str) -> None:
    code, lines = play(tmp_path, f"{name} 1 false", "last 1 true")
    assert code == 1
    assert lines[-1] == f"ci: failed: {name}"
    assert any(line.startswith("ci: last passed") for line in lines)


def test_a_suite_that_cannot_run_here_is_neither_passed_nor_failed(tmp_path: Path) -> None:
    unable = program(tmp_path / "unable", "echo 'SKIPPED: it needs root, for bridges'", "exit 77")
    code, lines = play(tmp_path, "one 1 true", f"hosts 1 {unable}")
    assert code == 0
    assert "ci: hosts SKIPPED: it needs root, for bridges" in lines
    assert lines[-1].startswith("ci: passed in ")
    assert lines[-1].endswith(" s: one; SKIPPED: hosts")


@pytest.mark.parametrize("closing", ["2 skipped in 0.01s", "===== 2 skipped, 5 deselected in 0.01s ====="])
def test_tests_that_all_skip_are_no_pass(tmp_path: Path, closing: str) -> None:
    idle = program(tmp_path / "idle", "echo '7 passed in 1.0s'", f"echo '{closing}'")
    code, lines = play(tmp_path, f"cloud 1 {idle}")
    assert code == 1
    assert any(line.endswith("in one run of pytest no test passed") for line in lines)


def test_a_suite_that_takes_too_long_is_ended_and_has_failed(tmp_path: Path) -> None:
    """What it left holds its output open, and nobody waits for that."""
    stuck = program(tmp_path / "stuck", "setsid sleep 40 &", "sleep 1000")
    code, lines = play(tmp_path, f"hosts 1 {stuck}", CI_SECONDS="2")
    assert code == 1
    assert any("hosts FAILED after" in line and "it may take 2 s" in line for line in lines)


def test_what_is_not_begun_has_failed(tmp_path: Path) -> None:
    code, lines = play(tmp_path, "cloud 1 true", CI_SECONDS="0")
    assert code == 1
    assert any("cloud FAILED after 0 s: not begun" in line for line in lines)


def test_hosts_and_cloud_are_among_the_suites_that_decide() -> None:
    suites = [line.split() for line in (CI / "suites").read_text().splitlines() if not line.startswith("#")]
    commands = {words[0]: words[2:] for words in suites}
    assert commands["hosts"] == [".ci/hosts"]
    assert commands["cloud"] == [".ci/cloud"]
    assert all(words[1].isdigit() for words in suites)


def test_the_scripts_are_clean() -> None:
    if (shellcheck := shutil.which("shellcheck")) is None:
        pytest.skip("shellcheck is not installed")
    scripts = [path for path in sorted(CI.iterdir()) if path.read_bytes().startswith(b"#!")]
    done = subprocess.run([shellcheck, *scripts], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


RECIPES = sorted(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("arguments", [*([name] for name in RECIPES), ["test", "COVERAGE=1"], ["test-cloud", "REAL=1"]])
def test_the_shell_can_read_every_recipe(arguments: list[str]) -> None:
    # make judges no command before it runs it, and one of a suite may come after ten minutes
    said = subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    read = subprocess.run(["sh", "-n"], input=said.stdout, capture_output=True, text=True, check=False)
    assert said.stdout
    assert (read.returncode, read.stderr) == (0, "")


def test_one_part_that_fails_keeps_no_other_from_being_tried(tmp_path: Path) -> None:
    """The fault of a long run is known in one run, and it is none of the run's good."""
    log, fake = tmp_path / "log", tmp_path / "pytest"
    fake.write_text(f'#!/bin/sh\necho "$*" >> {log}\n[ "$(wc -l < {log})" -ne "$FAILING" ]\n')
    fake.chmod(0o700)
    words = ["make", "--old-file=setup", "test", f"PYTEST={fake}"]
    for failing in (1, 2, 3, 0):
        log.write_text("")
        ran = subprocess.run(
            words, cwd=ROOT, env=os.environ | {"FAILING": str(failing)}, capture_output=True, text=True, check=False
        )
        assert len(log.read_text().splitlines()) == 3
        assert (ran.returncode == 0) is (failing == 0), ran.stdout + ran.stderr
        if failing:
            tried = log.read_text().splitlines()[failing - 1]
            assert f"{fake} {tried}" in ran.stderr.partition("not all tests passed")[2]


def test_what_is_left_out_for_time_is_there() -> None:
    """A test that was renamed would be played again, for minutes, and nobody would know why."""
    script = (CI / "hosts").read_text()
    named = re.findall(r'--deselect="\$install::(\w+)"', script)
    there = re.findall(r"^def (test_\w+)", (ROOT / "tests/hosts/test_install.py").read_text(), re.MULTILINE)
    assert named
    assert set(named) <= set(there)
