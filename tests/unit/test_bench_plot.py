"""Drawings of the benchmarks: what was measured is in them, and the same figures give the same bytes."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import msgspec
import pytest

from bench.chaos_report import Change, Report
from bench.harness import Record, summarize
from bench.plot import Unreadable, drawn
from tests.unit.test_bench_chaos import mark

SVG = "{http://www.w3.org/2000/svg}"


def record(what: str, values: list[float], **more: object) -> bytes:
    fields = {"bench": "failover", "kind": "aware", "settings": "", "unit": "s", "ratios": {}, "load": 2.0, "extra": {}}
    whole = {"what": what, "values": values, "stats": msgspec.to_builtins(summarize(values)), **fields, **more}
    return msgspec.json.encode(msgspec.convert(whole, Record))


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def dots(svg: str) -> int:
    return sum("dot" in element.get("class", "") for element in ET.fromstring(svg).iter(f"{SVG}circle"))


def test_failover_beside_peers(tmp_path):
    file = tmp_path / "failover.jsonl"
    said = b'{"bench":"failover","what":"Patroni","skipped":"not installed"}'
    rows = [
        record("keepalived", [2.9, 3.1], kind="peer"),
        record("queen's agent killed (-9) -> first accepted write", [0.2, 0.4, 0.3]),
        record("queen's agent killed (-9): gap between accepted writes", [0.2, 0.4, 0.3]),
    ]
    file.write_bytes(b"\n".join([said, *rows]))
    drawing = drawn([file])["failover.svg"]
    assert drawing == drawn([file])["failover.svg"]
    assert dots(drawing) == 5
    assert texts(drawing).index("queen's agent killed (-9)") < texts(drawing).index("keepalived")
    assert "0.30 s, n = 3" in texts(drawing)
    assert "prefers-color-scheme: dark" in drawing


def test_a_run_of_chaos(tmp_path):
    report = Report(bench="chaos", settings="5 nodes", started=0.0, writes=[1] * 90 + [0] * 30 + [5], load=[1.0, 9.0])
    report.marks = [mark("host cut off", 2.0, 1.2), mark("handed over", 9.0, 0.1), mark("host cut off", 20.0, 2.0)]
    report.write(tmp_path / "chaos.json")
    drawings = drawn([tmp_path / "chaos.json"])
    assert set(drawings) == {"chaos-availability.svg", "chaos-gaps.svg"}
    assert dots(drawings["chaos-gaps.svg"]) == 3
    assert texts(drawings["chaos-gaps.svg"]).index("handed over") < texts(drawings["chaos-gaps.svg"]).index(
        "host cut off"
    )
    assert any("3 faults; load average 1 to 9" in text for text in texts(drawings["chaos-availability.svg"]))


def test_a_steady_run_has_no_faults_to_show(tmp_path):
    report = Report(bench="steady", settings="5 nodes", started=0.0, writes=[1] * 130)
    report.false_failovers = [Change(at=3.0, term=4, new_term=9, why=["<unknown> & odd"])]
    report.write(tmp_path / "steady.json")
    (drawing,) = drawn([tmp_path / "steady.json"]).values()
    assert any("1 reigns ended" in text for text in texts(drawing))


def test_formation_by_the_number_of_agents(tmp_path):
    unit = {"bench": "formation", "unit": "CPU s of one agent"}
    file = tmp_path / "formation.jsonl"
    file.write_bytes(
        b"\n".join(
            [
                record("libraries alone: 17 at once", [0.2], kind="floor", **unit),
                record("AWARE: 20 agents, join by token", [0.39], **unit),
                record("libraries alone: 10 at once", [0.2], kind="floor", **unit),
                record("AWARE: 100 agents, join by token", [0.41], **unit),
            ]
        )
    )
    drawing = drawn([file])["formation.svg"]
    assert {"join by token", "libraries alone"} <= set(texts(drawing))


@pytest.mark.parametrize("content", [b"", b"no json", b'{\n "bench": 7}', b'{"a": 1}'])
def test_what_is_no_report_is_named(tmp_path, content: bytes):
    file = tmp_path / "odd.json"
    file.write_bytes(content)
    if not content:
        assert drawn([file]) == {}
        return
    with pytest.raises(Unreadable, match=r"odd\.json"):
        drawn([file])
