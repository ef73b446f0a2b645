"""Refusals as the audit log counts them: who asks without end writes few lines, and leaves others their room."""

from __future__ import annotations

from aware_agent.colony.audit import Entry
from aware_agent.gateway.asking import Asking
from aware_agent.gateway.refusals import BURST, KINDS_EACH, LONGEST_WINDOW_S, MAX_SOURCES, Refusals, is_told


def asked(source: str, route: str = "/v1/spec", method: str = "PUT", code: str = "unauthenticated") -> Asking:
    made = Asking("r-1", source, method, route)
    made.route, made.code = route, code
    return made


class Counting:
    """Refusals under a clock of the test's own."""

    def __init__(self) -> None:
        self.refusals = Refusals("me")
        self.now = 0.0
        self.told: list[Entry] = []

    def refuse(self, source: str, times: int = 1, **what: str) -> None:
        for _ in range(times):
            self.refusals.note(asked(source, **what), 401, now=self.now, wall=1000.0 + self.now)

    def passes(self, seconds: float, step: float = 1.0) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += step
            self.told += self.refusals.due(self.now, 1000.0 + self.now)

    def of(self, source: str) -> list[Entry]:
        return [one for one in self.told if one.source == source]


def test_what_is_refused_is_told_soon_and_counted() -> None:
    counting = Counting()
    counting.refuse("192.0.2.1", times=7)
    counting.passes(3)
    (line,) = counting.told
    assert (line.action, line.count, line.status, line.code) == ("refused", 7, 401, "unauthenticated")
    assert (line.route, line.source, line.request, line.member) == ("PUT /v1/spec", "192.0.2.1", "r-1", "me")


def test_a_source_that_goes_on_for_hours_writes_few_lines_and_every_refusal_is_counted() -> None:
    counting = Counting()
    for _ in range(3 * 3600):
        counting.refuse("192.0.2.1", times=5)
        counting.passes(1)
    counting.passes(2 * LONGEST_WINDOW_S, step=10)
    assert len(counting.told) < 40
    assert sum(line.count for line in counting.told) == 5 * 3 * 3600


def test_a_flood_from_one_source_does_not_keep_out_what_another_did() -> None:
    counting = Counting()
    for number in range(600):
        counting.refuse("192.0.2.1", times=20, route=f"/v1/made-up-{number}")
        if number == 300:
            counting.refuse("198.51.100.9")
        counting.passes(1)
    assert [line.count for line in counting.of("198.51.100.9")] == [1]
    assert len(counting.of("192.0.2.1")) < 10 * (KINDS_EACH + 1)


def test_one_who_has_a_whole_network_of_ipv6_is_one_source() -> None:
    counting = Counting()
    for number in range(500):
        counting.refuse(f"2001:db8::{number:x}")
    counting.passes(5)
    assert len(counting.told) == 1
    assert counting.told[0].count == 500


def test_very_many_sources_are_told_as_a_sum_and_take_bounded_memory() -> None:
    counting = Counting()
    for number in range(20_000):
        counting.refuse(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(counting.refusals) <= MAX_SOURCES + 1
    counting.passes(120)
    assert sum(line.count for line in counting.told) == 20_000
    assert len(counting.told) <= BURST + 20
    assert any("many sources" in line.change for line in counting.told)


def test_who_was_quiet_for_long_is_told_soon_again() -> None:
    counting = Counting()
    for _ in range(3):
        counting.refuse("192.0.2.1")
        counting.passes(3 * LONGEST_WINDOW_S, step=5)
    counting.refuse("192.0.2.1")
    counting.passes(5)
    assert len(counting.told) == 4
    assert not len(counting.refusals)


def test_which_answers_are_refusals() -> None:
    assert [status for status in (200, 400, 401, 403, 404, 409, 412, 422, 429, 503) if is_told("PUT", status)] == [
        401,
        403,
        409,
        412,
        429,
    ]
    assert [status for status in (200, 304, 401, 403, 404, 412, 429) if is_told("GET", status)] == [401, 403, 429]
