"""``aware audit``: shown, taken away, and proven whole against what was noted elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import Result
from typer.testing import CliRunner

from aware_agent.cli.app import app
from aware_agent.colony.audit import AuditLine, head_of, head_text
from aware_agent.security.audit import public_keys
from tests.unit.cli_support import Ask, Reply, colony
from tests.unit.test_audit_chain import SECRET, chain

Run = Callable[..., Result]
KEYS = list(public_keys("demo", (SECRET,)))


class Log:
    """What the gateway has."""

    def __init__(self) -> None:
        self.lines: list[AuditLine] = chain(7)

    def answer(self, ask: Ask) -> Reply:
        after = int(ask.query.get("cursor", ask.query.get("after", 0)))
        last = int(ask.query.get("last", 0))
        found = [line for line in self.lines if line.seq > after][-last if last else 0 :][:3]
        reached = found[-1].seq if found else after
        data = {
            "lines": msgspec.to_builtins(found),
            "next": str(reached) if self.lines and reached < self.lines[-1].seq else None,
            "first": 1,
            "head": msgspec.to_builtins(head_of(self.lines[-1])),
            "keys": KEYS,
        }
        return Reply(data)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[tuple[Log, Run]]:
    with colony(tmp_path) as made:
        log, fake = Log(), made.gateway()
        made.context(fake.url)
        fake.routes["GET /v1/audit"] = log.answer

        def run(*arguments: str) -> Result:
            environment = {"AWARE_CONTEXT": str(made.context_file), "AWARE_DEBUG": ""}
            return CliRunner().invoke(app, ["audit", *arguments], env=environment)

        yield log, run


def test_the_newest_lines_are_shown(log: tuple[Log, Run]) -> None:
    _, run = log
    done = run("list", "--last", "2")
    assert done.exit_code == 0, done.output
    assert "ada" in done.output
    assert "put-spec" in done.output
    assert json.loads(run("list", "--json", "-n", "1").output)["lines"][0]["seq"] == 7


def test_a_whole_log_is_whole_and_says_what_to_note(log: tuple[Log, Run]) -> None:
    made, run = log
    done = run("verify")
    assert done.exit_code == 0, done.output
    assert f"--head {head_text(head_of(made.lines[-1]))}" in done.output
    assert f"--key {KEYS[0]}" in done.output
    assert "7 seals are the colony's" in done.output


def test_a_changed_log_ends_with_an_exit_code_of_its_own(log: tuple[Log, Run]) -> None:
    made, run = log
    noted = head_text(head_of(made.lines[-1]))
    made.lines[3] = msgspec.structs.replace(made.lines[3], actor="eva")
    done = run("verify", "--json")
    assert done.exit_code == 28
    assert not json.loads(done.stdout)["whole"]
    made.lines = made.lines[:3]
    assert run("verify").exit_code == 0
    cut = run("verify", "--head", noted)
    assert cut.exit_code == 28
    assert "the end was cut off" in cut.output


def test_an_export_is_proven_without_the_colony(log: tuple[Log, Run], tmp_path: Path) -> None:
    made, run = log
    file = tmp_path / "audit.jsonl"
    assert run("export", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert [json.loads(text)["seq"] for text in file.read_text().splitlines()] == list(range(1, 8))
    assert run("export", "-", "--after", "5").stdout.count("\n") == 2
    noted = head_text(head_of(made.lines[-1]))
    assert run("verify", str(file), "--key", KEYS[0], "--head", noted).exit_code == 0
    text = file.read_text().replace('"ada"', '"eva"', 1)
    file.write_text(text)
    assert run("verify", str(file)).exit_code == 28
    file.write_text("{}\n" + text)
    assert "line 1 is no line" in run("verify", str(file)).output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("verify", "--head", "nonsense"), 2),
        (("verify", "--key", "nonsense"), 2),
        (("verify", "/no/such/file"), 9),
        (("list", "--since", "yesterday"), 2),
    ],
)
def test_what_nobody_can_look_for_is_refused(log: tuple[Log, Run], arguments: Any, code: int) -> None:
    _, run = log
    assert run(*arguments).exit_code == code
