"""What a service manager hears, on a real socket, by path and by abstract name."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aware_agent.agent.logs import JournalLines, JsonLines, is_journal
from aware_agent.agent.notify import Herald, Notifier

PATIENCE_S = 20.0


class Manager:
    """Stands at the other end of the socket, as systemd does."""

    def __init__(self, address: str) -> None:
        self.name = address
        self.channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.channel.bind("\0" + address[1:] if address.startswith("@") else address)
        self.channel.setblocking(False)
        self.heard: list[dict[str, str]] = []

    def listen(self) -> list[dict[str, str]]:
        """All messages until now."""
        while True:
            try:
                text = self.channel.recv(4096).decode()
            except BlockingIOError:
                return self.heard
            self.heard.append(dict(line.split("=", 1) for line in text.split("\n")))

    def told(self, name: str) -> list[str]:
        """Values of one variable in the order they came."""
        return [message[name] for message in self.listen() if name in message]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something was heard."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.005)


class Subject:
    """A node whose state the test sets."""

    def __init__(self) -> None:
        self.lives, self.does, self.hangs = False, "not ready: starting", ""

    def living(self) -> bool:
        return self.lives

    def standing(self) -> str:
        return self.does

    def stalled(self) -> str:
        return self.hangs


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = f"@aware-test-{os.getpid()}-{tmp_path.name}" if request.param == "abstract" else str(tmp_path / "notify")
    one = Manager(name)
    yield one
    one.channel.close()


def notifier(manager: Manager, watchdog_s: float = 0.0, **more: str) -> Notifier:
    environment = {"NOTIFY_SOCKET": manager.name, **more}
    if watchdog_s:
        environment["WATCHDOG_USEC"] = str(int(watchdog_s * 1e6))
    return Notifier(environment)


async def test_readiness_is_told_once_and_when_it_is_true(manager: Manager) -> None:
    subject = Subject()
    async with Herald(subject, notifier(manager)):
        await manager.until(lambda: manager.told("STATUS") == ["not ready: starting"])
        assert manager.told("READY") == []
        subject.lives, subject.does = True, "worker of queen n1, term 7"
        await manager.until(lambda: len(manager.told("STATUS")) == 2)
        subject.does = "queen of colony lab, term 8"
        await manager.until(lambda: len(manager.told("STATUS")) == 3)
    assert manager.told("READY") == ["1"]
    assert manager.told("STATUS")[1:3] == ["worker of queen n1, term 7", "queen of colony lab, term 8"]
    assert manager.told("WATCHDOG") == []


async def test_stopping_is_told_once_and_nothing_contradicts_it_afterwards(manager: Manager) -> None:
    subject = Subject()
    herald = Herald(subject, notifier(manager, watchdog_s=0.02))
    async with herald:
        await manager.until(lambda: bool(manager.told("WATCHDOG")))
        herald.stopping()
        count = len(manager.listen())
        subject.does = "something else"
        await asyncio.sleep(0.1)
    assert manager.listen()[count - 1]["STOPPING"] == "1"
    assert len(manager.listen()) == count


async def test_an_error_that_ends_the_node_is_a_stop_too(manager: Manager) -> None:
    with pytest.raises(RuntimeError):
        async with Herald(Subject(), notifier(manager)):
            raise RuntimeError("broken")
    assert manager.told("STOPPING") == ["1"]


async def test_the_watchdog_hears_nothing_while_the_node_hangs(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    subject = Subject()
    async with Herald(subject, notifier(manager, watchdog_s=0.02)):
        await manager.until(lambda: len(manager.told("WATCHDOG")) > 3)
        subject.hangs = "the election is busy"
        await manager.until(lambda: manager.told("STATUS")[-1] == "hangs: the election is busy")
        fed = len(manager.told("WATCHDOG"))
        await asyncio.sleep(0.2)
        assert len(manager.told("WATCHDOG")) == fed
        subject.hangs = ""
        await manager.until(lambda: len(manager.told("WATCHDOG")) > fed)
    complaint = next(record for record in caplog.records if "no progress" in record.message)
    assert complaint.levelno == logging.ERROR
    assert any("Herald._run" in task for task in complaint.fields["tasks"])  # type: ignore[attr-defined]


async def test_the_watchdog_hears_nothing_while_the_loop_is_blocked(manager: Manager) -> None:
    async with Herald(Subject(), notifier(manager, watchdog_s=0.02)):
        await manager.until(lambda: bool(manager.told("WATCHDOG")))
        fed = len(manager.told("WATCHDOG"))
        time.sleep(0.2)  # nothing else of this thread runs meanwhile, and so the herald must not either
        assert len(manager.told("WATCHDOG")) == fed


def test_a_message_is_lines_of_names_and_one_line_values(manager: Manager) -> None:
    assert notifier(manager).send(READY=1, STATUS="two\nlines\n  and more")
    assert manager.listen() == [{"READY": "1", "STATUS": "two lines and more"}]


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative/path", "/nowhere/notify"])
def test_without_a_manager_nothing_happens_and_nothing_fails(address: str) -> None:
    assert not Notifier({"NOTIFY_SOCKET": address}).send(READY=1)


async def test_a_manager_that_is_gone_does_not_cost_the_node(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    subject = Subject()
    async with Herald(subject, notifier(manager)):
        await manager.until(lambda: bool(manager.listen()))
        manager.channel.close()
        (tmp_path / "notify").unlink()
        subject.lives = True
        await asyncio.sleep(0.3)
        again = Manager(str(tmp_path / "notify"))
        # What could not be told is told when somebody listens again.
        subject.does = "worker of queen n1, term 7"
        await again.until(lambda: "worker of queen n1, term 7" in again.told("STATUS"))
        assert again.told("READY") == ["1"]
        again.channel.close()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({"WATCHDOG_USEC": "-5"}, 0.0),
    ],
)
def test_the_watchdog_is_for_the_process_it_names(environment: dict[str, str], seconds: float) -> None:
    assert Notifier(environment).watchdog_s == seconds


def test_the_journal_is_known_by_its_stream_and_gets_priorities() -> None:
    reader, writer = os.pipe()
    status = os.fstat(writer)
    assert is_journal(writer, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
    assert not is_journal(writer, {"JOURNAL_STREAM": "1:2"})
    assert not is_journal(writer, {})
    os.close(reader)
    os.close(writer)
    assert not is_journal(writer, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
    lines = JournalLines(JsonLines("n1"))
    for level, code in ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7)):
        assert lines.format(logging.LogRecord("aware_agent.x", level, "", 0, "m", None, None)).startswith(
            f'<{code}>{{"'
        )
