"""A virtual environment in a copied checkout that costs nothing: it borrows the packages of the one tests run in."""

from __future__ import annotations

import sysconfig
import venv
from importlib.metadata import distributions
from pathlib import Path

_PROGRAM = """\
import sys
from {module} import {name}
sys.exit({name}())
"""


def borrow(root: Path) -> None:
    """Make ``root/.venv`` with the programs of this environment, as pip writes them; AWARE is that of ``root``."""
    target = root / ".venv"
    venv.create(target, with_pip=False)
    packages = sysconfig.get_path("purelib")
    site = Path(sysconfig.get_path("purelib", vars={"base": str(target), "platbase": str(target)}))
    (site / "borrowed.pth").write_text(f"{root}\n{packages}\n")
    python = str(target / "bin" / "python")
    # The kernel takes no space in its #! line; pip and this go through the shell then.
    head = f"#!{python}\n" if " " not in python else f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"
    for distribution in distributions(path=[packages]):
        for entry in distribution.entry_points:
            if entry.group == "console_scripts":
                module, _, name = entry.value.partition("[")[0].strip().partition(":")
                program = target / "bin" / entry.name
                program.write_text(head + _PROGRAM.format(module=module, name=name))
                program.chmod(0o755)
