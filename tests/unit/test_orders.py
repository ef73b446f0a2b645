"""What a node does when it is ordered, and what it tells of itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aware_agent.agent.orders import Orders, OutdatedOrder, check_upgrade
from aware_agent.agent.recent import CHARACTERS, LINES, RECENT
from aware_agent.agent.settings import Settings
from aware_agent.channel import frames

SECRET = "wxyz-secret-wxyz"


class Node:
    """Implements OrderedNode."""

    def __init__(self, directory: Path) -> None:
        self.settings = Settings(
            colony="lab", name="n", state_dir=str(directory), token_file=f"/{SECRET}", address="127.0.0.1"
        )
        self.started_at = 0.0
        self.seen_term = 7
        self.restarted = asyncio.Event()

    def restart(self) -> None:
        self.restarted.set()

    def facts(self) -> dict[str, Any]:
        return {"standing": "worker of queen m, term 7"}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    (tmp_path / "node.key").write_text(SECRET)
    return Node(tmp_path)


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    """Levels are the process's own: put them back."""
    loggers = [logging.getLogger(), logging.getLogger("aware_agent")]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


async def test_a_restart_is_answered_first(node: Node) -> None:
    answer = Orders(node).perform(frames.RestartAgent(), 7)
    assert answer["restarting"] is True
    assert not node.restarted.is_set()
    async with asyncio.timeout(20):
        await node.restarted.wait()


def test_a_level_holds_until_the_configuration_changes(node: Node) -> None:
    orders = Orders(node)
    assert orders.level("info", changed=True) == "info"
    assert orders.perform(frames.SetLogLevel("debug"), 7) == {"level": "debug"}
    assert logging.getLogger("aware_agent").level == logging.DEBUG
    assert orders.level("info", changed=False) == "debug"
    assert orders.level("warning", changed=True) == "warning"


async def test_diagnostics_are_bounded_and_hold_no_secret(node: Node, tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"file-{number}").touch()
    for number in range(2 * LINES):
        RECENT.handle(logging.makeLogRecord({"msg": f"line {number} {'x' * 5000}"}))
    told = Orders(node).perform(frames.CollectDiagnostics(), 7)
    assert told["standing"] == "worker of queen m, term 7"
    assert told["settings"]["name"] == "n"
    assert len(told["recent_log"]) == LINES
    assert max(map(len, told["recent_log"])) == CHARACTERS
    assert len(told["files"]) == 50
    raw = frames.encode(frames.Result(id="1", answer=told))
    assert SECRET.encode() not in raw
    assert len(raw) < frames.MAX_FRAME
    assert msgspec.json.encode(told)


def test_an_order_of_a_queen_whose_term_is_over_is_not_carried_out(node: Node) -> None:
    with pytest.raises(OutdatedOrder, match="of term 6"):
        Orders(node).perform(frames.SetLogLevel("debug"), 6)
    assert logging.getLogger("aware_agent").level != logging.DEBUG


def test_what_speaks_against_an_upgrade_is_named(tmp_path: Path) -> None:
    fine = check_upgrade("99", str(tmp_path))
    assert fine["change"] is True
    old = check_upgrade("99", str(tmp_path), ("3", "9", "2"))
    assert old["possible"] is False
    assert "Python 3.9 is too old" in old["problems"][0]
    assert check_upgrade("99", str(tmp_path / "missing"))["free_mib"] is None
