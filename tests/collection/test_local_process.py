"""local_process and local_ports with real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

MODULES = "ansible_collections.aware.cluster.plugins.modules"
ROOT = Path(__file__).resolve().parents[2]
SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]


def run_module(name: str, options: dict[str, Any], check: bool = False) -> dict[str, Any]:
    """Run the module the way Ansible does on a target: as a process with its arguments on stdin."""
    arguments = {
        "ANSIBLE_MODULE_ARGS": {
            **options,
            "_ansible_check_mode": check,
            "_ansible_remote_tmp": "/tmp",
            "_ansible_keep_remote_files": False,
        }
    }
    code = (
        "import json, sys; from ansible.module_utils.testing import patch_module_args; import importlib;"
        f"module = importlib.import_module('{MODULES}.{name}')\n"
        "with patch_module_args(json.load(sys.stdin)['ANSIBLE_MODULE_ARGS']): module.main()"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        input=json.dumps(arguments),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """Run local_process on one pid file, and leave nothing running."""
    seen: set[int] = set()

    def run(*, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {
            "pidfile": str(tmp_path / "x.pid"),
            "logfile": str(tmp_path / "x.log"),
            "settle": 0.3,
            "timeout": 1.0,
            **options,
        }
        result = run_module("local_process", given, check)
        seen.update([result["pid"]] if result.get("pid") else [])
        return result

    yield run
    run(state="absent")
    assert not [pid for pid in seen if runs(pid)]


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_start_is_idempotent_and_detached(process: Any, tmp_path: Path) -> None:
    assert process(argv=SLEEP, check=True)["changed"] is True
    assert not (tmp_path / "x.pid").exists()
    first = process(argv=SLEEP)
    assert first["changed"] is True
    assert runs(first["pid"])
    assert int((tmp_path / "x.pid").read_text()) == first["pid"]
    assert os.getsid(first["pid"]) == first["pid"]
    again = process(argv=SLEEP)
    assert (again["changed"], again["pid"]) == (False, first["pid"])
    assert (tmp_path / "x.log").read_text() == "up\n"
    assert (tmp_path / "x.log").stat().st_mode & 0o777 == 0o600


def test_restarts_when_what_it_reads_changes(process: Any, tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    settings.write_text("a")
    first = process(argv=SLEEP, watch_files=[str(settings)])
    assert process(argv=SLEEP, watch_files=[str(settings)])["changed"] is False
    settings.write_text("b")
    second = process(argv=SLEEP, watch_files=[str(settings)])
    assert second["changed"] is True
    assert second["pid"] != first["pid"]
    assert not runs(first["pid"])
    assert process(argv=SLEEP, env={"A": "1"}, watch_files=[str(settings)])["changed"] is True


def test_stop(process: Any, tmp_path: Path) -> None:
    pid = process(argv=SLEEP)["pid"]
    assert process(state="stopped", check=True)["changed"] is True
    assert runs(pid)
    stopped = process(state="stopped")
    assert (stopped["changed"], stopped["killed"]) == (True, False)
    assert not runs(pid)
    assert process(state="stopped")["changed"] is False
    assert process(state="absent")["changed"] is True
    assert list(tmp_path.iterdir()) == []


def test_kills_what_does_not_listen(process: Any) -> None:
    pid = process(argv=STUBBORN)["pid"]
    assert process(state="stopped")["killed"] is True
    assert not runs(pid)


def test_started_again_after_a_crash(process: Any) -> None:
    pid = process(argv=SLEEP)["pid"]
    os.kill(pid, signal.SIGKILL)
    for _ in range(100):
        if not runs(pid):
            break
        time.sleep(0.02)
    again = process(argv=SLEEP)
    assert again["changed"] is True
    assert again["pid"] != pid


def test_somebody_elses_process_is_left_alone(process: Any, tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEP, stdout=subprocess.DEVNULL)
    try:
        (tmp_path / "x.pid").write_text(f"{stranger.pid}\n")
        refused = process(argv=SLEEP)
        assert refused["failed"] is True
        assert "left alone" in refused["msg"]
        # The number was given to somebody else after ours ended: known by its start time.
        record = {
            "pid": stranger.pid,
            "start_time": 1,
            "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        }
        (tmp_path / "x.pid.json").write_text(json.dumps(record))
        assert process(state="stopped")["changed"] is True
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize(
    "argv",
    [
        [sys.executable, "-c", "import sys; print('one', flush=True); sys.exit('port 1 is in use')"],
        ["/nonexistent/program"],
    ],
)
def test_what_ends_at_once_says_why(process: Any, argv: list[str], tmp_path: Path) -> None:
    failed = process(argv=argv, settle=5)
    assert failed["failed"] is True
    assert "port 1 is in use" in failed["msg"] or "cannot run /nonexistent/program" in failed["msg"]
    assert not (tmp_path / "x.pid").exists()


def test_environment_is_small(process: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWARE_TOKEN", "secret")
    code = "import os, time; print(sorted(os.environ), flush=True); time.sleep(600)"
    process(argv=[sys.executable, "-c", code], env={"MINE": "1"})
    text = (tmp_path / "x.log").read_text()
    assert "'MINE'" in text
    assert "AWARE_TOKEN" not in text


def test_ports_are_chosen_once(tmp_path: Path) -> None:
    options = {"path": str(tmp_path / "ports.json"), "tcp": ["a", "b"], "udp": ["c"]}
    assert run_module("local_ports", options, check=True)["changed"] is True
    assert not (tmp_path / "ports.json").exists()
    first = run_module("local_ports", options)
    assert len(set(first["ports"].values())) == 3
    assert all(20000 <= port < 32000 for port in first["ports"].values())
    assert run_module("local_ports", options)["changed"] is False
    more = run_module("local_ports", {**options, "tcp": ["a", "b", "d"]})
    assert {name: more["ports"][name] for name in "abc"} == first["ports"]


def test_ports_in_use_are_not_chosen(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        failed = run_module(
            "local_ports", {"path": str(tmp_path / "ports.json"), "tcp": ["a"], "low": port, "high": port}
        )
    assert failed["failed"] is True
    assert "no free port" in failed["msg"]
    (tmp_path / "ports.json").write_text("[")
    assert run_module("local_ports", {"path": str(tmp_path / "ports.json"), "tcp": ["a"]})["failed"] is True
