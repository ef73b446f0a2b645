"""What a frame of ``aware top`` shows, at any size and of whatever the colony is told by its nodes."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len

from aware_agent.cli.top_view import Change, Choice, Sight, Sort, frame, shown_nodes
from tests.unit.cli_support import cluster_document, node

NOW = 1_800_000_000.0


def seat(name: str, **changes: Any) -> dict[str, Any]:
    made = {"member": 1, "node": name, "name": name, "endpoint": "", "learner": False, "healthy": True, "leads": False}
    return {**made, **changes}


def event(number: int, **changes: Any) -> dict[str, Any]:
    said = {"id": f"e{number}", "revision": number, "time": NOW, "type": "node.joined", "severity": "info"}
    return {**said, "message": f"number {number}", **changes}


def sight(nodes: int = 3, **changes: Any) -> Sight:
    found = [node(f"demo-{i}", role="worker", status_since=NOW - 60) for i in range(1, nodes + 1)]
    found[0]["role"], found[-1]["role"] = "queen", "heir" if nodes > 1 else "queen"
    council = {"wanted": None, "members": [seat("demo-1"), seat("demo-2", leads=True), seat("demo-3", healthy=False)]}
    made = Sight(
        cluster=cluster_document("https://h:1"),
        nodes=found,
        council={**council, "message": "", "trouble": ""},
        events=[event(i) for i in range(1, 40)],
        at=NOW,
    )
    return made._replace(**changes)


def lines(seen: Sight, choice: Choice | None = None, width: int = 80, height: int = 24) -> list[str]:
    drawn = [line.plain for line in frame(seen, choice or Choice(), width, height, NOW)]
    assert len(drawn) <= height
    assert all(cell_len(line) <= width for line in drawn)
    return drawn


def test_the_usual_terminal_has_all_of_it() -> None:
    text = "\n".join(lines(sight()))
    for part in (
        "colony demo  healthy  2 ready of 2 wanted  term 7  revision 42",
        "queen demo-1",
        "heir demo-2",
        "etcd leader demo-2",
        "council demo-1  demo-2  demo-3 (silent)",
        "CASTE",
        "web",
        "demo-3",
        "EVENTS",
        "node.joined number 39",
        "q leave",
    ):
        assert part in text


@pytest.mark.parametrize("height", [1, 2, 9, 10, 11, 15, 16, 24, 60, 400])
@pytest.mark.parametrize("width", [1, 39, 40, 41, 79, 80, 81, 200])
def test_any_size(width: int, height: int) -> None:
    """Wide letters, controls, and more of everything than fits."""
    odd = [
        node("d\u754c\u754c\u754c\u754c\u754c\u754c\u754c\u754c\u754c\u754c\u754c\u754c\u754c-1", caste="\x1b[2J" * 30)
    ]
    odd += [node(f"long-{'x' * 200}-{i}") for i in range(1, 50)]
    cluster = cluster_document("https://h:1")
    cluster["castes"] = [{"name": f"c{i}", "wanted": i, "missing": i, "assigned": ["a" * 90] * 9} for i in range(9)]
    changes = [Change(NOW - 5, "demo-1", "demo-2", 9, 0.4)]
    for choice in (Choice(), Choice(events_first=True), Choice(helping=True), Choice(offset=10_000)):
        drawn = lines(sight()._replace(nodes=odd, cluster=cluster, changes=changes), choice, width, height)
        assert not any("\x1b" in line or "\n" in line for line in drawn)
        assert len(drawn) == height or width < 40 or height < 10


def test_without_a_queen_and_after_a_change() -> None:
    cluster = cluster_document("https://h:1") | {
        "queen": None,
        "heir": None,
        "status": "degraded",
        "reason": "no queen",
    }
    text = "\n".join(lines(sight(cluster=cluster)))
    assert "queen none  heir none" in text
    assert "degraded" in text
    changes = [Change(NOW - 90, "a", "b", 8, 0.2), Change(NOW - 5, "demo-1", "demo-2", 9, 0.43)]
    text = "\n".join(lines(sight(changes=changes)))
    assert "demo-1 -> demo-2, term 9: seen within 0.4 s, 5s ago, 2 since this began" in text


def test_an_etcd_of_operators() -> None:
    text = "\n".join(lines(sight(council={"members": [], "trouble": "", "message": ""})))
    assert "etcd leader kept by its operators" in text
    assert "council demo-1  demo-3" in text


def test_ten_thousand_nodes_can_be_scrolled() -> None:
    seen = sight(10_000)
    assert any("NODE 1-" in line and "of 10000" in line for line in lines(seen))
    assert "demo-10000 " in "\n".join(lines(seen, Choice(offset=10_000, sort=Sort.NAME)))
    assert [one["name"] for one in shown_nodes(seen, Choice(sort=Sort.NAME))[:3]] == ["demo-1", "demo-2", "demo-3"]


def test_trouble_comes_first_and_alone() -> None:
    seen = sight()
    seen.nodes[1]["status"] = "dead"  # type: ignore[index]
    assert shown_nodes(seen, Choice(sort=Sort.STATUS))[0]["name"] == "demo-2"
    assert [one["name"] for one in shown_nodes(seen, Choice(trouble_only=True))] == ["demo-2"]
    assert [one["name"] for one in shown_nodes(seen, Choice())] == ["demo-1", "demo-3", "demo-2"]


def test_what_is_old_says_so() -> None:
    assert "the last answer is 10s old" in lines(sight(at=NOW - 10))[-1]
    assert "no gateway answered" in lines(sight(trouble="no gateway answered"))[-1]
    assert "standing still" in lines(sight(at=NOW - 10), Choice(paused=True))[-1]


def test_an_event_of_any_time() -> None:
    odd = [event(1, time=moment) for moment in (-1.0, 1e30, float("nan"), float("-inf"), 0)]
    assert sum("number 1" in line for line in lines(sight(events=odd))) == len(odd)
