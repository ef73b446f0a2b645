"""The queen's part in sending the audit log to syslog, with the real process and a receiver that reads strictly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from aware_agent.agent.settings import AuditSettings
from aware_agent.colony.audit import Asker, AuditLine, Head
from aware_agent.colony.breaker import OpenBreaker
from aware_agent.colony.reach import Reach
from aware_agent.colony.spec import Policies
from aware_agent.colony.syslog import OFF, SENT, SYSLOG, Sent
from aware_agent.queen import commands as do
from aware_agent.queen.audit import line_key
from aware_agent.queen.audit_duty import AuditDuty
from aware_agent.queen.syslog.duty import BREAKER, MISSED, SyslogDuty
from tests.memory_colony import node_id
from tests.syslog_support import Receiver
from tests.tls_support import server_pair
from tests.unit.queen_support import Queen

LIMIT_S = 120.0


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return server_pair(tmp_path, "localhost")[0]


@pytest.fixture
def receiver(ca: Path) -> Iterator[Receiver]:
    with Receiver(ca.parent / "receiver.pem", ca.parent / "receiver.key").running() as one:
        yield one
    assert not one.trouble


def duty(queen: Queen, to: str, ca: Path) -> SyslogDuty:
    settings = AuditSettings(syslog=to, syslog_ca_file=str(ca))
    return SyslogDuty(queen.reign._writer, settings, "demo-1", Reach())


@asynccontextmanager
async def works(one: SyslogDuty) -> AsyncIterator[None]:
    task = asyncio.create_task(one.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not done():
            await asyncio.sleep(0.05)


async def write(queen: Queen, first: int, count: int) -> None:
    for number in range(first, first + count):
        await queen.run(do.PutUser(name=f"u{number}", password_hash="h", role="viewer"))


def sent(queen: Queen) -> Sent | None:
    return queen.colony.reader.one(SENT, Sent)


def newest(queen: Queen) -> Head:
    return queen.reign._writer.trail.head


def has_all(queen: Queen) -> bool:
    record = sent(queen)
    return record is not None and record.seq == newest(queen).seq


def got(receiver: Receiver) -> list[int]:
    return [json.loads(text[text.index(b"{") :])["seq"] for text in receiver.messages]


def lines(queen: Queen) -> list[AuditLine]:
    found = queen.colony.projection.items(queen.colony.keys.key("audit", ""))
    return [msgspec.json.decode(kv.value, type=AuditLine) for kv in found]


async def test_all_of_it_is_sent_and_the_next_queen_goes_on_where_she_was(receiver: Receiver, ca: Path) -> None:
    queen, to = Queen(), f"localhost:{receiver.port}"
    await write(queen, 0, 5)
    async with works(duty(queen, to, ca)):
        await until(lambda: has_all(queen))
        await write(queen, 5, 3)
        await until(lambda: has_all(queen))
    first = len(receiver.messages)
    assert got(receiver) == list(range(1, newest(queen).seq + 1))
    queen.reign.close()
    queen.colony.begin_reign(0)
    queen.reign = queen.colony.reign()
    await write(queen, 8, 3)
    async with works(duty(queen, to, ca)):
        await until(lambda: has_all(queen))
    assert got(receiver)[first:] == list(range(first + 1, newest(queen).seq + 1))
    record = sent(queen)
    assert record is not None
    assert (record.hash, record.missed, record.term) == (newest(queen).hash, 0, queen.colony.term)


async def test_a_long_log_is_sent_in_pieces_to_a_new_receiver_from_its_beginning(receiver: Receiver, ca: Path) -> None:
    queen = Queen()
    queen.colony.put(queen.colony.keys.key(SENT), Sent(target="other:1", term=1, seq=3, hash="a" * 64, missed=9))
    trail = queen.reign._writer.trail
    await write(queen, 0, 1)
    for _ in range(20):
        await queen.reign._writer.audit([trail.entry(Asker(), "x", "ada")] * 30)
    async with works(duty(queen, f"localhost:{receiver.port}", ca)):
        await until(lambda: has_all(queen))
    assert got(receiver) == list(range(1, newest(queen).seq + 1))
    record = sent(queen)
    assert record is not None
    assert record.missed == 0


async def test_lines_that_left_etcd_before_are_told_of_and_counted(receiver: Receiver, ca: Path) -> None:
    queen, to = Queen(), f"localhost:{receiver.port}"
    await write(queen, 0, 6)
    second = lines(queen)[1]
    queen.colony.put(queen.colony.keys.key(SENT), Sent(target=to, term=1, seq=2, hash=second.hash, missed=1))
    for seq in (2, 3, 4):
        queen.colony.delete(line_key(queen.colony.keys, seq))
    async with works(duty(queen, to, ca)):
        await until(lambda: has_all(queen))
    assert got(receiver) == list(range(5, newest(queen).seq + 1))
    record = sent(queen)
    assert record is not None
    assert record.missed == 3
    (told,) = [event for event in queen.events() if event.type == MISSED]
    assert "3 to 4" in told.message


@pytest.mark.parametrize("seq", [3, 2000])
async def test_of_another_past_everything_is_sent_again(receiver: Receiver, ca: Path, seq: int) -> None:
    """After a restore, or when somebody wrote there."""
    queen, to = Queen(), f"localhost:{receiver.port}"
    await write(queen, 0, 4)
    queen.colony.put(queen.colony.keys.key(SENT), Sent(target=to, term=1, seq=seq, hash="b" * 64))
    async with works(duty(queen, to, ca)):
        await until(lambda: has_all(queen))
    assert got(receiver) == list(range(1, newest(queen).seq + 1))


async def test_a_receiver_that_is_not_there_is_shown_until_it_is(receiver: Receiver, ca: Path) -> None:
    queen = Queen()
    await write(queen, 0, 2)
    async with works(duty(queen, "localhost:1", ca)):
        await until(lambda: bool(queen.colony.reader.view().breakers))
    (shown,) = queen.colony.reader.view().breakers
    assert shown.name == SYSLOG
    assert shown.reason.startswith("localhost:1: ")
    async with works(duty(queen, f"localhost:{receiver.port}", ca)):
        await until(lambda: has_all(queen))
        await until(lambda: not queen.colony.reader.view().breakers)


async def test_a_queen_whose_settings_lack_it_says_so_and_off_is_meant(ca: Path) -> None:
    queen = Queen()
    await write(queen, 0, 2)
    silent = duty(queen, "", ca)
    assert await silent.once() is None
    assert (sent(queen), silent.settled) == (None, None)
    queen.colony.put(queen.colony.keys.key(SENT), Sent(target="logs:6514", term=1, seq=2, hash="b" * 64))
    await silent.once()
    shown = queen.colony.reader.one(BREAKER, OpenBreaker)
    assert shown is not None
    assert "logs:6514" in shown.reason
    await duty(queen, OFF, ca).once()
    assert sent(queen) is None
    assert queen.colony.reader.one(BREAKER, OpenBreaker) is None


async def test_what_is_not_sent_stays_in_etcd_up_to_twice_what_is_wanted() -> None:
    queen, has = Queen(), 0
    queen.colony.put_spec(size=3, policies=Policies(keep_audit=10))
    await write(queen, 0, 14)
    one = AuditDuty(queen.reign._writer, node_id(0), lambda: 10**6, lambda: has)
    await one.once()
    assert lines(queen)[0].seq == 1
    has = 10**6
    await one.once()
    assert lines(queen)[0].seq > 1
    has = 0
    await write(queen, 20, 30)
    await one.once()
    assert len(lines(queen)) == 11
    assert "syslog does not have all of them" in lines(queen)[-1].change


async def test_how_far_it_is_writes_no_line_of_its_own(receiver: Receiver, ca: Path) -> None:
    queen = Queen()
    await write(queen, 0, 2)
    before = newest(queen)
    async with works(duty(queen, f"localhost:{receiver.port}", ca)):
        await until(lambda: has_all(queen))
    assert newest(queen) == before
