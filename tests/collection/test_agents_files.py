"""What lies in a directory of the agent is read as the agent: a link there could lead to what only root may read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from .test_paths_in_commands import COLLECTION, tasks

READS = ("ansible.builtin.slurp", "ansible.builtin.fetch")
COPIES = ("ansible.builtin.copy", "ansible.builtin.template", "ansible.builtin.unarchive")
OF_THE_AGENT = ("state_directory", "host_directory", ".target")


def faults(document: Any) -> list[str]:
    """Sources that root reads for somebody in ``document`` and that the agent may have made a link."""
    found = []
    for task in tasks(document):
        for module in (*READS, *COPIES):
            options = task.get(module) or {}
            there = module in READS or options.get("remote_src")
            source = str(options.get("src", ""))
            if there and any(word in source for word in OF_THE_AGENT):
                found.append(source)
    return found


@pytest.mark.parametrize("path", sorted(COLLECTION.rglob("tasks/**/*.yml")), ids=lambda path: "/".join(path.parts[-3:]))
def test_root_reads_nothing_in_a_directory_of_the_agent(path: Path) -> None:
    assert faults(yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize(
    ("task", "count"),
    [
        ({"ansible.builtin.slurp": {"src": "{{ colony_state_directory }}/ca.crt"}}, 1),
        ({"ansible.builtin.fetch": {"src": "{{ new.target }}/x", "dest": "y"}}, 1),
        ({"ansible.builtin.copy": {"src": "{{ backup_state_directory }}/x", "dest": "y", "remote_src": True}}, 1),
        ({"ansible.builtin.copy": {"src": "{{ backup_restored }}/x", "dest": "{{ backup_state_directory }}/x"}}, 0),
        ({"block": [{"ansible.builtin.slurp": {"src": "{{ aware_directory }}/.mark"}}]}, 0),
    ],
)
def test_the_check_itself(task: dict[str, Any], count: int) -> None:
    assert len(faults([task])) == count
