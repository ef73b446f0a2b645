"""The whole command ``aware``, every noun loaded: for what looks at all of them, as documentation does."""

from __future__ import annotations

from aware_agent.cli.commands import EXITS, assemble

__all__ = ["EXITS", "app"]

app = assemble()
