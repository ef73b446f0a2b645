"""Only our own agent is ever killed, and the demo tells what runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aware_agent.cli import demo as demo_commands
from aware_agent.cli.app import app
from aware_agent.cli.checkout import find_checkout
from aware_agent.cli.processes import agent_pid, child_pid, command_line, is_agent, kill_agent, read_pid
from aware_agent.colony.errors import Conflict, NotFound
from tests.unit.cli_support import Ask, Reply, colony, queen_document

Start = Callable[..., "subprocess.Popen[bytes]"]
_SLEEPER = "import sys, time\nprint('up', flush=True)\ntime.sleep(60)\n"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a process that looks like an agent; ends those that are left."""
    running: list[subprocess.Popen[bytes]] = []

    def make(*arguments: str, program: str = "aware-agent", cwd: Path | None = None) -> subprocess.Popen[bytes]:
        script = tmp_path / program
        script.write_text(_SLEEPER)
        process = subprocess.Popen([sys.executable, str(script), *arguments], stdout=subprocess.PIPE, cwd=cwd)
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        return process

    yield make
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def directory_of(tmp_path: Path, name: str, pid: int | str) -> Path:
    directory = tmp_path / ".aware" / "nodes" / name
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "agent.pid").write_text(f"{pid}\n")
    return directory


def test_our_agent_is_killed(tmp_path: Path, start: Start) -> None:
    directory = tmp_path / ".aware" / "nodes" / "demo-1"
    process = start("run", "--config", str(directory / "agent.toml"))
    directory_of(tmp_path, "demo-1", process.pid)
    assert agent_pid(directory) == process.pid
    assert kill_agent(directory) == process.pid
    assert process.wait(timeout=10) == -9
    assert agent_pid(directory) is None
    with pytest.raises(NotFound, match="is gone"):
        kill_agent(directory)


def test_a_relative_settings_file_is_recognised(tmp_path: Path, start: Start) -> None:
    directory = directory_of(tmp_path, "demo-1", 0)
    process = start("run", "--config", "demo-1/agent.toml", cwd=directory.parent)
    assert is_agent(command_line(process.pid), directory / "agent.toml")


@pytest.mark.parametrize(
    ("program", "config"), [("other", "demo-1/agent.toml"), ("aware-agent", "demo-2/agent.toml"), ("aware-agent", "x")]
)
def test_a_process_that_is_not_this_agent_is_left_alone(
    tmp_path: Path, start: Start, program: str, config: str
) -> None:
    process = start("run", "--config", str(tmp_path / ".aware" / "nodes" / config), program=program)
    directory = directory_of(tmp_path, "demo-1", process.pid)
    assert agent_pid(directory) is None
    with pytest.raises(Conflict, match="left alone"):
        kill_agent(directory)
    assert process.poll() is None


@pytest.mark.parametrize("text", ["", "x", "0", "1", "-1", "-9", "1e3"])
def test_pid_files_that_name_no_process(tmp_path: Path, text: str) -> None:
    directory = directory_of(tmp_path, "demo-1", text)
    assert read_pid(directory / "agent.pid") is None
    with pytest.raises(NotFound, match="names no process"):
        kill_agent(directory)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for mark in ("playbooks/site.yml", "inventories/local/cluster.yml"):
        (tmp_path / mark).parent.mkdir(parents=True)
        (tmp_path / mark).write_text("colony: demo\nsize: 1\n")
    monkeypatch.chdir(tmp_path / "playbooks")
    return tmp_path


def test_a_broken_or_missing_wish_is_one_line_and_the_demo_can_be_looked_at_all_the_same(checkout: Path) -> None:
    wish = checkout / "inventories" / "local" / "cluster.yml"
    for text, said in (("", "is not a mapping"), ("size: [", "is not YAML"), (None, "cannot read spec")):
        wish.unlink()
        if text is not None:
            wish.write_text(text)
        up = CliRunner().invoke(app, ["demo", "up"])
        assert up.exit_code != 0
        assert said in up.output
        for command in ("status", "down"):
            looked = CliRunner().invoke(app, ["demo", command])
            assert (looked.exit_code, "no demo here" in looked.stdout) == (0, True)
        wish.touch()


def test_demo_status(checkout: Path, start: Start) -> None:
    assert "no demo here" in CliRunner().invoke(app, ["demo", "status"]).stdout
    config = checkout / ".aware" / "nodes" / "demo-1" / "agent.toml"
    process = start("run", "--config", str(config))
    directory_of(checkout, "demo-1", process.pid)
    directory_of(checkout, "demo-2", 1 << 22)
    rows = json.loads(CliRunner().invoke(app, ["demo", "status", "--json"]).stdout)["processes"]
    assert [(row["name"], row["pid"]) for row in rows] == [("demo-1", process.pid), ("demo-2", None)]
    assert "stopped" in CliRunner().invoke(app, ["demo", "status"]).stdout


def test_the_etcd_of_an_agent_is_its_child(checkout: Path, start: Start) -> None:
    """What the agent of a seat runs is shown beside it; a program of that name that is nobody's child is not."""
    script = checkout / "etcd"
    script.symlink_to(shutil.which("sleep") or "")
    etcd = subprocess.Popen([str(script), "60"])
    try:
        for _ in range(200):  # a process that begins has no command line for a moment
            if child_pid(os.getpid(), "etcd") is not None:
                break
            time.sleep(0.01)
        assert child_pid(os.getpid(), "etcd") == etcd.pid
        assert child_pid(os.getpid(), "other") is None
        config = checkout / ".aware" / "nodes" / "demo-1" / "agent.toml"
        process = start("run", "--config", str(config))
        seat = directory_of(checkout, "demo-1", process.pid) / "state" / "etcd"
        seat.mkdir(parents=True)
        (seat / "etcd.json").write_text("{}")
        rows = json.loads(CliRunner().invoke(app, ["demo", "status", "--json"]).stdout)["processes"]
        assert [(row["program"], row["pid"]) for row in rows] == [("agent", process.pid), ("etcd", None)]
    finally:
        etcd.kill()
        etcd.wait()


def test_down_without_a_demo_does_nothing(checkout: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "down"])
    assert (result.exit_code, result.stdout) == (0, "no demo here; nothing to do\n")


def test_up_needs_ansible_and_says_so(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(checkout / "python"))
    result = CliRunner().invoke(app, ["demo", "up"])
    assert result.exit_code == 10
    assert "ansible-playbook is missing (run make setup)" in result.stderr


def test_kill_queen_waits_for_a_later_term(checkout: Path, start: Start) -> None:
    with colony(checkout / ".aware") as demo:
        old, new = demo.gateway(), demo.gateway()
        demo.context(old.url, new.url)
        process = start("run", "--config", str(checkout / ".aware" / "nodes" / "demo-1" / "agent.toml"))
        directory_of(checkout, "demo-1", process.pid)

        def answer(_: Ask) -> Reply:
            killed = process.poll() is not None
            return Reply(queen_document(new.url, "demo-2", 9) if killed else queen_document(old.url))

        old.routes["GET /v1/queen"] = new.routes["GET /v1/queen"] = answer
        result = CliRunner().invoke(app, ["demo", "kill-queen", "--json"])
        assert result.exit_code == 0, result.output
        told: dict[str, Any] = json.loads(result.stdout)
    assert (told["killed"], told["pid"], told["queen"], told["term"]) == ("demo-1", process.pid, "demo-2", 9)
    assert process.wait(timeout=10) == -9


@pytest.mark.parametrize("name", ["../../../etc", "demo-9", ".."])
def test_kill_queen_that_runs_elsewhere_kills_nothing(checkout: Path, start: Start, name: str) -> None:
    """The queen has no directory here; a node that does is left alone."""
    with colony(checkout / ".aware") as demo:
        fake = demo.gateway()
        demo.context(fake.url)
        process = start("run", "--config", str(checkout / ".aware" / "nodes" / "demo-1" / "agent.toml"))
        directory_of(checkout, "demo-1", process.pid)
        fake.say("GET /v1/queen", queen_document(fake.url, name))
        result = CliRunner().invoke(app, ["demo", "kill-queen"])
    assert (result.exit_code, result.stdout) == (4, "")
    assert process.poll() is None


def test_kill_queen_spares_a_process_that_is_not_her(checkout: Path, start: Start) -> None:
    """Her pid was given to somebody else meanwhile."""
    with colony(checkout / ".aware") as demo:
        fake = demo.gateway()
        demo.context(fake.url)
        process = start("run", program="somebody-else")
        directory_of(checkout, "demo-1", process.pid)
        fake.say("GET /v1/queen", queen_document(fake.url, "demo-1"))
        result = CliRunner().invoke(app, ["demo", "kill-queen"])
    assert result.exit_code == 5, result.output
    assert "left alone" in result.stderr
    assert process.poll() is None


def test_the_way_to_call_it_can_be_typed(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From an environment elsewhere, whose path may have a space."""
    for place, typed in ((checkout / ".venv", ".venv/bin/aware"), (Path("/my venv"), "'/my venv/bin/aware'")):
        monkeypatch.setattr("sys.executable", str(place / "bin" / "python"))
        assert demo_commands._aware(find_checkout()) == typed
