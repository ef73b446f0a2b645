"""One table of precedence for the command line, the inventory plugin and the modules; docs/settings.md shows it.

Each line is run through the resolver of each of the three as its users reach it, with only the environment and the
files of the line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader

from aware_agent.cli.context import load_context
from aware_agent.cli.errors import ContextError as CliError
from aware_agent.cli.members import load_members as cli_members
from aware_agent.program import failure_of

Said = Mapping[str, Any]
VARIABLES = ("AWARE_CONTEXT", "AWARE_ENDPOINTS", "AWARE_TOKEN", "AWARE_TOKEN_FILE", "AWARE_CA_PATH", "XDG_CONFIG_HOME")


class Place:
    """A home, a working directory below a project, and contexts that name themselves in everything they say."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / "project" / "deep"
        self.work.mkdir(parents=True)
        (root / "home").mkdir()
        for name, folder in {
            "home": root / "home" / ".config" / "aware",
            "xdg": root / "xdg" / "aware",
            "above": root / "project" / ".aware",
            "named": root / "named",
            "env": root / "env",
            "relative": self.work / "relative",
        }.items():
            folder.mkdir(parents=True)
            context = {"colony": name, "endpoints": [f"https://{name}:1"], "ca_file": "ca.crt", "token_file": "token"}
            (folder / "context.json").write_text(json.dumps(context))
            (folder / "token").write_text(f"token-of-{name}\n")
            members = json.dumps([f"https://member-of-{name}:1"])
            (folder / "context.members.json").write_text(members)
        # One that was saved under a name: its own folder here, so that it names itself too.
        saved = root / "home" / ".config" / "aware" / "contexts"
        saved.mkdir()
        (saved / "ca.crt").write_text("")
        (saved / "token").write_text("token-of-kept\n")
        context = {"colony": "kept", "endpoints": ["https://kept:1"], "ca_file": "ca.crt", "token_file": "token"}
        (saved / "kept.json").write_text(json.dumps(context))
        (saved / "kept.members.json").write_text(json.dumps(["https://member-of-kept:1"]))
        (self.work / "token-file").write_text("token-of-file\n")

    def hide(self, *names: str) -> None:
        """Remove contexts of the usual places."""
        for name in names:
            folder = {"home": "home/.config/aware", "above": "project/.aware", "xdg": "xdg/aware"}[name]
            (self.root / folder / "context.json").unlink()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(made.work)
    return made


def command_line(options: Said) -> dict[str, Any]:
    link = load_context(Path(options["context"]) if "context" in options else None, os.environ)
    return {
        "endpoints": link.endpoints,
        "token": link.token(),
        "ca": str(link.ca_file) if link.ca_file else None,
        "members": tuple(cli_members(link.members_file)),
    }


def plugin(options: Said) -> dict[str, Any]:
    path = Path("test.aware.yml")
    path.write_text(json.dumps({"plugin": "aware.cluster.gateway", **options}))
    made = inventory_loader.get("aware.cluster.gateway")
    made.loader = DataLoader()
    made.templar = type("Plain", (), {"template": staticmethod(lambda value: value)})
    config = made._read_config_data(str(path.absolute()))
    return _told(made._connection(config, str(path.absolute().parent)))


def module(options: Said) -> dict[str, Any]:
    from ansible_collections.aware.cluster.plugins.module_utils._context import connection_from
    from ansible_collections.aware.cluster.plugins.module_utils._gateway import argument_spec

    given = {name: options.get(name, rule.get("default")) for name, rule in argument_spec().items()}
    assert not any("fallback" in rule for rule in argument_spec().values()), "the resolver alone reads the environment"
    return _told(connection_from(given))


def _told(link: Any) -> dict[str, Any]:
    return {"endpoints": link.endpoints, "token": link.token, "ca": link.ca_path, "members": link.members}


WAYS: dict[str, Callable[[Said], dict[str, Any]]] = {"cli": command_line, "plugin": plugin, "module": module}
# What options say, what the environment says ({} is the place's root), contexts that are not there -> whose is used.
CONTEXTS: list[tuple[Said, Said, tuple[str, ...], str]] = [
    ({}, {}, (), "above"),
    ({}, {}, ("above",), "home"),
    ({}, {"XDG_CONFIG_HOME": "{}/xdg"}, ("above",), "xdg"),
    ({}, {"XDG_CONFIG_HOME": "{}/xdg"}, (), "above"),
    ({}, {"XDG_CONFIG_HOME": "relative"}, ("above",), "home"),  # as its specification wants
    ({}, {"XDG_CONFIG_HOME": ""}, ("above",), "home"),
    ({}, {"AWARE_CONTEXT": "{}/env/context.json"}, (), "env"),
    ({}, {"AWARE_CONTEXT": "relative/context.json"}, (), "relative"),
    ({}, {"AWARE_CONTEXT": "~/.config/aware/context.json"}, (), "home"),
    ({}, {"AWARE_CONTEXT": ""}, (), "above"),
    ({}, {"AWARE_CONTEXT": "kept"}, (), "kept"),  # the name of a saved one
    ({}, {"AWARE_CONTEXT": "kept", "XDG_CONFIG_HOME": ""}, (), "kept"),
    ({"context": "kept"}, {"AWARE_CONTEXT": "{}/env/context.json"}, (), "kept"),
    ({"context": "../../named/context.json"}, {"AWARE_CONTEXT": "kept"}, (), "named"),
    ({"context": "../../named/context.json"}, {"AWARE_CONTEXT": "{}/env/context.json"}, (), "named"),
    ({"context": "../../named/context.json"}, {"XDG_CONFIG_HOME": "{}/xdg"}, (), "named"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("options", "environment", "hidden", "wanted"), CONTEXTS)
def test_whose_context(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    options: Said,
    environment: Said,
    hidden: tuple[str, ...],
    wanted: str,
) -> None:
    place.hide(*hidden)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(place.root))
    told = WAYS[way](options)
    assert told["endpoints"] == (f"https://{wanted}:1",)
    assert told["token"] == f"token-of-{wanted}"
    assert told["ca"].endswith("/ca.crt")
    assert Path(told["ca"]).parent.joinpath("token").read_text() == f"token-of-{wanted}\n"
    assert told["members"] == (f"https://member-of-{wanted}:1",)


@pytest.mark.parametrize("way", WAYS)
def test_a_context_in_use_is_followed_to_its_file(place: Place, way: str) -> None:
    """Members are remembered beside the file of their colony, not beside the link that changes."""
    place.hide("above", "home")
    own = place.root / "home" / ".config" / "aware"
    (own / "context.json").symlink_to("contexts/kept.json")
    told = WAYS[way]({})
    assert told["endpoints"] == ("https://kept:1",)
    assert told["members"] == ("https://member-of-kept:1",)


E = "https://other:2"
# One thing said beside a context: where it is said, and what it becomes.
PARTS: list[tuple[Said, Said, str, Any]] = [
    ({}, {"AWARE_ENDPOINTS": f"{E}, https://third:3"}, "endpoints", (E, "https://third:3")),
    ({}, {"AWARE_TOKEN": "from-env"}, "token", "from-env"),
    ({}, {"AWARE_TOKEN_FILE": "token-file"}, "token", "token-of-file"),
    ({}, {"AWARE_TOKEN_FILE": "token-file", "AWARE_TOKEN": "from-env"}, "token", "from-env"),
    ({}, {"AWARE_CA_PATH": "ca-of-env"}, "ca", "{}/project/deep/ca-of-env"),
    ({"endpoints": [E]}, {"AWARE_ENDPOINTS": "https://env:1"}, "endpoints", (E,)),
    ({"token": "mine"}, {"AWARE_TOKEN": "from-env"}, "token", "mine"),
    ({"token_file": "token-file"}, {"AWARE_TOKEN": "from-env"}, "token", "token-of-file"),
    ({"ca_path": "mine"}, {"AWARE_CA_PATH": "ca-of-env"}, "ca", "{}/project/deep/mine"),
]


# The command line has no options for parts.
@pytest.mark.parametrize(
    ("way", "options", "environment", "part", "wanted"),
    [(way, *line) for way in WAYS for line in PARTS if way != "cli" or not line[0]],
)
def test_parts_over_the_context(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    options: Said,
    environment: Said,
    part: str,
    wanted: Any,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    told = WAYS[way]({"context": "../../named/context.json", **options})
    assert told[part] == (wanted.format(place.root) if isinstance(wanted, str) else wanted)


@pytest.mark.parametrize("way", WAYS)
def test_endpoints_alone_borrow_nothing_that_lies_about(
    place: Place, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("AWARE_ENDPOINTS", E)
    monkeypatch.setenv("AWARE_TOKEN", "from-env")
    told = WAYS[way]({})
    assert told == {"endpoints": (E,), "token": "from-env", "ca": None, "members": ()}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_said_and_no_home(place: Place, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    place.hide("above", "home")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda _: {}["nobody"])
    errors = (CliError,) if way == "cli" else (Exception,)
    with pytest.raises(errors, match=r"no context file found|no gateway is known"):
        WAYS[way]({})
    assert not (place.work / "~").exists()


@pytest.mark.parametrize("way", ["cli", "module"])
def test_a_working_directory_that_was_removed(place: Place, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    gone = place.root / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(Exception, match=r"working directory|No such file") as caught:
        WAYS[way]({})
    assert "the working directory is not there any more" in failure_of(caught.value).message
    monkeypatch.chdir(place.root)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("content", ["", "[", "[1]", '"x"', "[" * 100_000, '{"endpoints": 1}', "\0"])
def test_damaged_contexts_are_named(place: Place, way: str, content: str) -> None:
    bad = place.root / "named" / "context.json"
    bad.write_text(content)
    with pytest.raises(Exception, match="context") as caught:
        WAYS[way]({"context": "../../named/context.json"})
    assert type(caught.value).__name__ == "ContextError"
    assert str(bad) in str(caught.value)
    assert "\n" not in str(caught.value)
