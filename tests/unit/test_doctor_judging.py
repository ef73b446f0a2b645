"""What a doctor says of what it saw: each judgement at its bounds, with something to do whenever it is not fine."""

from __future__ import annotations

from typing import Any

import pytest

from aware_agent.colony import judging_colony, judging_host
from aware_agent.colony.finding import Finding, Level, Said, counts

OK, WARN, ERROR, SKIPPED = Level.OK, Level.WARN, Level.ERROR, Level.SKIPPED
DAY = 86400.0
NOW = 1_800_000_000.0


def node(name: str, **more: Any) -> dict[str, Any]:
    """A node as the gateway shows it."""
    number = name.rpartition("-")[2]
    base = {"id": number, "name": name, "status": "ready", "version": "1.0", "address": f"192.0.2.{number}"}
    return {**base, "url": f"https://192.0.2.{number}:8443", "capabilities": {"zone": "a"}, **more}


SEATS = [{"node": str(n), "name": f"n-{n}", "healthy": True, "learner": False} for n in (1, 2, 3)]
COUNCIL: dict[str, Any] = {"wanted": {"size": 3}, "members": SEATS, "message": "", "trouble": ""}
NODES = [node("n-1"), node("n-2"), node("n-3")]
HOST = judging_host
COLONY = judging_colony

JUDGED: list[tuple[Said, Level, str]] = [
    (HOST.sync_times([0.001] * 99 + [0.009], seat=True, where="/s"), OK, "median 1.0 ms"),
    (HOST.sync_times([0.001] * 90 + [0.02] * 10, seat=True, where="/s"), WARN, "etcd wants 10 ms"),
    (HOST.sync_times([0.001] * 90 + [0.02] * 10, seat=False, where="/s"), OK, "20.0 ms"),
    (HOST.sync_times([0.001] * 90 + [0.2] * 10, seat=True, where="/s"), ERROR, "200.0 ms"),
    (HOST.sync_times([0.001] * 90 + [0.2] * 10, seat=False, where="/s"), WARN, "200.0 ms"),
    (HOST.sync_times([], seat=True, where="/s"), SKIPPED, "no write"),
    (HOST.room(63, 10**6, seat=False, where="/s"), ERROR, "63 MiB"),
    (HOST.room(64, 10**6, seat=False, where="/s"), WARN, "64 MiB"),
    (HOST.room(300, 10**6, seat=False, where="/s"), OK, "300 MiB"),
    (HOST.room(300, 10**6, seat=True, where="/s"), WARN, "300 MiB"),
    (HOST.room(5000, 10, seat=False, where="/s"), ERROR, "10 inodes"),
    (HOST.room(5000, -1, seat=True, where="/s"), OK, "5000 MiB"),
    (HOST.own_clock(None), SKIPPED, "does not tell"),
    (HOST.own_clock(True), OK, "is synchronised"),
    (HOST.own_clock(False), WARN, "not synchronised"),
    (HOST.clocks({}, 30), SKIPPED, "nobody"),
    (HOST.clocks({"a": 0.4, "b": -0.6}, 30), OK, "2 nodes agree"),
    (HOST.clocks({"a": 5.0, "b": 5.5}, 30), WARN, "5.5 s behind those of 2"),
    (HOST.clocks({"a": -31.0}, 30), ERROR, "31.0 s ahead of"),
    (HOST.clocks({"a": 0.0, "b": 4.0}, 30), WARN, "b is 4.0 s ahead of a"),
    (HOST.clocks({"a": -20.0, "b": 20.0}, 30), ERROR, "b is 40.0 s ahead of a"),
    (HOST.umask(0o077, "it"), OK, "0077"),
    (HOST.umask(0o022, "it"), OK, "0022"),
    (HOST.umask(0o002, "it"), WARN, "0002"),
    (HOST.umask(0o000, "it"), WARN, "0000"),
    (HOST.proxies({}, ["192.0.2.1"], "it"), OK, "no proxy"),
    (HOST.proxies({"https_proxy": "http://u:hunter22@p"}, ["192.0.2.1"], "it"), WARN, "take what goes to 192.0.2.1"),
    (HOST.proxies({"https_proxy": "x", "no_proxy": "192.0.2.0/24"}, ["192.0.2.1"], "it"), OK, "no_proxy names"),
    (HOST.proxies({"https_proxy": "x", "no_proxy": "*"}, ["a.b"], "it"), OK, "no_proxy names"),
    (HOST.proxies({"ALL_PROXY": "x", "NO_PROXY": ".b"}, ["a.b", "ab"], "it"), WARN, "to ab"),
    (HOST.link_mtu(None, ""), SKIPPED, "no interface"),
    (HOST.link_mtu(1279, "eth0"), ERROR, "eth0 is 1279"),
    (HOST.link_mtu(1280, "eth0"), OK, "1280"),
    (HOST.path_mtu({}), SKIPPED, "no peer"),
    (HOST.path_mtu({"a": 1448, "b": 500}), WARN, "500 bytes to b"),
    (HOST.path_mtu({"a": 1448, "b": 1340}), OK, "1340 bytes or more to 2 peers"),
    (HOST.large_answers(True, True, "a"), OK, "whole"),
    (HOST.large_answers(True, False, "a"), ERROR, "got lost"),
    (HOST.large_answers(False, False, "a"), SKIPPED, "does not answer"),
    (HOST.names({}), OK, "no name"),
    (HOST.names({"a": (("192.0.2.1",), "")}), OK, "1 name"),
    (HOST.names({"a": ((), "Name or service not known")}), ERROR, "a cannot be looked up: Name or"),
    (HOST.names({"a": (("127.0.1.1", "::1"), "")}), WARN, "a resolves to this machine"),
    (HOST.names({"localhost": (("127.0.0.1",), "")}), OK, "1 name"),
    (HOST.machine_id(None), SKIPPED, "no /etc/machine-id"),
    (HOST.machine_id("b3" * 16 + "\n"), OK, "names this machine"),
    (HOST.machine_id("0" * 32), WARN, "no id"),
    (HOST.machine_id("uninitialized"), WARN, "no id"),
    (HOST.certificate("c", NOW - 1, 0, NOW), ERROR, "ran out"),
    (HOST.certificate("c", NOW + 9 * DAY, NOW + 7200, NOW), ERROR, "only in 2 hours"),
    (HOST.certificate("c", NOW + 5 * DAY, NOW - 2 * DAY, NOW), OK, "5 days"),
    (HOST.certificate("c", NOW + 1.7 * DAY, NOW - 5.3 * DAY, NOW), WARN, "should have been renewed"),
    (HOST.certificate("c", NOW + 0.9 * DAY, 0, NOW), WARN, "should have been renewed"),
    (HOST.certificate("c", NOW + 29 * DAY, 0, NOW, authority=True), WARN, "29 days"),
    (HOST.certificate("c", NOW + 31 * DAY, 0, NOW, authority=True), OK, "31 days"),
    (HOST.certificate_names("c", ["192.0.2.1", "x"], ["192.0.2.1"]), OK, "names what"),
    (HOST.certificate_names("c", ["2001:DB8:0::1"], ["2001:db8::1"]), OK, "names what"),
    (HOST.certificate_names("c", ["192.0.2.1"], ["192.0.2.2"]), ERROR, "does not name 192.0.2.2"),
    (HOST.broadcast(["n-2"], 3, 12, 2, 20100), OK, "n-2"),
    (HOST.broadcast([], 3, 12, 2, 20100), WARN, "none of this colony"),
    (HOST.broadcast([], 0, 12, 2, 20100), WARN, "in 12 s"),
    (HOST.broadcast([], 0, 12, 0, 20100), SKIPPED, "no other member"),
    (COLONY.health({"status": "healthy", "reason": "", "queen": {}}), OK, "healthy"),
    (COLONY.health({"status": "degraded", "reason": "silent or dead: n-2", "queen": {}}), WARN, "n-2"),
    (COLONY.health({"status": "forming", "reason": "2 of 3", "queen": {}}), WARN, "2 of 3"),
    (COLONY.health({"status": "degraded", "reason": "no queen", "queen": None}), ERROR, "no queen"),
    (COLONY.health({}), ERROR, "no queen"),
    (COLONY.readiness({}), SKIPPED, "no node"),
    (COLONY.readiness({"n-1": "", "n-2": ""}), OK, "2 nodes"),
    (COLONY.readiness({"n-1": "", "n-2": "no contact with etcd"}), ERROR, "n-2: no contact with etcd"),
    (COLONY.reachable({}, 0), SKIPPED, "no node"),
    (COLONY.reachable({}, 3), OK, "3 nodes"),
    (COLONY.reachable({"n-2": "Connection refused"}, 3), WARN, "n-2: Connection refused"),
    (COLONY.versions([], "1.0"), SKIPPED, "no node"),
    (COLONY.versions(NODES, "1.0"), OK, "1.0"),
    (COLONY.versions(NODES, "1.1"), WARN, "this command is of 1.1"),
    (COLONY.versions([*NODES[:2], node("n-3", version="0.9")], "1.0"), WARN, "0.9: n-3"),
    (COLONY.versions([*NODES, node("n-4", version="0.1", status="left")], "1.0"), OK, "1.0"),
    (COLONY.council({**COUNCIL, "wanted": None}, NODES), SKIPPED, "operators' own"),
    (COLONY.council(COUNCIL, NODES), OK, "3 members"),
    (COLONY.council({**COUNCIL, "trouble": "no node left to sit"}, NODES), ERROR, "no node left"),
    (COLONY.council({**COUNCIL, "members": [*SEATS[:2], {**SEATS[2], "healthy": False}]}, NODES), ERROR, "n-3"),
    (COLONY.council({**COUNCIL, "message": "the council is full: 3 seats"}, NODES), OK, "3 members"),
    (COLONY.council({**COUNCIL, "members": SEATS[:2], "message": "n-3 copies"}, NODES), WARN, "2 of 3 seats"),
    (COLONY.council({**COUNCIL, "members": [*SEATS[:2], {**SEATS[2], "learner": True}]}, NODES), WARN, "2 of 3"),
    (COLONY.council({**COUNCIL, "wanted": {"size": 1}, "members": SEATS[:1]}, NODES), WARN, "one member"),
    (COLONY.council(COUNCIL, [*NODES, node("n-4", capabilities={"zone": "b"})]), WARN, "zone a"),
    (COLONY.store({}), SKIPPED, "no council"),
    (COLONY.store({"n-1": {"trouble": ""}, "n-2": {"trouble": ""}}), OK, "2 council members"),
    (COLONY.store({"n-1": {"trouble": "full", "detail": "etcd is full", "hint": "make room"}}), ERROR, "etcd is full"),
    (COLONY.reads([], "e"), SKIPPED, "no read"),
    (COLONY.reads([0.002] * 20, "e"), OK, "2.0 ms"),
    (COLONY.reads([0.002] * 19 + [0.06], "e"), WARN, "60.0 ms"),
    (COLONY.reads([0.002] * 19 + [0.6], "e"), ERROR, "600.0 ms"),
]


@pytest.mark.parametrize(("said", "level", "words"), JUDGED, ids=[f"{said.message[:60]}" for said, _, _ in JUDGED])
def test_what_is_said(said: Said, level: Level, words: str) -> None:
    assert said.level is level, said
    assert words in said.message
    if level in (WARN, ERROR):
        assert said.to_do, "a finding says what to do"
    assert "hunter22" not in said.message + said.to_do


def test_what_is_there_twice_is_found() -> None:
    twins = [*NODES, node("n-4", url=NODES[0]["url"].upper().replace("HTTPS", "https"))]
    (said,) = COLONY.duplicates(twins, {})
    assert (said.level, said.to_do != "") == (ERROR, True)
    assert "n-1 and n-4 have the gateway address" in said.message
    (named,) = COLONY.duplicates([*NODES, {**node("n-4", url=""), "name": "N-1"}], {})
    assert "have the name n-1" in named.message


def test_cloned_machines_are_found_and_agents_side_by_side_are_not() -> None:
    marks = {"n-1": "aa", "n-2": "aa", "n-3": ""}
    (said,) = COLONY.duplicates(NODES, marks)
    assert said.level is WARN
    assert "n-1 and n-2 have one machine id" in said.message
    together = [{**one, "address": "192.0.2.9"} for one in NODES]
    assert [one.level for one in COLONY.duplicates(together, marks)] == [OK]
    assert [one.level for one in COLONY.duplicates(NODES, {})] == [OK]
    gone = [NODES[0], {**NODES[1], "status": "left", "url": NODES[0]["url"]}]
    assert [one.level for one in COLONY.duplicates(gone, {})] == [OK]


def test_documents_of_anybody_break_no_judgement() -> None:
    odd: list[Any] = [{}, {"name": 7, "url": 3}, {"name": "x", "capabilities": None, "version": None}]
    assert COLONY.versions(odd, "1").level is SKIPPED
    assert [one.level for one in COLONY.duplicates(odd, {"x": "aa"})] == [OK]
    members = {"wanted": [], "members": ["?", {"node": None}, *SEATS], "message": None}
    assert COLONY.council(members, odd).level is OK


def test_findings_are_counted_by_level() -> None:
    found = [Finding(scope="node", check="x", level=level, message="m") for level in (OK, OK, ERROR)]
    assert counts(found) == {"ok": 2, "warn": 0, "error": 1, "skipped": 0}
