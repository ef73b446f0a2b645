"""The entry point of ``aware``. What it needs is loaded behind the boundary, where an interrupt is no traceback."""

from __future__ import annotations

import sys

from aware_agent.program import run_program
from aware_agent.utf8 import ensure_utf8


def main() -> None:
    """Run ``aware`` with the arguments of the process."""
    ensure_utf8()
    sys.exit(run_program(_work))


def _work() -> None:
    from aware_agent.cli.app import app

    app(prog_name="aware")
