"""The checkout holds each thing once, and the convenience links lead to it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT / "collections" / "ansible_collections" / "aware" / "cluster"
RUNTIME = yaml.safe_load((COLLECTION / "meta" / "runtime.yml").read_text())
PYTHON = sorted((COLLECTION / "plugins").rglob("*.py"))


def test_every_role_is_linked_and_every_link_leads_to_a_role() -> None:
    roles = {path.name for path in (COLLECTION / "roles").iterdir()}
    links = {path.name: path for path in (ROOT / "roles").iterdir()}
    assert set(links) == roles
    for name, link in links.items():
        assert link.is_symlink()
        assert not link.readlink().is_absolute()
        assert link.resolve() == COLLECTION / "roles" / name


def test_nothing_in_the_collection_is_a_link() -> None:
    assert [path for path in COLLECTION.rglob("*") if path.is_symlink()] == []


def test_playbooks_only_import_those_of_the_collection() -> None:
    ours = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / "playbooks").glob("*.yml")}
    assert set(ours) == {path.name for path in (COLLECTION / "playbooks").glob("*.yml")}
    for name, plays in ours.items():
        assert [play["ansible.builtin.import_playbook"] for play in plays] == [
            f"aware.cluster.{name.removesuffix('.yml')}"
        ]


def test_action_group_names_the_modules_that_ask_a_gateway() -> None:
    modules = COLLECTION / "plugins" / "modules"
    asking = {path.stem for path in modules.glob("*.py") if "module_utils._gateway import" in path.read_text()}
    assert set(RUNTIME["action_groups"]["gateway"]) == asking


def test_requires_what_the_readme_says() -> None:
    assert RUNTIME["requires_ansible"] == ">=2.16.0"
    assert "2.16 and newer" in (COLLECTION / "README.md").read_text()


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.name)
def test_files_carry_their_licence_and_stay_short(path: Path) -> None:
    text = path.read_text()
    wanted = "BSD-2-Clause" if "module_utils" in path.parts else "GPL-3.0-or-later"
    assert f"SPDX-License-Identifier: {wanted}" in text
    documentation = [
        node for node in ast.parse(text).body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    ]
    assert text.count("\n") - sum((node.end_lineno or 0) - node.lineno for node in documentation) <= 300


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.name)
def test_functions_are_short(path: Path) -> None:
    long = [
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 34
    ]
    assert long == []


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.name)
def test_names_get_into_a_url_in_one_place(path: Path) -> None:
    """Paths are made by ``at("servers", name)``; one put together by hand lets a name such as ``..`` climb."""
    if path.name == "_paths.py":
        return
    assert [ast.unparse(node) for node in ast.walk(ast.parse(path.read_text())) if _is_a_path_by_hand(node)] == []


def _is_a_path_by_hand(node: ast.AST) -> bool:
    first: ast.AST | None = None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
        first = node.left
    elif isinstance(node, ast.JoinedStr):
        first = node.values[0]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join"):
        first = node.func.value
    text = str(first.value) if isinstance(first, ast.Constant) else ""
    return (text.startswith("/") and not text.startswith("/proc/")) or re.search(r"%s/[a-z]", text) is not None


def test_the_readme_names_every_role_module_and_playbook() -> None:
    readme = (COLLECTION / "README.md").read_text()
    names = {path.name for path in (COLLECTION / "roles").iterdir()}
    names |= {
        path.stem
        for folder in ("modules", "inventory", "filter", "lookup")
        for path in (COLLECTION / "plugins" / folder).glob("*.py")
    }
    names |= {path.stem for path in (COLLECTION / "playbooks").glob("*.yml")}
    assert sorted(name for name in names if not re.search(rf"[`.]{name}`", readme)) == []


@pytest.mark.parametrize("role", sorted(path.name for path in (COLLECTION / "roles").iterdir()))
def test_readme_of_a_role_names_all_its_options(role: str) -> None:
    folder = COLLECTION / "roles" / role
    entries: dict[str, Any] = yaml.safe_load((folder / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    options = {name for entry in entries.values() for name in entry["options"]}
    readme = (folder / "README.md").read_text()
    assert sorted(name for name in options if f"`{name}`" not in readme) == []
    assert set(yaml.safe_load((folder / "defaults" / "main.yml").read_text())) <= options


def test_the_unit_of_the_agent_lets_a_job_give_up_its_rights() -> None:
    """Landlock's calls are in no set of systemd 252; without them the agent would take the host for one without it."""
    template = ROOT / "collections/ansible_collections/aware/cluster/roles/agent/templates/agent.service.j2"
    lines = [line for line in template.read_text().splitlines() if line.startswith("SystemCallFilter=")]
    for call in ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"):
        assert any(call in line for line in lines[lines.index("SystemCallFilter=~@privileged @resources") :])
