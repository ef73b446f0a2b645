"""What pages tell a reader to type exists: links, files, targets, commands with their options, playbooks, variables."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from pages_support import ROOT, anchors, everywhere, invocations, links, pages, tracked
from typer.main import get_command

from aware_agent.cli.app import app
from bench.__main__ import BENCHES

COLLECTION = ROOT / "collections" / "ansible_collections" / "aware" / "cluster"
# What a reader makes, or a program leaves for him; everything else a page names has to be in the repository.
MADE = ("dist/", "inventories/static/.aware", "inventories/openstack/.aware", "molecule/NAME/")
TOP = tuple(sorted({name.split("/")[0] + "/" for name in tracked() if "/" in name}))


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    wrong = []
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        name = str(file.resolve().relative_to(ROOT))
        if not file.exists() or (anchor and anchor not in anchors(name)):
            wrong.append(target)
    assert wrong == []


def _named_files() -> Iterator[tuple[str, str, Path]]:
    for piece in everywhere():
        for word in re.findall(r"(?<![\w./$<>-])[\w.][\w./-]*\w", piece.text):
            if word.startswith(TOP) and not word.startswith(MADE):
                yield piece.place, word, ROOT / word


def test_files_that_pages_name_are_there() -> None:
    found = list(_named_files())
    assert len(found) > 50
    assert sorted({f"{place} {word}" for place, word, path in found if not path.exists()}) == []


def test_make_targets_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = [
        (piece.place, word) for piece, call in invocations("make") for word in call if re.fullmatch("[a-z-]+", word)
    ]
    assert len(used) > 20
    assert [use for use in used if use[1] not in targets] == []


def _problem(command: Any, arguments: list[str]) -> str:
    """What is wrong with a command line: "" when each word is a subcommand or an option where it stands."""
    while arguments:
        word, arguments = arguments[0], arguments[1:]
        if word.startswith("-"):
            options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
            if word.partition("=")[0] not in {*options, "--help", "-h"}:
                return f"{command.name} has no option {word}"
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return f"{command.name} has no command {word}"
            command = command.commands[word]
    return ""


def test_commands_of_aware_are_there() -> None:
    root = get_command(app)
    seen = list(invocations("aware"))
    assert len(seen) > 40
    # "aware tokens create|list|revoke" is three commands to a reader; a shell, and so the parser, sees the first.
    assert [(piece.place, call, _problem(root, call)) for piece, call in seen if _problem(root, call)] == []


def test_commands_written_with_alternatives_are_there() -> None:
    root = get_command(app)
    for piece in everywhere():
        for noun, verbs in re.findall(r"aware ([a-z]+) ([a-z-]+(?:\|[a-z-]+)+)", piece.text):
            for verb in verbs.split("|"):
                assert _problem(root, [noun, verb]) == "", piece.place


def test_commands_of_the_agent_are_there() -> None:
    program = Path(sys.executable).parent / "aware-agent"
    known = subprocess.run([program, "--help"], capture_output=True, text=True, check=True, timeout=60).stdout
    seen = [(piece.place, call[0]) for piece, call in invocations("aware-agent") if call]
    assert len(seen) > 2
    assert [use for use in seen if not re.search(rf"\b{use[1]}\b", known)] == []


def test_benches_are_there() -> None:
    seen = []
    for piece in everywhere():
        seen += [(piece.place, name) for name in re.findall(r"python -m bench ([a-z]+)", piece.text)]
        seen += [(piece.place, name) for name in re.findall(r"BENCH=([a-z]+)", piece.text)]
    assert len(seen) > 3
    assert [use for use in seen if use[1] not in BENCHES] == []


def _extra_variables(call: list[str]) -> Iterator[str]:
    for option, value in pairwise(call):
        if option == "-e":
            if value.startswith("{"):
                yield from json.loads(value)
            elif "=" in value:
                yield value.partition("=")[0]


def test_playbooks_and_their_variables_are_there() -> None:
    playbooks = {path.stem for path in (COLLECTION / "playbooks").glob("*.yml")}
    names = "\n".join(path.read_text() for path in sorted(COLLECTION.rglob("*.yml")))
    wrong, count = [], 0
    for piece, call in invocations("ansible-playbook"):
        for word in call:
            if match := re.fullmatch(r"(?:playbooks/|aware\.cluster\.)([a-z_]+)(?:\.yml)?", word):
                count += 1
                wrong += [] if match[1] in playbooks else [(piece.place, word)]
        wrong += [(piece.place, name) for name in _extra_variables(call) if not re.search(rf"\b{name}\b", names)]
    for piece in everywhere():
        if piece.language == "inline" and (match := re.match(r"-e ([a-z_]+)=", piece.text)):
            wrong += [] if re.search(rf"\b{match[1]}\b", names) else [(piece.place, match[1])]
    assert count > 20
    assert wrong == []


def test_every_documented_playbook_of_the_collection_is_one() -> None:
    readme = (COLLECTION / "README.md").read_text()
    playbooks = {path.stem for path in (COLLECTION / "playbooks").glob("*.yml")}
    entry = {name for name in playbooks if not name.startswith(("rotate_", "upgrade_"))}
    assert sorted(name for name in entry if not re.search(rf"\b{name}(\.yml)?\b", readme)) == []


@pytest.mark.parametrize("language", ["yaml", "toml", "json"])
def test_examples_can_be_read(language: str) -> None:
    read = {"yaml": yaml.safe_load, "toml": tomllib.loads, "json": json.loads}[language]
    for piece in everywhere():
        if piece.language == language:
            assert read(piece.text) is not None, piece.place
