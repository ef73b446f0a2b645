"""A program whose output nobody reads to its end does what it has begun all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WRITER = """
import sys
for number in range(20_000):
    print("line", number, flush=True)
    print("trouble", number, file=sys.stderr, flush=True)
open(sys.argv[1], "w").close()
sys.exit(3)
"""
RELAY = """
import os, sys
from pathlib import Path
from aware_agent.cli.relay import run_relayed
code = run_relayed([sys.executable, "-c", *sys.argv[1:]], Path.cwd(), os.environ)
Path("code").write_text(str(code))
"""


def relay(tmp_path: Path, shell: str) -> subprocess.CompletedProcess[str]:
    """``shell`` with the relay as ``"$@"``, bounded in time."""
    argv = ["sh", "-c", shell, "sh", sys.executable, "-c", RELAY, WRITER, "done"]
    return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("redirect", ["", "2>&1", "2>&1 >/dev/null"])
def test_it_goes_on_without_a_reader(tmp_path: Path, redirect: str) -> None:
    shown = relay(tmp_path, f'"$@" {redirect} | head -c 100')
    assert len(shown.stdout) == 100
    assert "Broken pipe" not in shown.stderr
    assert (tmp_path / "done").exists()
    assert (tmp_path / "code").read_text() == "3"


def test_all_of_it_gets_through(tmp_path: Path) -> None:
    shown = relay(tmp_path, '"$@"')
    assert (shown.stdout.count("line"), shown.stderr.count("trouble")) == (20_000, 20_000)
    assert (tmp_path / "code").read_text() == "3"


def test_to_a_file_it_writes_itself(tmp_path: Path) -> None:
    relay(tmp_path, '"$@" >file 2>&1')
    assert (tmp_path / "file").read_text().count("line") == 20_000
    assert (tmp_path / "code").read_text() == "3"
