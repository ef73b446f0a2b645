"""The checkout a demo runs from, and the demo's own files below it."""

from __future__ import annotations

import locale
import os
import sys
from pathlib import Path

import aware_agent
from aware_agent.cli.context import NAMES
from aware_agent.colony.errors import AwareError, NotFound

# Not cluster.yml: the demo is looked at and taken down also while that is broken or away.
_MARKS = ("playbooks/site.yml", "inventories/local")


class MissingTool(AwareError):
    """A program the demo needs is not installed."""

    code = "missing-tool"
    exit_code = 10


class Checkout:
    """A directory with playbooks and inventories."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.demo = root / ".aware"

    @property
    def context_file(self) -> Path:
        """Context of the demo's colony."""
        return self.demo / "context.json"

    def node(self, name: str) -> Path:
        """Directory of one node. Raises :class:`NotFound` for a name that is no directory's."""
        if Path(name).name != name:
            raise NotFound(f"no node of the demo is called {name!r}")
        return self.demo / "nodes" / name

    def tool(self, name: str) -> str:
        """Path of a program installed beside this Python. Raises :class:`MissingTool`."""
        path = Path(sys.executable).parent / name
        if not os.access(path, os.X_OK):
            raise MissingTool(f"{path} is missing", hint="run make setup")
        return str(path)

    def environment(self) -> dict[str, str]:
        """The environment for Ansible: its configuration is the checkout's, its Python this one."""
        environment = {name: text for name, text in os.environ.items() if name not in NAMES}  # the demo has its own
        environment["ANSIBLE_CONFIG"] = str(self.root / "ansible.cfg")
        # What Ansible would discover may be another Python, or a shim that does not run.
        environment["ANSIBLE_PYTHON_INTERPRETER"] = sys.executable
        # Ansible refuses to run where text is not UTF-8, and this path may hold any letter. C.UTF-8 is everywhere.
        if locale.nl_langinfo(locale.CODESET).upper().replace("-", "") != "UTF8":
            environment["LC_ALL"] = "C.UTF-8"
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
        return environment


def find_checkout() -> Checkout:
    """The checkout around the working directory, else the one this package was installed from."""
    here = Path.cwd()
    package = Path(aware_agent.__file__).resolve().parent.parent
    for candidate in (here, *here.parents, package):
        if all((candidate / mark).exists() for mark in _MARKS):
            return Checkout(candidate)
    raise NotFound("no checkout of AWARE here", hint="run this in the cloned repository")
