"""What all units and all tasks of the roles have in common: no proxy of the host's, modes that are set."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import ROOT
from .test_ops_roles import ROLES, render  # noqa: F401 - a fixture

UNITS = sorted(path.relative_to(ROLES) for path in ROLES.glob("*/templates/*.service.j2"))
NAMES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
PROXY = {"https_proxy": "http://user:secret@192.0.2.9:3128", "no_proxy": "s3.example"}
GIVEN = {
    "agent": {"aware_agent_colony": "demo"},
    "loadbalancer": {"loadbalancer_colony": "demo"},
}
# Modules that make files or directories; the mode of all they make is one of their options.
# What tempfile makes is always its owner's alone.
MAKERS = {"copy", "template", "file", "get_url", "unarchive"}


def unset(text: str) -> set[str]:
    """Variables a unit never has, whatever systemd's manager has."""
    return set(" ".join(re.findall(r"^UnsetEnvironment=(.*)$", text, re.MULTILINE)).split())


def test_there_are_units() -> None:
    assert {path.parts[0] for path in UNITS} == {"agent", "etcd", "loadbalancer", "firewall"}


@pytest.mark.parametrize("path", UNITS, ids=str)
def test_no_unit_takes_the_proxies_of_its_host(render: Callable[..., dict[str, str]], path: Path) -> None:  # noqa: F811
    role, name = path.parts[0], path.name
    for given in ({}, {"aware_proxy_env": PROXY}):
        text = render(role, name, **GIVEN.get(role, {}), **given, ansible_facts={})[name]
        kept = set(given.get("aware_proxy_env", {})) if role == "agent" else set()
        assert unset(text) == {*NAMES, *(each.upper() for each in NAMES)} - kept
        # What is told, is in a file of its own: anybody may read a unit.
        assert ("EnvironmentFile=/etc/aware/proxy.env" in text) is bool(kept)
        assert "secret" not in text


@pytest.mark.parametrize("path", UNITS, ids=str)
def test_no_unit_waits_for_a_majority(render: Callable[..., dict[str, str]], path: Path) -> None:  # noqa: F811
    """etcd calls itself ready when a majority is there. Whoever waited for that could not say why there is none."""
    role, name = path.parts[0], path.name
    text = render(role, name, **GIVEN.get(role, {}), ansible_facts={})[name]
    assert role != "etcd" or not re.search(r"^Type=notify", text, re.MULTILINE)
    assert not re.search(r"^TimeoutStartSec=(infinity|0)$", text, re.MULTILINE)
    if role == "agent":
        assert not re.search(r"^(Requires|Requisite|BindsTo)=.*etcd", text, re.MULTILINE)


def tasks_of(document: Any) -> Iterator[dict[str, Any]]:
    """All tasks of a file, those in blocks too."""
    for entry in document or []:
        for part in ("tasks", "pre_tasks", "post_tasks", "block", "rescue", "always"):
            yield from tasks_of(entry.get(part))
        yield entry


def makes_without_mode(task: dict[str, Any]) -> str:
    """The module of a task that leaves the mode of what it makes to the umask of root; else ""."""
    for word, options in task.items():
        module = word.rpartition(".")[2]
        if not word.startswith("ansible.builtin.") or module not in MAKERS or not isinstance(options, dict):
            continue
        if module == "file" and options.get("state", "file") not in ("directory", "touch"):
            continue
        if "mode" not in options:
            return module
    return ""


def test_what_a_role_makes_has_the_mode_it_says() -> None:
    """No file or directory of a role has a mode by accident. A link has none, and nothing else has none."""
    found = []
    for path in sorted((ROOT / "collections/ansible_collections/aware/cluster").glob("*/**/*.yml")):
        if not {"tasks", "handlers", "playbooks"} & set(path.parts):
            continue
        document = yaml.safe_load(path.read_text())
        tasks = tasks_of(document if isinstance(document, list) else [])
        found += [f"{path.relative_to(ROOT)}: {task.get('name')}" for task in tasks if makes_without_mode(task)]
    assert found == []


def rescue_of(task: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """The tasks of its rescue, those of a file that it includes among them."""
    found: list[dict[str, Any]] = []
    for each in task.get("rescue", []):
        included = each.get("ansible.builtin.include_tasks")
        found += yaml.safe_load((folder / included).read_text()) if isinstance(included, str) else [each]
    return found


def speaks_for_others(task: dict[str, Any], folder: Path = ROOT) -> list[str]:
    """What a rescue says wrongly of hosts that did not fail: where any error is fatal, all come to it when one does.

    The reason is told by those that have one; whoever is left stops, since a host that was lost has told nothing.
    """
    rescue = rescue_of(task, folder)
    said = [each for each in rescue if "ansible.builtin.fail" in each]
    wrong = [each["name"] for each in said[:-1] if each.get("when") != "ansible_failed_result is defined"]
    return wrong + [each["name"] for each in rescue[-1:] if each not in said[1:] or "when" in each]


def test_a_host_that_is_well_is_not_said_to_have_failed_and_stops_beside_one_that_was_lost() -> None:
    found = []
    for path in sorted((ROOT / "collections/ansible_collections/aware/cluster").glob("*/**/*.yml")):
        document = yaml.safe_load(path.read_text())
        tasks = tasks_of(document if isinstance(document, list) else [])
        found += [
            f"{path.relative_to(ROOT)}: {name}" for task in tasks for name in speaks_for_others(task, path.parent)
        ]
    assert found == []
    assert speaks_for_others({"rescue": [{"name": "Say", "ansible.builtin.fail": {"msg": "h1"}}]}) == ["Say"]


def asks_by_proxy(task: dict[str, Any]) -> bool:
    """Whether a task asks a member of the colony by whatever proxy its host has: none leads there."""
    options = task.get("ansible.builtin.uri")
    return isinstance(options, dict) and options.get("use_proxy", True) is not False


def test_no_task_asks_a_member_by_the_proxy_of_a_host() -> None:
    found = []
    folders = (ROOT / "collections/ansible_collections/aware/cluster", ROOT / "molecule")
    for path in sorted(file for folder in folders for file in folder.glob("*/**/*.yml")):
        document = yaml.safe_load(path.read_text())
        tasks = tasks_of(document if isinstance(document, list) else [])
        found += [f"{path.relative_to(ROOT)}: {task.get('name')}" for task in tasks if asks_by_proxy(task)]
    assert found == []
    assert asks_by_proxy({"ansible.builtin.uri": {"url": "https://192.0.2.1/"}})


def test_a_task_without_a_mode_is_found() -> None:
    made = {"name": "x", "ansible.builtin.file": {"path": "/x", "state": "directory"}}
    assert [makes_without_mode(task) for task in tasks_of([{"block": [made]}])] == ["file", ""]


COLLECTION = ROLES.parent


def without_order(text: str) -> list[str]:
    """Expressions that go on with a set in whatever order it has: from the filter to the end of its expression."""
    found = re.findall(
        r"\|\s*((?:difference|intersect|union|symmetric_difference)\(.*?)(?:-?[%}]\}|\n\S|\Z)", text, re.DOTALL
    )
    return [rest for rest in found if not re.search(r"\|\s*(sort|length)\b", rest)]


def test_sets_have_no_order_and_what_is_made_of_them_has_one() -> None:
    """Ansible's filters for sets answer in the order of hashes, which is another each time: files changed for ever."""
    assert without_order('{{ a | difference(b) | join(" ") }}\n') != []
    assert without_order('{{ a | union(b)\n  | sort | join(" ") }}\n{{ a | difference(b) | length }}\n') == []
    files = [
        path
        for part in ("roles", "playbooks")
        for path in (COLLECTION / part).rglob("*")
        if path.suffix in (".yml", ".j2")
    ]
    texts = {str(path.relative_to(COLLECTION)): path.read_text() for path in files}
    assert len(texts) > 100
    assert {name: found for name, text in texts.items() if (found := without_order(text))} == {}
