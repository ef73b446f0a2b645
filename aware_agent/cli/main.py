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
    if sys.argv[1:] == ["--version"]:  # asked by scripts, often and before anything else
        from aware_agent import __version__

        print(f"aware {__version__}")
        return
    from aware_agent.cli.commands import asked_noun, assemble
    from aware_agent.cli.tracing import traced

    with traced(sys.argv[1:]):
        assemble(asked_noun(sys.argv[1:]))(prog_name="aware")
