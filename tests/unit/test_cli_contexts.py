"""Contexts with names: saved, used, shown and removed, and what somebody else wrote into their files."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aware_agent.cli.app import app
from aware_agent.cli.context import NAMES, find_context, load_context
from aware_agent.cli.errors import ContextError
from aware_agent.security.pki import ca_pin
from tests.unit.cli_support import Ask, Authority, Colony, FakeGateway, Reply, colony

Aware = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "config" / "aware"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Colony]:
    with colony(tmp_path / "lab") as made:
        yield made


@pytest.fixture
def queen(lab: Colony) -> FakeGateway:
    fake = lab.gateway()
    lab.context(fake.url)
    fake.routes["GET /v1/ca"] = lambda _: Reply(raw=lab.authority.ca_file.read_bytes())
    fake.say("GET /v1/auth/me", {"name": "anna", "role": "viewer", "expires_at": 1.0})

    def token(ask: Ask) -> Reply:
        assert ask.body["password"] == "good-password"
        return Reply({"access_token": "fresh-token", "refresh_token": "again", "role": "admin"})

    fake.routes["POST /v1/auth/token"] = token
    return fake


def aware(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"AWARE_DEBUG": "", "COLUMNS": "300"})


def done(*arguments: str) -> Result:
    result = aware(*arguments)
    assert result.exit_code == 0, result.output
    return result


def refused(*arguments: str, code: int) -> str:
    result = aware(*arguments)
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    return result.stderr


def test_from_a_pin_to_a_command(home: Path, lab: Colony, queen: FakeGateway) -> None:
    """All that a stranger needs: an address and a pin; no file of the colony."""
    pin = ca_pin(lab.authority.ca_file.read_bytes())
    told = done("context", "add", "prod", "--endpoint", queen.url, "--ca-pin", pin)
    assert told.stdout == "saved as prod; log in: aware login --context prod\n"
    password = lab.directory / "password"
    password.write_text("good-password\n")
    done("login", "--context", "prod", "--password-file", str(password), "-u", "anna", "--force")
    done("context", "use", "prod")
    assert "anna" in done("whoami").stdout
    assert queen.asked[-1].headers["Authorization"] == "Bearer fresh-token"
    shown = json.loads(done("context", "show", "--json").stdout)
    assert (shown["name"], shown["colony"], shown["used"], shown["logged_in"]) == ("prod", "demo", True, True)
    assert shown["ca_pins"] == [pin]
    assert shown["endpoints"] == [queen.url]
    assert "fresh-token" not in done("context", "show").stdout
    for path in home.rglob("*"):
        if path.is_file() and path.suffix != ".crt":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_pin_of_somebody_else_saves_nothing(home: Path, lab: Colony, queen: FakeGateway, tmp_path: Path) -> None:
    other = ca_pin(Authority(tmp_path / "other").ca_file.read_bytes())
    told = refused("context", "add", "prod", "--endpoint", queen.url, "--ca-pin", other, code=7)
    assert f"{queen.url} (its CA has another pin)" in told or f"{queen.url}: its CA has another pin" in told
    assert not home.exists()
    assert refused("context", "add", "prod", "--endpoint", queen.url, "--ca-pin", "x", code=2)
    assert not home.exists()


def test_a_file_is_saved_with_the_places_of_its_files(home: Path, lab: Colony, queen: FakeGateway) -> None:
    told = done("context", "add", "lab", str(lab.context_file))
    assert told.stdout == "saved as lab; use it: aware context use lab\n"
    kept = load_context(Path("lab"))
    assert (kept.colony, kept.token()) == ("demo", "good-token")
    lab.context_file.unlink()
    assert done("whoami", "--context", "lab").exit_code == 0
    assert done("whoami", "--context", str(home / "contexts" / "lab.json")).exit_code == 0
    os.environ["AWARE_CONTEXT"] = "lab"
    assert json.loads(done("context", "list", "--json").stdout)["contexts"][0]["used"] is True


def test_a_ca_file_is_copied(home: Path, lab: Colony, queen: FakeGateway) -> None:
    done("context", "add", "prod", "--endpoint", queen.url, "--ca-file", str(lab.authority.ca_file))
    kept = load_context(Path("prod"))
    assert (kept.colony, kept.ca_file) == ("demo", home / "contexts" / "prod.ca.crt")
    bad = lab.directory / "bad"
    bad.write_text("no certificate")
    assert "holds no PEM certificates" in refused(
        "context", "add", "b", "--endpoint", queen.url, "--ca-file", str(bad), code=2
    )
    assert not (home / "contexts" / "b.json").exists()


def write(path: Path, name: str, **changes: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"colony": name, "endpoints": [f"https://{name}:1"], "ca_file": "", "token_file": "token", **changes}
    path.write_text(json.dumps(document))
    return path


def test_use_keeps_the_one_that_was_there(home: Path) -> None:
    write(home / "context.json", "first", ca_file="ca.crt")
    (home / "token").write_text("first-token\n")
    (home / "ca.crt").write_text("pem")
    write(home / "contexts" / "second.json", "second")
    assert done("context", "use", "second").stdout.startswith("the context that was in use is kept as first\n")
    assert find_context() == home / "contexts" / "second.json"
    done("context", "use", "first")
    first = load_context()
    assert (first.colony, first.token()) == ("first", "first-token")
    assert first.ca_file == home / "contexts" / "first.ca.crt"
    assert first.ca_file.read_text() == "pem"
    assert not (home / "token").exists(), "what is made there next is of another colony"


def test_use_overwrites_nothing(home: Path) -> None:
    own = write(home / "context.json", "first")
    write(home / "contexts" / "first.json", "other")
    write(home / "contexts" / "second.json", "second")
    told = refused("context", "use", "second", code=5)
    assert f"aware context add NAME {own}" in told
    assert json.loads(own.read_text())["colony"] == "first"
    assert "already" in refused("context", "add", "first", str(own), code=5)
    done("context", "add", "mine", str(own))
    done("context", "use", "second")
    assert find_context() == home / "contexts" / "second.json"


def test_use_says_when_something_else_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / "contexts" / "prod.json", "prod")
    local = write(Path(".aware/context.json"), "local").resolve()
    assert f"but not here: {local} comes first" in done("context", "use", "prod").stderr
    monkeypatch.setenv("AWARE_ENDPOINTS", "https://x:1")
    assert "AWARE_ENDPOINTS comes first" in done("context", "use", "prod").stderr


def test_a_home_behind_a_link(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / "contexts" / "prod.json", "prod")
    (tmp_path / "link").symlink_to(tmp_path / "config")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "link"))
    told = done("context", "use", "prod")
    assert (told.stdout, told.stderr) == ("prod is used from now on\n", "")
    shown = json.loads(done("context", "list", "--json").stdout)["contexts"]
    assert [(one["name"], one["used"]) for one in shown] == [("prod", True)]
    assert json.loads(done("context", "show", "--json").stdout)["name"] == "prod"


def test_remove_forgets_its_own_files_and_no_others(home: Path, lab: Colony) -> None:
    lab.context("https://127.0.0.1:1")
    done("context", "add", "lab", str(lab.context_file))
    done("context", "add", "made", "--endpoint", "https://h:1", "--ca-file", str(lab.authority.ca_file))
    (home / "contexts" / "made.token").write_text("t\n")
    (home / "contexts" / "made.members.json").write_text("[]")
    done("context", "use", "made")
    assert done("context", "remove", "made").stdout.endswith("none is in use now: aware context use NAME\n")
    done("context", "remove", "lab")
    assert list((home / "contexts").iterdir()) == []
    assert not (home / "context.json").is_symlink()
    assert lab.token_file.exists()
    assert lab.authority.ca_file.exists()


def test_a_damaged_one_is_one_line_and_no_hindrance(home: Path) -> None:
    write(home / "contexts" / "good.json", "good")
    (home / "contexts" / "bad.json").write_bytes(b"\xff{")
    (home / "contexts" / "worse.json").mkdir()
    (home / "contexts" / "-odd.json").write_text("{}")  # no name of a context
    shown = {one["name"]: one for one in json.loads(done("context", "list", "--json").stdout)["contexts"]}
    assert list(shown) == ["bad", "good"]
    assert "is not usable" in shown["bad"]["trouble"]
    assert "is not usable" in done("context", "list").stdout
    for arguments in (("context", "use", "bad"), ("status", "--context", "bad"), ("context", "show", "bad")):
        told = refused(*arguments, code=10)
        assert told.count("\n") == 1
        assert "bad.json is not usable" in told
    done("context", "use", "good")
    (home / "contexts" / "good.json").unlink()
    assert "good.json, is not there any more (aware context list" in refused("status", code=10)


def test_a_mistyped_name(home: Path) -> None:
    write(home / "contexts" / "production.json", "p")
    write(home / "contexts" / "lab.json", "l")
    said = "there is neither a saved context nor a file 'prodution'; did you mean production? (aware context list)"
    assert refused("status", "--context", "prodution", code=10) == f"error: {said}\n"
    assert "did you mean production?" in refused("context", "use", "produktion", code=4)
    with pytest.raises(ContextError, match="No such file"):
        load_context(Path.cwd() / "production")  # a path is a file


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a/b", "a b", "x.members", "n" * 64, "ü"])
def test_names_that_cannot_be(home: Path, name: str) -> None:
    file = write(Path("file.json"), "x")
    assert "cannot be the name of a context" in refused("context", "add", name, str(file), code=2)
    assert not home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--ca-pin", "A" * 43),
        ("file", "--endpoint", "https://h:1"),
        ("--endpoint", "https://h:1", "--ca-file", "x", "--ca-pin", "A" * 43),
        ("--endpoint", "http://h:1"),
        ("--endpoint", "https://user:secret@h:1"),
    ],
)
def test_what_does_not_go_together(home: Path, arguments: tuple[str, ...]) -> None:
    result = aware("context", "add", "n", *arguments)
    assert result.exit_code in (2, 10)
    assert result.stderr.count("\n") == 1
    assert "secret" not in result.stderr
    assert not home.exists()


def test_without_a_home(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", _nobody)
    assert done("context", "list").stdout.startswith("no context is saved")
    assert "set HOME or XDG_CONFIG_HOME" in refused("context", "add", "n", "--endpoint", "https://h:1", code=10)
    assert "no context is saved as 'n'" in refused("context", "use", "n", code=4)


def _nobody() -> Path:
    raise RuntimeError("Could not determine home directory.")
