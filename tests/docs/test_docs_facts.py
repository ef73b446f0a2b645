"""Facts that stand on a page and in the code: ports, settings, exit codes, addresses of the API, names of all kinds."""

from __future__ import annotations

import pkgutil
import re
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from typing import Any

import msgspec
import pytest
import yaml
from pages_support import ROOT, code, everywhere, pages, sources, tracked

import aware_agent
from aware_agent.agent.settings import Settings
from aware_agent.cli.app import EXITS
from aware_agent.colony import syslog
from aware_agent.colony.errors import AwareError
from aware_agent.colony.spec import parse_spec
from aware_agent.program import FILE_TROUBLE, INTERRUPTED

SETTINGS = Settings(colony="demo", state_dir="/var/lib/aware-agent")
# gateway, beacons, etcd's clients and members, and what the pages tell of other programs
PORTS = {SETTINGS.gateway.port, SETTINGS.discovery.port, 2379, 2380, syslog.PORT}
PORTS |= {22, 443, 2222, 3128, 4318, 9090, 9200}


def test_ports_on_pages_and_in_examples_are_the_ports_in_use() -> None:
    """Of addresses for documentation (RFC 5737) and of <node>, wherever in the repository they stand outside tests."""
    pattern = re.compile(r"(?:192\.0\.2\.\d+|198\.51\.100\.\d+|203\.0\.113\.\d+|<node>|<host>|\.example):(\d{2,5})\b")
    found = []
    for name in sorted(tracked()):
        path = ROOT / name
        if "tests/" in name or path.is_symlink() or path.suffix in (".png", ".gz"):
            continue
        found += [(name, int(port)) for port in pattern.findall(path.read_text(encoding="utf-8", errors="replace"))]
    assert len(found) >= 20
    assert [use for use in found if use[1] not in PORTS] == []


def _example() -> dict[str, Any]:
    (piece,) = [piece for piece in code("docs/settings.md") if piece.language == "toml"]
    return tomllib.loads(piece.text)


def _fields(kind: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from _fields(field.type, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field.default


def _flat(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict) and name != "labels":
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def test_the_example_of_settings_can_be_used_and_shows_the_defaults() -> None:
    assert msgspec.convert(_example(), Settings, strict=False)
    documented, defaults = dict(_flat(_example())), dict(_fields(Settings))
    said = {"colony", "state_dir", "name", "address", "token_file", "labels"}  # what has no default, or no useful one
    for name, value in documented.items():
        if name not in said:
            default = defaults[name]
            assert value == (list(default) if isinstance(default, tuple) else default), name


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    missing = [name for name, _ in _fields(Settings) if not re.search(rf"\b{name.rsplit('.', 1)[-1]}\b", text)]
    assert missing == []


def _errors(kind: type[AwareError] = AwareError) -> Iterator[type[AwareError]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _errors(inner)


def test_exit_codes_on_the_page_are_those_of_the_errors() -> None:
    """Every error a program can end with has a line; every line has an error, or a reason to be there."""
    for module in pkgutil.walk_packages(aware_agent.__path__, "aware_agent."):
        if not module.name.endswith("__main__"):
            __import__(module.name)
    page = (ROOT / "docs" / "settings.md").read_text()
    documented = {int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    documented |= {int(number) for number in re.findall(r"\b(\d+) [a-z]", EXITS)}
    used = {error.exit_code for error in _errors() if error.__module__.startswith("aware_agent.")}
    used |= {FILE_TROUBLE, INTERRUPTED}  # of the boundary, not of an error
    within = {1, 6}  # what never ends a process: a base class, a reign that ended
    assert used - within - documented == set()
    assert documented - used - {0, 2} == set()


# Names of others (Ansible, OpenSSL), and a reader's own.
FOREIGN = {"cache_timeout", "refresh_interval", "refresh_inventory", "ec_paramgen_curve", "vault_join_token"}
NAME = re.compile(r"(?<![\w/.{$-])([a-z][a-z0-9]*(?:_[a-z0-9]+)+)(?![\w.(/*-])")


@pytest.mark.parametrize("page", pages())
def test_names_on_pages_occur_in_the_sources(page: str) -> None:
    """Variables, options, metrics, groups, settings, environment: what nothing knows is a claim that is not true."""
    known = sources()
    wrong = []
    for piece in code(page):
        if piece.language not in ("inline", "yaml", "toml", "sh", "console", "shell"):
            continue
        # Of a histogram, Prometheus asks for the parts.
        names = [re.sub("_bucket$", "", name) for name in NAME.findall(piece.text)] + re.findall(
            r"\bAWARE_[A-Z_]+\b", piece.text
        )
        wrong += [
            f"{piece.place} {name}" for name in names if name not in FOREIGN and not re.search(rf"{name}\b", known)
        ]
    assert sorted(set(wrong)) == []


def test_spec_examples_are_specs() -> None:
    seen = 0
    for piece in everywhere():
        if piece.language != "yaml" or "aware.cluster.spec" not in piece.text:
            continue
        document = yaml.safe_load(piece.text)
        spec = {name: document[name] for name in ("colony", "castes", "policies") if name in document}
        spec["size"] = document.get("size", len(document.get("hosts", {})))
        parse_spec(msgspec.json.encode(spec))
        seen += 1
    assert seen >= 3


def test_editors_are_told_the_line_length_that_is_checked() -> None:
    editors = ConfigParser()
    editors.read_string("[root]\n" + (ROOT / ".editorconfig").read_text())
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["line-length"]
    assert int(editors["*.py"]["max_line_length"]) == wanted


def test_every_fault_that_is_listed_is_played() -> None:
    """Each row of the page names a test that is there; what is played on a network of its own has its rows."""
    page = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    tests = {name.rpartition("/")[2] for name in tracked() if re.search(r"(^|/)test_\w+\.py$", name)}
    named = [re.findall(r"`(test_\w+\.py)`", row.split("|")[-2]) for row in rows]
    assert len(rows) > 20
    assert all(len(names) == 1 for names in named), rows
    found = {names[0] for names in named}
    assert found <= tests
    assert {"test_network_faults.py", "test_clock_steps.py", "test_queen_falls.py"} <= found


def test_what_a_thief_cannot_do_is_tried() -> None:
    """Every row of the table names a test that is there, and every attack of tests/hostile has its row."""
    page = (ROOT / "docs/trust.md").read_text(encoding="utf-8")
    table = page.partition("## What a thief can do")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    tests = {name.rpartition("/")[2] for name in tracked() if re.search(r"(^|/)test_\w+\.py$", name)}
    hostile = {name.rpartition("/")[2] for name in tracked() if re.match(r"tests/hostile/test_\w+\.py$", name)}
    named = [re.findall(r"`(test_\w+\.py)`", row.split("|")[-2]) for row in rows]
    assert len(rows) > 10
    assert all(named), [row for row, tried in zip(rows, named, strict=True) if not tried]
    assert set().union(*map(set, named)) <= tests
    assert hostile <= set().union(*map(set, named))
