"""A path may hold a space, a quote, a comma, a percent sign: none goes as it is into a command line, check or list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT / "collections" / "ansible_collections" / "aware" / "cluster"
CONSTANT = ("loadbalancer_checks",)  # a table in the role itself
COMMANDS = {"ansible.builtin.command", "ansible.builtin.shell", "ansible.builtin.raw", "ansible.builtin.script"}
FILES = sorted(
    path
    for folder in (COLLECTION, ROOT / "molecule")
    for path in folder.rglob("*.yml")
    if "changelogs" not in path.parts
)


def tasks(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a file, however deep: tasks, blocks and their parts."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from tasks(child)


def bare(text: str) -> list[str]:
    """Expressions in ``text`` that put something in as it is."""
    parts = [part.strip() for part in re.findall(r"{{(.*?)}}", text, re.S)]
    return [part for part in parts if "quote" not in part and not part.startswith(CONSTANT)]


def faults(document: Any) -> list[str]:
    """What in ``document`` splits where a path may have a space or a comma."""
    found = []
    for task in tasks(document):
        for name in COMMANDS & task.keys():
            told = task[name]
            text = told if isinstance(told, str) else told.get("cmd", "")
            found += [f"{name}: {part}" for part in bare(text)]
        check = task.get("validate")
        if isinstance(check, str):
            found += [f"validate: {part}" for part in bare(check)]
        search = task.get("ansible.builtin.find")
        if search and isinstance(search.get("paths"), str) and "{{" in search["paths"]:
            found.append(f"find: {search['paths']} is split at commas")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_path_is_put_into_a_command_line(path: Path) -> None:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, tag, node: None)
    assert [fault for document in yaml.load_all(path.read_text(), Loader) for fault in faults(document)] == []


@pytest.mark.parametrize(
    ("task", "count"),
    [
        ({"ansible.builtin.template": {"validate": "{{ program }} check %s"}}, 1),
        ({"ansible.builtin.template": {"validate": "{{ program | quote }} check '%s'"}}, 0),
        ({"ansible.builtin.command": "ls {{ directory }}"}, 1),
        ({"ansible.builtin.command": {"argv": ["ls", "{{ directory }}"]}}, 0),
        ({"ansible.builtin.shell": {"cmd": "ls {{ directory }} | wc"}}, 1),
        ({"ansible.builtin.find": {"paths": "{{ directory }}"}}, 1),
        ({"block": [{"ansible.builtin.find": {"paths": ["{{ directory }}"]}}]}, 0),
    ],
)
def test_the_check_itself(task: dict[str, Any], count: int) -> None:
    assert len(faults([task])) == count
