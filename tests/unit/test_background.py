"""Work that nobody waits for: ended with its owner, and said when it breaks; kept track of in one place."""

from __future__ import annotations

import ast
import asyncio
import logging
from pathlib import Path

import pytest

from aware_agent.background import Background

PACKAGE = Path(__file__).parents[2] / "aware_agent"
# The one place, and simulated hosts: their event loop owns every task, and a failure there ends the run.
OWNERS = {"background.py", "simulator/loop.py", "simulator/agent.py"}


async def _breaks() -> None:
    raise RuntimeError("a bug")


async def test_what_breaks_is_said_and_what_ends_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Background("the test's work")
    with caplog.at_level(logging.ERROR):
        tasks.start(_breaks(), name="one")
        tasks.start(asyncio.sleep(0), name="two")
        assert len(tasks) == 2
        await tasks.finish()
    assert len(tasks) == 0
    assert [record.getMessage() for record in caplog.records] == ["the test's work broke: one"]
    assert caplog.records[0].exc_info is not None


async def test_closing_ends_all_of_them_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Background("the test's work")
    running = [tasks.start(asyncio.sleep(3600)) for _ in range(3)]
    tasks.adopt(asyncio.create_task(asyncio.sleep(3600)))
    await asyncio.sleep(0)
    await tasks.close()
    assert all(task.cancelled() for task in running)
    assert len(tasks) == 0
    assert caplog.records == []


def by_hand(source: str) -> list[int]:
    """Lines that keep tasks by ``add_done_callback(<a set>.discard)``, or begin one and keep nothing of it."""
    found = []
    for node in ast.walk(ast.parse(source)):
        call = node.value if isinstance(node, ast.Expr) else node
        if not isinstance(call, ast.Call):
            continue
        name = ast.unparse(call.func)
        if (name.endswith("add_done_callback") and any(ast.unparse(arg).endswith(".discard") for arg in call.args)) or (
            isinstance(node, ast.Expr) and name.endswith((".create_task", ".ensure_future"))
        ):
            found.append(call.lineno)
    return sorted(set(found))


def test_nobody_keeps_such_work_by_hand() -> None:
    assert by_hand("t = loop.create_task(w)\nt.add_done_callback(s.discard)\nasyncio.create_task(w)\n") == [2, 3]
    found = [
        f"{name}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if (name := str(path.relative_to(PACKAGE))) not in OWNERS
        for line in by_hand(path.read_text(encoding="utf-8"))
    ]
    assert found == [], "use aware_agent.background.Background"


def unheard(source: str) -> list[int]:
    """Lines that wait for one task and leave its error to be found by the garbage collector, who logs a traceback."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "asyncio.wait"
        and not node.keywords
        and isinstance(node.args[0], ast.List)
        and len(node.args[0].elts) == 1
    ]


def test_nobody_waits_for_a_task_without_hearing_of_its_error() -> None:
    assert unheard("await asyncio.wait([t])\nawait asyncio.wait([t], timeout=1)\nawait asyncio.wait([a, b])") == [1]
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "outbox.py"  # flush: whoever waits for it must not end the writer, which keeps its errors
        for line in unheard(path.read_text(encoding="utf-8"))
    ]
    assert found == [], "use asyncio.gather(task, return_exceptions=True)"
