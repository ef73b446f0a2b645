"""The test cloud's own care: it touches nothing of others, and nothing of it stays. Needs no cloud, only root."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from testcloud import namespaces
from testcloud.settings import HERE, MARK, CloudError, claim, directory, load

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces with all that is in them needs root")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for a cloud, with a path short enough for sockets; whatever runs for it is ended."""
    path = Path("/var/tmp", f"aware-cloud-test-{os.getpid()}")
    monkeypatch.setenv("AWARE_CLOUD_DIR", str(path))
    for name in ("REAL", "FAKE"):
        monkeypatch.delenv(name, raising=False)
    yield path
    namespaces.end(path)
    shutil.rmtree(path, ignore_errors=True)


def control(*words: str) -> subprocess.CompletedProcess[str]:
    """tests/cloud/cloud WORDS."""
    return subprocess.run([HERE / "cloud", *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("path", ["/", "/tmp", "relative/path", "/var/tmp/with blank", "/var/tmp/" + "x" * 60])
def test_directories_that_cannot_be_one(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("AWARE_CLOUD_DIR", path)
    with pytest.raises(CloudError, match="AWARE_CLOUD_DIR"):
        directory()


@pytest.mark.parametrize(
    ("variables", "real", "fake"),
    [({}, False, 6), ({"REAL": "1"}, True, 0), ({"REAL": "1", "FAKE": "2"}, True, 2), ({"FAKE": "3"}, False, 3)],
)
def test_what_is_asked_for(
    place: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], real: bool, fake: int
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    made = claim(place)
    assert (made.real, made.fake) == (real, fake)
    for name in variables:
        monkeypatch.delenv(name)
    assert claim(place) == made == load(place)
    assert (place / MARK).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("variables", [{"FAKE": "many"}, {"FAKE": "101"}, {"REAL": "yes"}, {"FAKE": "0"}])
def test_what_cannot_be_had(place: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CloudError, match=r"FAKE|REAL"):
        claim(place)


@root_only
def test_a_directory_of_somebody_else_is_left_alone(place: Path) -> None:
    place.mkdir()
    (place / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(CloudError, match="no test cloud of ours"):
        claim(place)
    ended = control("down")
    assert (ended.returncode, "nothing was removed" in ended.stderr) == (1, True)
    assert [entry.name for entry in place.iterdir()] == ["thesis.txt"]


@root_only
@pytest.mark.netns
def test_namespaces_come_once_and_go_with_all_in_them(place: Path) -> None:
    settings = claim(place)
    links = Path("/proc/net/dev").read_text().count(":")
    pid = namespaces.start(settings)
    assert namespaces.start(settings) == pid
    entering = namespaces.entering(pid, only_network=False)
    script = "sleep 1000 </dev/null >/dev/null 2>&1 & ip netns add inner && ip -brief address show dev api0 && hostname"
    said = subprocess.run(
        [*entering, "sh", "-c", script], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    assert settings.ip in said
    assert said.splitlines()[-1] == settings.hostname
    assert Path("/proc/net/dev").read_text().count(":") == links
    assert not Path("/run/netns/inner").exists()
    (sleeper,) = [one for one in others() if one not in namespaces.processes(place)]
    assert control("down").returncode == 0
    assert not Path(f"/proc/{sleeper}").exists()
    assert not place.exists()
    assert control("down").stdout.startswith("no test cloud in")


@root_only
@pytest.mark.netns
def test_a_cloud_in_use_is_not_taken_away(place: Path) -> None:
    holder = namespaces.start(claim(place))
    entering = namespaces.entering(holder, only_network=True)
    with subprocess.Popen([*entering, "cat"], stdin=subprocess.PIPE) as visitor:
        while visitor.pid not in namespaces.visitors(place):
            assert visitor.poll() is None
        refused = control("down")
        assert (refused.returncode, str(visitor.pid) in refused.stderr) == (1, True)
        assert namespaces.find(place) == holder
        assert control("down", "--force").returncode == 0
        assert visitor.poll() is None
        assert visitor.stdin
        visitor.stdin.close()
        assert visitor.wait(10) == 0
    assert not place.exists()


def others() -> list[int]:
    """Processes in pid namespaces other than ours whose parent, seen from here, is a holder."""
    own = os.readlink("/proc/self/ns/pid")
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if os.readlink(entry / "ns/pid") != own and words[:2] == [b"sleep", b"1000"]:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@root_only
@pytest.mark.netns
def test_a_holder_that_never_got_ready_is_replaced(place: Path) -> None:
    settings = claim(place)
    stuck = subprocess.Popen([namespaces.PYTHON, "-c", "input()", namespaces.NAME, str(place)], stdin=subprocess.PIPE)
    with stuck:
        # Its command line shows a moment after it was started.
        while stuck.pid not in namespaces.processes(place):
            assert stuck.poll() is None
        assert namespaces.find(place) is None
        pid = namespaces.start(settings)
        assert stuck.wait(10) == -signal.SIGKILL
    assert namespaces.find(place) == pid
