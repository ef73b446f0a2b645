"""scripts/setup tells clearly what a machine lacks. (That it works is what every other test shows.)"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "scripts" / "setup"
OLD = '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n'
NO_VENV = '#!/bin/sh\ncase "$2" in *version_info*) exit 0;; esac\necho Python 3.11.2\nexit 1\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "a checkout"
    (root / "scripts").mkdir(parents=True)
    shutil.copy(SETUP, root / "scripts" / "setup")
    (root / "pyproject.toml").write_text("")
    (root / "requirements").mkdir()
    (root / "requirements" / "dev.txt").write_text("")
    tools = root / "tools"
    tools.mkdir()
    for name in ("sh", "dirname", "cat", "sha256sum", "cut", "tail", "mkdir", "rm", "flock"):
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    return root


def run(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "scripts" / "setup"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": str(checkout / "tools"), **environment},
    )


def fake_python(checkout: Path, text: str) -> None:
    path = checkout / "tools" / "python3"
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("python", "complaint"),
    [
        ("", "python3 is missing (Debian: apt install python3 python3-venv)"),
        (OLD, "Python 3.11 or newer is needed; Python 3.9.2 is too old"),
        (NO_VENV, "python3-venv is missing (Debian: apt install python3-venv)"),
    ],
)
def test_what_is_missing_is_named(checkout: Path, python: str, complaint: str) -> None:
    if python:
        fake_python(checkout, python)
    done = run(checkout)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (checkout / ".venv" / ".aware-setup").exists()


def test_a_chosen_python_that_is_too_old(checkout: Path) -> None:
    fake_python(checkout, OLD)
    done = run(checkout, PYTHON=str(checkout / "tools" / "python3"))
    assert done.returncode == 1
    assert "is not Python 3.11 or newer" in done.stderr


def test_a_checkout_that_was_moved_gets_a_new_environment(checkout: Path) -> None:
    fake_python(checkout, '#!/bin/sh\n[ "$2" = venv ] && echo "$*" >> "$(dirname "$0")/made"\nexit 0\n')
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 0\n")
    python.chmod(0o755)
    assert run(checkout).returncode == 0
    assert not (checkout / "tools" / "made").exists()  # what is there already is used
    (checkout / ".venv" / ".aware-place").write_text("/elsewhere\n")
    assert run(checkout).returncode == 0
    assert (checkout / "tools" / "made").read_text() == "-m venv --clear .venv\n"
    assert (checkout / ".venv" / ".aware-place").read_text() == f"{checkout}\n"
    assert run(checkout).returncode == 0
    assert (checkout / "tools" / "made").read_text().count("\n") == 1


def test_a_finished_setup_is_not_repeated(checkout: Path) -> None:
    fake_python(checkout, "#!/bin/sh\nexit 0\n")
    (checkout / ".venv" / "bin").mkdir(parents=True)
    pip = checkout / ".venv" / "bin" / "python"
    pip.write_text('#!/bin/sh\n[ "$2" = pip ] && [ "$3" = install ] && echo x >> "$(dirname "$0")/installs"\nexit 0\n')
    pip.chmod(0o755)
    installs = checkout / ".venv" / "bin" / "installs"
    assert run(checkout).returncode == 0
    assert run(checkout).returncode == 0
    once = "x\nx\n"  # what is locked, then the checkout
    assert installs.read_text() == once
    for part in ("pyproject.toml", "requirements/dev.txt"):
        (checkout / part).write_text("changed")
        assert run(checkout).returncode == 0
        once += "x\nx\n"
        assert installs.read_text() == once
    assert os.access(checkout / ".venv" / ".aware-setup", os.R_OK)
