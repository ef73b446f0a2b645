"""What role ``agent`` sees of a host before it changes anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT

LOOK = ROOT / "collections/ansible_collections/aware/cluster/roles/agent/files/look.py"


def look(base: Path, state: Path) -> dict[str, Any]:
    words = [sys.executable, str(LOOK), str(base), str(state), "nobody-of-this-name", str(base / "etc")]
    return dict(json.loads(subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout))


@pytest.mark.parametrize(
    ("files", "node", "joined"),
    [
        ({}, "", False),
        ({"node.json": '{"id":"01J","name":"h1"}', "node.key": "k"}, "01J", False),
        ({"node.json": '{"id":"01J","name":"h1"}', "node.key": "k", "colony.json": "{}"}, "01J", True),
        ({"node.json": '{"id":"01J","name":"h1"}'}, "", False),
        ({"node.json": "[1]", "node.key": "k"}, "", False),
        ({"node.json": '{"id":', "node.key": "k"}, "", False),
    ],
)
def test_who_a_host_is_and_whether_it_has_joined_are_two_things(
    tmp_path: Path, files: dict[str, str], node: str, joined: bool
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    seen = look(tmp_path / "opt", tmp_path)
    assert (seen["node"], seen["joined"]) == (node, joined)


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        (None, 0),
        ("[council]\nsize = 5\n", 5),
        ("[council]\nsize = true\n", 0),
        ("[council]\netcd = 'systemd'\n", 0),
        ("council = 3\n", 0),
        ("[council", 0),
    ],
)
def test_how_many_founders_the_settings_name(tmp_path: Path, settings: str | None, size: int) -> None:
    (tmp_path / "etc").mkdir()
    if settings is not None:
        (tmp_path / "etc" / "agent.toml").write_text(settings)
    assert look(tmp_path, tmp_path)["council_size"] == size


def test_a_link_in_the_agents_directory_leads_nowhere(tmp_path: Path) -> None:
    """Root looks, and whoever is the agent's user could make it read what that user must not."""
    secret = tmp_path / "secret"
    secret.write_text('{"id":"root alone"}')
    state = tmp_path / "state"
    state.mkdir()
    (state / "node.key").write_text("k")
    (state / "node.json").symlink_to(secret)
    assert look(tmp_path / "opt", state)["node"] == ""
    (state / "node.json").unlink()
    os.mkfifo(state / "node.json")
    assert look(tmp_path / "opt", state)["node"] == ""
