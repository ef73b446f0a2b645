"""``aware check election`` against gateways that are only as good as a test makes them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aware_agent.cli import check_run
from aware_agent.cli.app import app
from tests.unit.cli_support import Ask, Authority, Colony, FakeGateway, Reply, Route, colony, node, problem


class Register(dict[str, Route]):
    """Routes of ``/v1/check`` with a register behind them; ``defect`` is what it does wrong."""

    def __init__(self, queen: FakeGateway, *, role: str = "admin", defect: str = "") -> None:
        super().__init__(queen.routes)
        self.value, self.revision, self.run, self.defect, self.role = 0, 1, "", defect, role
        self.stale = 0  # the value before the present one
        self.done: dict[str, Reply] = {}
        self.steps_down = 0
        self._lock = threading.Lock()
        me = {"name": "ada", "role": role, "expires_at": 2.0**33, "session": ""}
        self["GET /v1/auth/me"] = lambda _: Reply(me)
        self["GET /v1/nodes"] = lambda _: Reply({"nodes": [node("demo-1", queen.url)]})
        self["POST /v1/queen/step-down"] = self._step_down
        queen.routes = self

    def get(self, route: str, default: Any = None) -> Any:
        """The route, also of a run."""
        path = route.partition(" ")[2]
        if path == "/v1/check" or (self.run and path == f"/v1/check/{self.run}"):
            return self._serve
        return super().get(route, default)

    def _serve(self, ask: Ask) -> Reply:
        if self.role == "viewer":
            return problem(403, "forbidden", "this needs role operator, you are viewer")
        with self._lock:
            return {"POST": self._begin, "GET": self._read, "PUT": self._write, "DELETE": self._end}[ask.method](ask)

    def _begin(self, ask: Ask) -> Reply:
        if self.defect == "no-queen":
            return problem(503, "no-queen", "the colony has no queen at this moment")
        if self.run:
            return problem(409, "conflict", "a check by otto is at work")
        self.run = ask.body["run"]
        return self._change(201)

    def _read(self, _: Ask) -> Reply:
        value = self.stale if self.defect == "stale" else self.value
        return Reply({"value": value, "revision": self.revision, "term": 7})

    def _write(self, ask: Ask) -> Reply:
        if self.defect == "silent":
            return Reply(cut=True)
        expected = ask.headers.get("If-Match")
        if expected and expected.strip('"') != str(self.revision) and self.defect != "blind":
            return problem(412, "precondition-failed", "it changed")
        if self.defect != "lost":
            self.stale, self.value = self.value, ask.body["value"]
        self.revision += 1
        return self._change(200)

    def _end(self, _: Ask) -> Reply:
        self.run = ""
        return self._change(200)

    def _change(self, status: int) -> Reply:
        return Reply({"changed": True, "revision": self.revision, "term": 7, "queen": "demo-1"}, status)

    def _step_down(self, _: Ask) -> Reply:
        self.steps_down += 1
        if self.defect == "alone":
            return problem(409, "conflict", "no other candidate is ready to reign")
        return Reply({"from": {"id": "a", "name": "demo-1"}, "to": {"id": "b", "name": "demo-2"}, "term": 7}, 202)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Colony]:
    monkeypatch.setattr(check_run, "ANSWER_S", 1.0)
    with colony(tmp_path) as found:
        yield found


def check(made: Colony, *options: str, duration: str = "1s", endpoint: str = "") -> Any:
    context = made.context(endpoint or made.fakes[0].url)
    command = ["check", "election", "--duration", duration, *options, "--context", str(context)]
    return CliRunner().invoke(app, command)


def test_a_good_register_passes_and_is_removed(made: Colony) -> None:
    register = Register(made.gateway())
    done = check(made, "--operations", "40")
    assert done.exit_code == 0, done.output
    assert "no violation found" in done.output
    assert "the same all the time" in done.output
    assert register.run == "", "removed"
    assert register.steps_down == 0, "unless it is asked for"


def test_for_programs_it_is_one_document(made: Colony) -> None:
    Register(made.gateway())
    said = json.loads(check(made, "--operations", "40", "--json", "--clients", "2", duration="60s").stdout)
    assert said["verdict"] == "ok"
    assert 40 <= said["operations"] <= 42
    assert said["operations"] == said["reads"] + said["writes"] + said["unanswered"]
    assert said["writes"] == said["accepted"] + said["refused"] + said["unknown"]
    assert said["clients"] == 2
    assert said["violation"] == []


@pytest.mark.parametrize("defect", ["stale", "lost", "blind"])
def test_a_register_with_a_defect_is_found_out(made: Colony, defect: str) -> None:
    register = Register(made.gateway(), defect=defect)
    done = check(made, "--operations", "150", "--clients", "4", duration="30s")
    assert done.exit_code == 24, done.output
    assert "VIOLATION" in done.output
    assert "These operations have no order" in done.output
    table = done.output.partition("These operations have no order")[2].splitlines()
    assert 3 <= len(table) <= 45, "a person can read it"
    assert register.run == ""


def test_a_colony_that_answers_no_write_is_not_called_good(made: Colony) -> None:
    register = Register(made.gateway(), defect="silent")
    done = check(made)
    assert done.exit_code == 25, done.output
    assert "no write was accepted" in done.output
    assert register.run == ""


def test_hand_overs_are_asked_for_in_the_middle(made: Colony) -> None:
    register = Register(made.gateway())
    done = check(made, "--hand-over", "2")
    assert done.exit_code == 0, done.output
    assert register.steps_down == 2
    assert done.output.count("demo-1 was asked to hand over to demo-2") == 2


def test_a_hand_over_that_is_refused_is_told(made: Colony) -> None:
    Register(made.gateway(), defect="alone")
    done = check(made, "--hand-over", "1")
    assert done.exit_code == 0, done.output
    assert "not done: no other candidate is ready to reign" in done.output


def test_a_viewer_is_told_which_role_it_takes(made: Colony) -> None:
    Register(made.gateway(), role="viewer")
    done = check(made)
    assert done.exit_code == 3
    assert done.stderr.splitlines() == ["error: this needs role operator, you are viewer"]


def test_an_operator_may_check_but_not_have_hand_overs(made: Colony) -> None:
    register = Register(made.gateway(), role="operator")
    assert check(made, "--operations", "10").exit_code == 0
    done = check(made, "--hand-over", "1")
    assert done.exit_code == 3
    assert "--hand-over needs role admin, you are operator" in done.stderr
    assert register.run == "", "nothing was begun"


def test_no_queen_at_the_start(made: Colony) -> None:
    Register(made.gateway(), defect="no-queen")
    done = check(made)
    assert done.exit_code == 7
    assert "the queen of colony demo was not found within 1 s" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_colony_of_another_ca(made: Colony, tmp_path: Path) -> None:
    Register(made.gateway(Authority(tmp_path / "other", "demo")))
    done = check(made)
    assert done.exit_code == 7
    assert "certificate" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_another_check_is_at_work(made: Colony) -> None:
    register = Register(made.gateway())
    register.run = "f" * 32
    done = check(made)
    assert done.exit_code == 5
    assert "a check by otto is at work" in done.stderr
    assert register.run == "f" * 32, "that one goes on"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--duration", "0"),
        ("--duration", "11m"),
        ("--duration", "-5s"),
        ("--duration", "1h"),
        ("--duration", "nan"),
        ("--duration", ""),
        ("--clients", "1000"),
        ("--clients", "0"),
        ("--operations", "0"),
        ("--operations", "1_000"),
        ("--hand-over", "-1"),
        ("--hand-over", "21"),
    ],
)
def test_what_is_out_of_bounds_is_refused(option: str, value: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check", "election", f"{option}={value}", "--context", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert f"Invalid value for '{option}'" in done.output


def test_other_commands_do_not_load_it() -> None:
    script = "import sys, aware_agent.cli.app; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    assert "aware_agent.cli.check" in loaded
    assert loaded.isdisjoint({"httpx", "asyncio", "aware_agent.check.workload", "aware_agent.colony.linear"})
