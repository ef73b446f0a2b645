"""How busy a node is: read from the kernel, counted between looks, told when it is news, refused when it cannot be."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.agent.load_meter import LoadMeter
from aware_agent.colony.capacity import metrics
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.load import (
    LOOK_S,
    MAX_BYTES,
    REPORT_S,
    UNKNOWN_AFTER_S,
    Known,
    Load,
    LoadView,
    Row,
    Sample,
    is_news,
    known,
    load_between,
    memory_of,
    queue_of,
    read_load,
    ticks_of,
)
from aware_agent.colony.node import Status
from aware_agent.colony.view import with_loads
from tests.gateway.memory import MemoryContext, node_id

QUIET = Load(cpu=100, load=50, memory_used_mib=1000, memory_mib=4000, disk_used_mib=10, disk_mib=100)
STAT = "cpu  100 10 50 800 40 0 0 0 7 0\ncpu0 1 2 3 4\n"
MEMINFO = "MemTotal:        4194304 kB\nMemFree:          100 kB\nMemAvailable:    3145728 kB\nBuffers: 1 kB\n"


def test_what_the_kernel_says() -> None:
    assert ticks_of(STAT) == (160, 1000)  # waiting for a disk is idle, and time of guests is not counted twice
    assert memory_of(MEMINFO) == (1024, 4096)
    assert (queue_of("0.07 0.01 0.05 1/1 1"), queue_of("12.5 1 1"), queue_of("3 1 1")) == (7, 1250, 300)


@pytest.mark.parametrize("text", ["", "cpu", "cpu a b c d e", "intr 1 2 3"])
def test_what_is_not_of_a_kernel_is_refused(text: str) -> None:
    with pytest.raises((ValueError, LookupError)):
        ticks_of(text)


def sample(at: float, busy: int, total: int, **changes: int) -> Sample:
    return Sample(at, busy, total, 50, 1000, 4000, 10, 100)._replace(**changes)


def test_a_load_is_of_the_time_between_two_looks() -> None:
    load = load_between(sample(0, 100, 1000), sample(10, 350, 2000))
    assert load is not None
    assert load.cpu == 250
    assert load_between(sample(0, 100, 1000), sample(10, 100, 1000)) is None
    backwards = load_between(sample(0, 100, 1000), sample(10, 50, 2000))  # counters of a kernel may run back
    assert backwards is not None
    assert backwards.cpu == 0


@given(st.lists(st.integers(0, 2**50), min_size=8, max_size=8))
def test_whatever_the_kernel_says_can_be_told(numbers: list[int]) -> None:
    busy, total, queue, used, memory, disk_used, disk, more = numbers
    after = Sample(2.0, busy + more, total + more, queue, used, min(memory, 2**40), disk_used, min(disk, 2**40))
    load = load_between(sample(0, busy, total), after)
    assert load is None or read_load(msgspec.msgpack.encode(load)) == load


def test_news_is_what_is_due_or_much_changed() -> None:
    assert is_news(None, QUIET, 0.0)
    assert not is_news(QUIET, QUIET, REPORT_S / 2)
    assert is_news(QUIET, QUIET, REPORT_S)
    for change in ({"cpu": 300}, {"memory_used_mib": 1800}, {"disk_used_mib": 30}):
        assert is_news(QUIET, msgspec.structs.replace(QUIET, **change), 2.0), change
    assert not is_news(QUIET, msgspec.structs.replace(QUIET, cpu=299, load=9000), 2.0)


LIES: dict[str, Any] = {
    "more than all": [1001, 0, 1, 1, 1, 1],
    "less than nothing": [-1, 0, 1, 1, 1, 1],
    "more memory than there is": [1, 0, 2, 1, 1, 1],
    "more disk than there is": [1, 0, 1, 1, 2, 1],
    "no number": [math.nan, 0, 1, 1, 1, 1],
    "endless": [1, math.inf, 1, 1, 1, 1],
    "a fraction": [0.5, 0, 1, 1, 1, 1],
    "an exbibyte": [1, 0, 1, 2**60, 1, 1],
    "an endless queue": [1, 2**53, 1, 1, 1, 1],
    "words": ["busy", 0, 1, 1, 1, 1],
    "too few": [1, 2],
    "another shape": {"cpu": 1},
    "nothing": None,
    "long": [1, 0, 1, 1, 1, 1, "x" * MAX_BYTES],
}


@pytest.mark.parametrize("lie", LIES)
def test_what_cannot_be_is_refused_in_one_short_line(lie: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_load(msgspec.msgpack.encode(LIES[lie]))
    assert len(caught.value.message) <= 200
    assert "\n" not in caught.value.message


@given(st.binary(max_size=2 * MAX_BYTES))
def test_any_bytes_are_a_load_or_refused(raw: bytes) -> None:
    try:
        load = read_load(raw)
    except InvalidInput:
        return
    assert 0 <= load.cpu <= 1000
    assert load.memory_used_mib <= load.memory_mib


def test_what_was_not_told_for_long_is_not_known() -> None:
    rows = [Row("a", 1.0, 2.0, QUIET), Row("b", 200.0, UNKNOWN_AFTER_S + 1, QUIET), Row("c")]
    found = known(rows, 1000.0)
    assert found["a"].last_heartbeat == 999.0
    assert found["a"].load == LoadView(
        at=998.0, cpu=0.1, load1=0.5, memory_used_mib=1000, memory_mib=4000, disk_used_mib=10, disk_mib=100
    )
    assert found["b"] == Known(800.0, None)
    assert found["c"] == Known(None, None)


class Proc:
    """Files of a kernel, and a clock."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.now = directory, 100.0
        self.busy, self.idle = 0, 0
        (directory / "meminfo").write_text(MEMINFO)
        (directory / "loadavg").write_text("0.50 0.1 0.1 1/1 1\n")
        self.passes(0, 0)

    def passes(self, seconds: float, cpu: float) -> None:
        self.now += seconds
        self.busy += int(1000 * seconds * cpu)
        self.idle += int(1000 * seconds * (1 - cpu))
        (self.directory / "stat").write_text(f"cpu  {self.busy} 0 0 {self.idle} 0 0 0 0 0 0\n")

    def meter(self) -> LoadMeter:
        return LoadMeter(self.directory, proc=self.directory, clock=lambda: self.now)


def test_a_meter_tells_now_and_then_and_at_once_when_much_changes(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    meter = proc.meter()
    proc.passes(1, 0.1)
    assert (meter.look(), meter.frame) == (0, b"")
    proc.passes(1, 0.1)
    assert meter.look() == 1
    assert meter.load is not None
    assert (meter.load.cpu, meter.load.load, meter.load.memory_mib) == (100, 50, 4096)
    assert read_load(meter.frame) == meter.load
    for _ in range(3):
        proc.passes(LOOK_S, 0.1)
        assert meter.look() == 1
    proc.passes(LOOK_S, 1.0)  # 325 permille since it was told: much more than 100
    assert meter.look() == 2
    assert meter.load.cpu == 325
    proc.passes(LOOK_S, 1.0)
    assert meter.look() == 3
    assert meter.load.cpu == 1000
    proc.passes(REPORT_S, 1.0)
    assert meter.look() == 4


def test_a_kernel_that_does_not_tell_has_no_load(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    (tmp_path / "meminfo").unlink()
    meter = proc.meter()
    proc.passes(REPORT_S, 1.0)
    assert (meter.look(), meter.load) == (0, None)
    (tmp_path / "meminfo").write_text(MEMINFO)
    for _ in range(2):
        proc.passes(LOOK_S, 1.0)
        meter.look()
    assert meter.number == 1


def test_the_real_kernel_tells(tmp_path: Path) -> None:
    now = [0.0]
    meter = LoadMeter(tmp_path, clock=lambda: now[0])
    first = meter._last
    assert first is not None
    assert 0 < first.memory_used_mib < first.memory_mib
    assert first.disk_mib > 0
    assert 0 < first.busy < first.total


def test_sums_tell_unknown_from_nothing() -> None:
    context = MemoryContext(5)  # 2 in web, 1 in store, 2 spare, of 2 processors each
    empty = metrics(context.view())
    assert (empty.ready, empty.reporting, empty.vcpus) == (5, 0, 10)
    assert (empty.cpu, empty.vcpus_used, empty.memory, empty.ram_used_mib, empty.load1, empty.oldest) == (None,) * 6

    half = LoadView(at=990.0, cpu=0.5, load1=1.0, memory_used_mib=1000, memory_mib=2000, disk_used_mib=0, disk_mib=0)
    context.add_node(3, record={"status": Status.DEAD})
    loads = {node_id(1): Known(1.0, half), node_id(2): Known(1.0, None), node_id(3): Known(1.0, half)}
    full = metrics(with_loads(context.view(), loads))
    assert (full.nodes, full.ready, full.reporting) == (5, 4, 1), "who is dead uses nothing"
    assert (full.cpu, full.vcpus_used, full.memory, full.ram_used_mib, full.load1) == (0.5, 1.0, 0.5, 1000, 1.0)
    assert full.oldest == 990.0
    castes = {caste.name: caste for caste in full.castes}
    assert set(castes) == {"web", "store", "spare"}
    assert (castes["web"].nodes, castes["web"].reporting, castes["web"].cpu) == (2, 1, 0.5)
    assert (castes["spare"].reporting, castes["spare"].cpu) == (0, None)
