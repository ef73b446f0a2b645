"""Founding from the command line, with a real etcd, and what it refuses."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aware_agent.cli.app import app
from aware_agent.cli.founding import etcd_address
from aware_agent.colony.errors import Conflict, InvalidInput
from tests.unit.cli_support import free_port


class Place:
    """A directory like the demo's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.material = root / "material"
        self.port = free_port()
        self.spec = root / "cluster.json"
        self.spec.write_text(json.dumps({"colony": "demo", "size": 1}))
        self.password = root / "admin.password"
        self.token = root / "join.token"

    def make(self, colony: str = "demo", etcd: str = "", founder: Path | None = None) -> Result:
        arguments = ["--colony", colony, "--directory", str(self.material), "--address", "127.0.0.1"]
        arguments += ["--founder-name", "demo-1", "--founder-state", str(founder or self.root / "state")]
        arguments += ["--etcd", etcd or f"https://127.0.0.1:{self.port}"]
        return CliRunner().invoke(app, ["colony", "material", *arguments])

    def found(self) -> Result:
        arguments = ["--material", str(self.material), "--etcd", f"https://127.0.0.1:{self.port}"]
        arguments += ["--spec-file", str(self.spec), "--admin-password-file", str(self.password)]
        return CliRunner().invoke(app, ["colony", "found", *arguments, "--token-file", str(self.token)])

    @contextlib.contextmanager
    def etcd(self) -> Iterator[str]:
        """``aware etcd run`` as a process; gives what it wrote to standard error."""
        peer, log = free_port(), self.root / "etcd.log"
        program = [sys.executable, "-m", "aware_agent.cli", "etcd", "run", "--data-dir", str(self.root / "etcd")]
        program += ["--client-port", str(self.port), "--peer-port", str(peer), "--tls-dir", str(self.material)]
        with log.open("wb") as stream, subprocess.Popen(program, stdout=stream, stderr=stream) as process:
            try:
                yield str(log)
            finally:
                process.kill()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_material_is_made_once(place: Place) -> None:
    first = json.loads(place.make().stdout)
    assert first["changed"] is True
    assert place.material.stat().st_mode & 0o777 == 0o700
    again = json.loads(place.make().stdout)
    assert again == {**first, "changed": False}
    moved = json.loads(place.make(etcd="https://127.0.0.1:9").stdout)
    assert (moved["changed"], moved["ca_pin"]) == (True, first["ca_pin"])


def test_material_of_another_colony_is_left_alone(place: Place) -> None:
    place.make()
    before = (place.material / "ca.crt").read_bytes()
    result = place.make(colony="other")
    assert result.exit_code == 5
    assert result.stderr.startswith("error: ")
    assert (place.material / "ca.crt").read_bytes() == before


@pytest.mark.parametrize("colony", ["Demo", "", "a/b", "x" * 80])
def test_names_that_are_none(place: Place, colony: str) -> None:
    assert place.make(colony=colony).exit_code == 2
    assert not place.material.exists()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:2379", "https://127.0.0.1", "ftp://a:1", "https://a:1/x", "https://a:b"]
)
def test_etcd_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="is not an address"):
        etcd_address(url)


def test_etcd_addresses() -> None:
    assert etcd_address("https://127.0.0.1:2379/") == "127.0.0.1:2379"
    assert etcd_address("[::1]:2379") == "[::1]:2379"


@pytest.mark.etcd
def test_founding(place: Place) -> None:
    place.make()
    with place.etcd():
        first = place.found()
        assert first.exit_code == 0, first.output
        assert json.loads(first.stdout) == {"changed": True, "founded": True}
        token, password = place.token.read_text(), place.password.read_text()
        assert token.startswith("aware1.")
        assert {path.stat().st_mode & 0o777 for path in (place.token, place.password)} == {0o600}
        assert password.strip() not in first.output
        assert json.loads(place.found().stdout) == {"changed": False, "founded": False}

        place.token.unlink()  # only the token is written again
        assert json.loads(place.found().stdout) == {"changed": True, "founded": False}
        assert (place.token.read_text(), place.password.read_text()) == (token, password)

        place.password.unlink()  # a new one would not be the colony's
        lost = place.found()
        assert lost.exit_code == 5
        assert "founded before" in lost.stderr
        assert not place.password.exists()


def test_material_can_be_moved_when_the_founder_lies_in_it(place: Place) -> None:
    inside = place.material / "founder"
    made = json.loads(place.make(founder=inside).stdout)
    elsewhere = place.root / "elsewhere"
    place.material.rename(elsewhere)
    place.material = elsewhere
    assert json.loads(place.make(founder=elsewhere / "founder").stdout) == {**made, "changed": False}
    assert not (place.root / "material").exists()


def test_founding_without_material(place: Place) -> None:
    result = place.found()
    assert (result.exit_code, place.password.exists()) == (2, False)
    assert "holds no founding material" in result.stderr


def test_founding_with_an_impossible_spec(place: Place) -> None:
    place.make()
    place.spec.write_text('{"colony": "demo", "size": 0}')
    assert place.found().exit_code == 2
    assert not place.password.exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--client-port", "2000", "--peer-port", "2000"], "are both 2000"),
        (["--client-port", "2000", "--peer-port", "2001", "--tls-dir", "/none"], "/none/council-ca.crt is missing"),
        (["--client-port", "0", "--peer-port", "2001"], "--client-port"),
    ],
)
def test_etcd_run_refuses(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(app, ["etcd", "run", "--data-dir", str(tmp_path / "data"), *arguments])
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not (tmp_path / "data").exists()


def test_etcd_that_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWARE_ETCD", str(tmp_path / "none"))
    result = CliRunner().invoke(app, ["etcd", "find"])
    assert result.exit_code == 15
    assert result.stderr.count("\n") == 1


def test_a_founding_key_is_made_once_and_never_shown(tmp_path: Path) -> None:
    from aware_agent.security.founding_key import read_founding_key

    path = tmp_path / "founding.key"
    arguments = ["colony", "key", "--colony", "demo", "--to-file", str(path)]
    made = CliRunner().invoke(app, arguments)
    assert made.exit_code == 0
    key = read_founding_key(path, "demo")
    assert key.id in made.stdout
    assert key.text().split(".")[2] not in made.output
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == Conflict.exit_code
    assert "is there already" in again.output
    assert read_founding_key(path, "demo") == key
    wrong = CliRunner().invoke(app, ["colony", "key", "--colony", "No!", "--to-file", str(tmp_path / "other")])
    assert wrong.exit_code == InvalidInput.exit_code
    assert not (tmp_path / "other").exists()
