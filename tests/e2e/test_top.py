"""``aware top`` over a real colony: a queen is killed while somebody watches."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from bench.lab import Lab
from tests.screen import Screen

pytestmark = pytest.mark.e2e


async def test_a_change_of_queen_is_seen_as_it_happens(tmp_path: Path) -> None:
    async with Lab(nodes=3) as lab:
        await lab.form()
        queen = await lab.queen()
        await lab.admin()
        context = lab.write_context()
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        environment = {**kept, "AWARE_CONTEXT": str(context), "TERM": "xterm", "LANG": "C.UTF-8", "NO_COLOR": "1"}
        command = [sys.executable, "-m", "aware_agent.cli", "top"]
        with Screen(command, environment=environment, cwd=tmp_path) as screen:
            frame = await asyncio.to_thread(screen.wait, f"queen {queen['name']}")
            assert len(frame) == 24
            assert any(line.startswith("web ") for line in frame)
            assert sum(" ready " in line for line in frame[3:]) == 3, frame
            await asyncio.to_thread(screen.wait, "node.joined")
            screen.drawn = ""
            lab.agent(queen["name"]).kill()
            other = await lab.new_queen(queen["term"])
            change = f"{queen['name']} -> {other['name']}, term {other['term']}: seen within"
            frame = await asyncio.to_thread(screen.wait, change)
            assert any(f"queen {other['name']}" in line for line in frame)
            # The stream of events goes on at the new queen, who tells of the lost node.
            await asyncio.to_thread(screen.wait, lambda found: any("dead" in line for line in found))
            assert "queen.elected" in screen.drawn
            screen.press("q")
            assert await asyncio.to_thread(screen.ended) == 0
            assert screen.is_restored()
