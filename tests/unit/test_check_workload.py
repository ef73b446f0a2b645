"""The clients of a check, at a queen in memory whose answers get lost: what they see is judged as what it is."""

from __future__ import annotations

import asyncio
import random
import uuid
from typing import Any

import msgspec
import pytest

from aware_agent.agent.member.link import Asked
from aware_agent.check.report import Report, Seen, judge
from aware_agent.check.workload import CHANGED, Answer, NoAnswer, Workload
from aware_agent.colony.errors import Deposed, NotFound
from aware_agent.colony.linear import Operation, violation
from aware_agent.queen import commands as do
from aware_agent.queen.writer import RevisionChanged
from tests.unit.queen_support import Queen

CLIENTS = 4


class MemorySender:
    """Carries requests to ``queen``. A share ``lost`` of all answers to writes is lost, and the request sent again.

    ``keyed`` false is the defect: it is sent again as a new request.
    """

    def __init__(self, queen: Queen, dice: random.Random, *, lost: float = 0.0, keyed: bool = True) -> None:
        self._queen, self._dice, self._lost, self._keyed = queen, dice, lost, keyed

    async def ask(self, method: str, path: str, body: Any = None, *, if_match: int | None = None) -> Answer:
        """As :class:`aware_agent.check.workload.Sender` has it."""
        command = _command(method, path, body, if_match)
        asked = Asked(key=uuid.uuid4().hex, mark=b"m") if method != "GET" and self._keyed else None
        while True:
            await asyncio.sleep(self._dice.uniform(0, 0.002))
            try:
                done = await self._queen.colony.execute(self._queen.reign, command, once=asked)
            except RevisionChanged:
                return Answer(CHANGED, {})
            except Deposed as error:
                raise NoAnswer(maybe=False) from error
            if method != "PUT" or self._dice.random() >= self._lost:
                found = self._queen.colony.answer(command, done)
                return Answer(200, {**msgspec.to_builtins(found), "queen": f"of {found.term}"})
            await asyncio.sleep(0.01)


def _command(method: str, path: str, body: Any, if_match: int | None) -> Any:
    run = path.rpartition("/")[2]
    if method == "POST":
        return do.BeginCheck(run=body["run"])
    if method == "PUT":
        return do.WriteCheck(run=run, value=body["value"], if_revision=if_match)
    return do.ReadCheck(run=run) if method == "GET" else do.EndCheck(run=run)


def workload(queen: Queen, seed: int, most: int, **sender: Any) -> Workload:
    dice = random.Random(seed)
    senders = [MemorySender(queen, dice, **sender) for _ in range(CLIENTS)]
    return Workload(senders, MemorySender(queen, dice), seed=seed, pause_s=0.001, most=most)


def judged(work: Workload) -> Report:
    return judge(
        Seen(
            colony="demo",
            clients=CLIENTS,
            began=work.began,
            ended=work.ended,
            history=work.history,
            accepted=work.accepted,
            undone=work.undone,
        )
    )


@pytest.mark.parametrize("seed", [1, 2])
async def test_lost_answers_and_changes_of_the_queen_leave_one_order(seed: int) -> None:
    queen = Queen()
    work = workload(queen, seed, 200, lost=0.2)
    await work.begin()
    work.start()
    async with asyncio.timeout(120):
        while len(work.history) < 60:
            await asyncio.sleep(0.001)
    queen.reign.close()
    queen.colony.begin_reign(0)
    queen.reign = queen.colony.reign()
    await work.wait(120)
    await work.stop()
    report = judged(work)
    assert report.verdict == "ok", report.violation
    assert report.operations == 200 + 1, "and the last read"
    (change,) = report.changes
    assert change.to_term == queen.reign.term
    assert change.to_queen == f"of {queen.reign.term}"
    await work.remove()
    assert queen.colony.projection.get(queen.colony.keys.key("check")) is None


async def test_long_work_is_judged_piece_by_piece_and_nothing_is_kept() -> None:
    queen = Queen()
    work = workload(queen, 3, 10_000, lost=0.2)
    await work.begin()
    work.start()
    held = 0
    for _ in range(5):
        async with asyncio.timeout(120):
            while len(work.history) < 30:
                await asyncio.sleep(0.001)
        window = await work.cut()
        assert window.first == held, "it begins where the last one ended"
        assert len(window.history) >= 30
        assert window.accepted
        assert not violation(window.history, window.first)
        held = window.history[-1].value
    assert len(work._known) <= 3
    await work.stop()


async def test_what_nobody_answered_is_in_every_piece_until_it_is_seen() -> None:
    queen = Queen()
    work = workload(queen, 3, 0)
    await work.begin()
    lost = Operation("write", 7, 0.0, outcome="unknown")
    work.history.append(lost)
    assert (await work.cut()).history[0] == lost
    again = await work.cut()
    assert again.history[0] == lost
    work.history.append(Operation("read", 7, 1.0, 2.0))
    assert lost in (await work.cut()).history
    assert lost not in (await work.cut()).history
    await work.stop()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_writes_that_are_done_twice_are_found(seed: int) -> None:
    queen = Queen()
    work = workload(queen, seed, 200, lost=0.2, keyed=False)
    await work.begin()
    work.start()
    await work.wait(120)
    await work.stop()
    report = judged(work)
    assert report.verdict == "violation"
    assert report.violation


async def test_a_check_that_another_one_put_aside_ends_with_that_as_its_error() -> None:
    queen = Queen()
    work = workload(queen, 1, 10_000)
    await work.begin()
    work.start()
    async with asyncio.timeout(120):
        while not work.history:
            await asyncio.sleep(0.001)
    run = msgspec.json.decode(queen.colony.projection.get(queen.colony.keys.key("check")).value)["run"]  # type: ignore[union-attr]
    await queen.run(do.EndCheck(run=run))
    await work.wait(120)
    with pytest.raises(NotFound, match="this check is over"):
        work.check()
    with pytest.raises(NotFound, match="this check is over"):
        await work.stop()
