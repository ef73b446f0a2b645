"""Recorded states are decided today as when they were recorded; one rule for every kind of transcript."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def check_recorded(path: Path, replay: Callable[[str], str], difference: Callable[[str], str]) -> None:
    """AWARE_RECORD=1 writes today's decisions into the files; look at the diff before you keep it."""
    text = path.read_text(encoding="utf-8")
    if os.environ.get("AWARE_RECORD"):
        path.write_text(replay(text), encoding="utf-8")
    changed = difference(path.read_text(encoding="utf-8"))
    assert not changed, f"{path.name}:\n{changed}"
    assert text.startswith("# "), "a transcript begins with the sentence that says what it shows"
