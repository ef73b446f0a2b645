"""Windows of a week: when they hold, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.scale import Bounds, Scale, bounds, check_scale
from aware_agent.colony.schedule import DAYS, Window, check_windows, in_force, zone_of

T0 = 1.8e9
BERLIN = ZoneInfo("Europe/Berlin")


def window(begins: str, ends: str, *days: str, low: int | None = 5, high: int | None = None) -> Window:
    return Window(begins=begins, ends=ends, days=days or DAYS, min=low, max=high)  # type: ignore[arg-type]


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        ("2026-11-30T07:59", False),  # a Monday
        ("2026-11-30T08:00", True),
        ("2026-11-30T17:59", True),
        ("2026-11-30T18:00", False),
        ("2026-12-05T12:00", False),  # a Saturday
        ("2026-07-06T08:00", True),  # summer time: six in UTC
    ],
)
def test_by_the_clocks_of_the_zone(moment: str, holds: bool) -> None:
    work = window("08:00", "18:00", "mon", "tue", "wed", "thu", "fri")
    assert (in_force([work], BERLIN, at(moment)) is work) is holds


def test_over_midnight_it_belongs_to_the_day_it_begins_on() -> None:
    night = window("22:00", "06:00", "sun")
    assert in_force([night], UTC, at("2026-11-29T23:00", ZoneInfo("UTC"))) is night
    assert in_force([night], UTC, at("2026-11-30T05:59", ZoneInfo("UTC"))) is night, "over the end of the week"
    assert in_force([night], UTC, at("2026-11-30T06:00", ZoneInfo("UTC"))) is None
    assert in_force([night], UTC, at("2026-11-30T23:00", ZoneInfo("UTC"))) is None


def test_a_whole_day() -> None:
    whole = window("00:00", "24:00", "wed")
    check_windows([whole], "f", "")
    assert in_force([whole], UTC, at("2026-12-02T23:59", ZoneInfo("UTC"))) is whole
    assert in_force([whole], UTC, at("2026-12-03T00:00", ZoneInfo("UTC"))) is None


def test_an_hour_that_is_left_out_is_in_no_window_and_one_that_comes_twice_is_in_it_twice() -> None:
    hour = window("02:00", "03:00")
    spring = [at("2026-03-29T01:59", BERLIN) + 60 * minute for minute in range(3)]
    assert [in_force([hour], BERLIN, one) for one in spring] == [None, None, None]
    autumn = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()
    assert in_force([hour], BERLIN, autumn) is hour
    assert in_force([hour], BERLIN, autumn + 3600) is hour


def test_bounds_in_a_window() -> None:
    scale = Scale(min=2, max=9, schedule=(window("08:00", "18:00", low=5, high=20),))
    assert bounds(scale, at("2026-11-30T12:00", ZoneInfo("UTC"))) == Bounds(5, 20, "08:00-18:00")
    assert bounds(scale, at("2026-11-30T20:00", ZoneInfo("UTC"))) == Bounds(2, 9)
    assert scale.highest == 20


@pytest.mark.parametrize(
    ("windows", "complaint"),
    [
        ([window("8:00", "18:00")], "'8:00' is no time of day"),
        ([window("08:00", "25:00")], "'25:00' is no time of day"),
        ([window("24:00", "08:00")], "'24:00' is no time of day"),
        ([window("08:00", "08:00")], "is empty"),
        ([window("08:00", "09:00", "mon", "mon")], "each of its days once"),
        ([window("08:00", "12:00"), window("11:59", "13:00", "sat")], r"windows 1 \(08:00-12:00\) and 2 .* overlap"),
        ([window("22:00", "02:00", "sun"), window("01:00", "03:00", "mon")], "overlap"),
        ([window("00:00", "00:01", low=1)] * 51, "51 windows are too many"),
    ],
)
def test_what_is_refused(windows: list[Window], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint) as told:
        check_windows(windows, "schedule", "")
    assert told.value.field.startswith("schedule")


def test_windows_that_touch_do_not_overlap() -> None:
    check_windows([window("08:00", "12:00"), window("12:00", "08:00")], "schedule", "")


@pytest.mark.parametrize(
    "name", ["Mars/Base", "", "../etc/passwd", "/etc/localtime", "Europe", "a" * 80, "Europe/Berlin\n"]
)
def test_zones_that_are_none(name: str) -> None:
    with pytest.raises(InvalidInput, match="no time zone"):
        zone_of(name)


@given(st.text(max_size=70))
def test_any_text_is_a_zone_or_one_clear_error(name: str) -> None:
    try:
        found = zone_of(name)
    except InvalidInput:
        return
    assert datetime.fromtimestamp(T0, found).utcoffset() is not None


TARGET = {"min": 2, "max": 9, "cpu": 0.5}


@pytest.mark.parametrize(
    ("fields", "field", "complaint"),
    [
        ({"min": 10}, "s.scale.min", "min 10 is more than max 9"),
        ({"min": -1}, "s.scale.min", "min -1 is out of range"),
        ({"max": 10_001}, "s.scale.max", "max 10001 is out of range"),
        ({"max": 10**30}, "s.scale.max", "out of range"),
        ({"min": 0}, "s.scale.min", "nobody would be left"),
        ({"min": 6}, "s.count", "count 5 is not between min 6 and max 9"),
        ({"cpu": None}, "s.scale", "nothing says how many"),
        ({"cpu": 0.0}, "s.scale.cpu", "cpu 0 is out of range"),
        ({"cpu": 1.5}, "s.scale.cpu", "cpu 1.5 is out of range"),
        ({"memory": 0.99}, "s.scale.memory", "out of range"),
        ({"load": 21.0}, "s.scale.load", "out of range"),
        ({"demand": {"per_node": 0.0}}, "s.scale.demand.per_node", "per_node 0 is out of range"),
        ({"demand": {"per_node": -3.0}}, "s.scale.demand.per_node", "out of range"),
        ({"demand": {"per_node": 1e13}}, "s.scale.demand.per_node", "out of range"),
        ({"demand": {"per_node": 1.0, "unknown_after_s": 1}}, "s.scale.demand.unknown_after_s", "out of range"),
        ({"tolerance": 0.6}, "s.scale.tolerance", "out of range"),
        ({"in": {"after_s": 86_401}}, "s.scale.in.after_s", "out of range"),
        ({"in": {"drain_s": -1}}, "s.scale.in.drain_s", "out of range"),
        ({"in": {"nodes": 0}}, "s.scale.in.nodes", "out of range"),
        ({"out": {"share": -0.1}}, "s.scale.out.share", "out of range"),
        ({"zone": "Mars/Base"}, "s.scale.zone", "no time zone"),
        ({"schedule": [{"from": "08:00", "to": "09:00"}]}, "s.scale.schedule[0]", "a window changes nothing"),
        (
            {"schedule": [{"from": "08:00", "to": "09:00", "min": 12}]},
            "s.scale.schedule[0].min",
            "12 is more than max 9",
        ),
    ],
)
def test_a_rule_that_cannot_be(fields: dict[str, object], field: str, complaint: str) -> None:
    scale = msgspec.convert({**TARGET, **fields}, Scale)
    with pytest.raises(InvalidInput, match=complaint) as told:
        check_scale(scale, 5, "s.scale", "")
    assert told.value.field == field


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="cpu nan is out of range"):
        check_scale(Scale(min=1, max=9, cpu=float("nan")), 5, "s.scale", "")
