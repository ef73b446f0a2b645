"""Checks run side by side, each bounded, each on its own: what hangs or breaks is a finding of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from aware_agent.cli.doctor_run import Check, Once, Skip, at_once, run_checks
from aware_agent.colony.errors import NotFound
from aware_agent.colony.finding import Finding, Level, Said, fine


@pytest.fixture
def never() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def told(*checks: Check[None]) -> dict[str, Finding]:
    return {one.check: one for one in run_checks("node", None, checks)}


def test_a_check_that_hangs_is_told_and_holds_up_nobody(never: threading.Event) -> None:
    def hangs(_: None) -> Said:
        never.wait()
        return fine("too late")

    found = told(Check("slow", hangs, 0.2), Check("quick", lambda _: fine("done")))
    assert found["quick"].level is Level.OK
    assert found["slow"].level is Level.WARN
    assert "longer than 0.2 s" in found["slow"].message
    assert found["slow"].to_do


def test_each_way_to_fail_is_a_finding() -> None:
    def raises(error: Exception) -> Check[None]:
        def probe(_: None) -> Said:
            raise error

        return Check(type(error).__name__, probe)

    found = told(
        raises(NotFound("no such node", hint="aware nodes list")),
        raises(PermissionError(13, "Permission denied", "/etc/x")),
        raises(OSError(5, "Input/output error", "/dev/x")),
        raises(Skip("nobody is logged in", "aware login")),
        raises(ZeroDivisionError("oh\x1b[31m")),
    )
    assert (found["NotFound"].level, found["NotFound"].to_do) == (Level.ERROR, "aware nodes list")
    assert (found["PermissionError"].level, "root" in found["PermissionError"].to_do) == (Level.SKIPPED, True)
    assert found["OSError"].message == "/dev/x: Input/output error"
    assert (found["Skip"].level, found["Skip"].to_do) == (Level.SKIPPED, "aware login")
    assert "ZeroDivisionError" in found["ZeroDivisionError"].message
    assert "\x1b" not in found["ZeroDivisionError"].message


def test_the_order_is_that_of_the_table_and_one_check_may_say_more() -> None:
    found = run_checks("node", None, [Check("b", lambda _: [fine("1"), fine("2")]), Check("a", lambda _: fine("3"))])
    assert [(one.check, one.message) for one in found] == [("b", "1"), ("b", "2"), ("a", "3")]


def test_what_several_need_is_made_once_and_so_is_its_error() -> None:
    calls = []

    def make() -> int:
        calls.append(1)
        raise NotFound("not here")

    once = Once(make)
    for _ in range(2):
        with pytest.raises(NotFound):
            once()
    assert len(calls) == 1


def test_many_things_are_asked_at_once_and_late_ones_are_missing(never: threading.Event) -> None:
    def ask(number: int) -> int:
        if number == 3:
            never.wait()
        return number * 10

    found = at_once(range(8), ask, limit_s=1.0, width=4)
    assert found == {number: number * 10 for number in range(8) if number != 3}
