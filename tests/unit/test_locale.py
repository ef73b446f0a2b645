"""Processes in locales without UTF-8: letters of any kind come in and go out as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aware_agent.cli.node_argument import node_path

TEXT = "Zürich 東"
LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "POSIX": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "LANG=C only": {"LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ASCII streams": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "ascii"},
}
SHOW = """
from aware_agent.utf8 import ensure_utf8
ensure_utf8()
import sys
from aware_agent.cli import output
text = sys.argv[1]
{}
"""


def run(command: list[str], locale: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
    return subprocess.run(command, env={**kept, **LOCALES[locale], **more}, capture_output=True, timeout=120)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(
    "show",
    [
        "output.say(text)",
        "output.print_line({'a': text})",
        "output.print_json({'a': text})",
        "output.print_table(('A',), [(text,)])",
        "output.print_fields([('a', text)])",
    ],
)
def test_what_is_printed_is_utf8(locale: str, show: str) -> None:
    done = run([sys.executable, "-c", SHOW.format(show), TEXT], locale)
    assert (done.returncode, done.stderr) == (0, b"")
    assert TEXT in done.stdout.decode()
    if "json" in show or "line" in show:
        assert json.loads(done.stdout) == {"a": TEXT}


@pytest.mark.parametrize("locale", ["C", "ASCII streams"])
def test_bytes_that_are_no_text_are_shown(locale: str) -> None:
    program = SHOW.format("output.say(text)")
    done = run([sys.executable, "-c", program, "caf\udce9"], locale)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"caf\\udce9\n", b"")


@pytest.mark.parametrize("locale", LOCALES)
def test_the_command_line_takes_arguments_and_paths(locale: str, tmp_path: Path) -> None:
    missing = tmp_path / TEXT / "context.json"
    done = run([sys.executable, "-m", "aware_agent.cli", "status", "--context", str(missing)], locale)
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr
    assert TEXT in done.stderr.decode()


@pytest.mark.parametrize("locale", LOCALES)
def test_the_agent_reads_its_settings(locale: str, tmp_path: Path) -> None:
    place = tmp_path / TEXT
    place.mkdir()
    file = place / "agent.toml"
    lines = ['colony = "demo"', 'name = "Zürich"', f'state_dir = "{place}"', 'address = "127.0.0.1"']
    file.write_text("\n".join([*lines, "[labels]", f'place = "{TEXT}"']), "utf-8")
    command = [sys.executable, "-m", "aware_agent.daemon", "check", "--config", str(file)]
    refused = run(command, locale)
    assert refused.returncode == 10
    assert "'Zürich' cannot be the name of a node" in refused.stderr.decode()
    good = run(command, locale, AWARE_NAME="demo-1", AWARE_LABELS=f"ort={TEXT}")
    assert (good.returncode, good.stderr) == (0, b"")
    assert f"{file} is fine: node demo-1 of colony demo" in good.stdout.decode()


def test_arguments_are_asked_for_as_they_were_meant() -> None:
    program = (
        "from aware_agent.utf8 import ensure_utf8\nensure_utf8()\nimport sys\n"
        "from aware_agent.cli.node_argument import node_path\n"
        "from aware_agent.cli.nodes import parse_labels\n"
        "sys.stdout.write(ascii([node_path(sys.argv[1]), parse_labels([sys.argv[2]])]))"
    )
    done = run([sys.executable, "-c", program, TEXT, f"ort={TEXT}"], "C")
    assert done.stdout.decode() == ascii([node_path(TEXT), {"ort": TEXT}])
