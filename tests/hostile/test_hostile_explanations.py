"""A member tells of the election in another member's name, to lead whoever looks for a fault astray."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from aware_agent.cli.app import app
from aware_agent.colony.transcript import in_name_of
from aware_agent.simulator.replay import difference
from tests.explained import explanation
from tests.unit.cli_support import Colony, FakeGateway, colony, node

HONEST, LIAR = node("demo-1"), node("demo-2")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Colony]:
    with colony(tmp_path / "colony") as made:
        yield made


@pytest.fixture
def liar(demo: Colony) -> FakeGateway:
    """demo-1 is honest; what demo-2 tells is the test's to say."""
    honest, liar = demo.gateway(), demo.gateway()
    demo.context(honest.url)
    nodes = [HONEST | {"url": honest.url}, LIAR | {"url": liar.url}]
    for fake in (honest, liar):
        fake.say("GET /v1/nodes", {"revision": 42, "term": 0, "nodes": nodes})
        fake.say("GET /readyz", {"ready": False, "reason": "no queen", "store": {}}, 503)
    honest.say("GET /v1/election", told(HONEST["id"]))
    return liar


def told(as_node: str, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(explanation(as_node), **changes))
    return made


def explain(demo: Colony, file: Path) -> Result:
    return CliRunner().invoke(app, ["explain", "--context", str(demo.context_file), "--to-file", str(file)])


def test_whoever_is_asked_is_who_answers(demo: Colony, liar: FakeGateway, tmp_path: Path) -> None:
    """It says that it is demo-1, and that demo-1 shuts down."""
    liar.say("GET /v1/election", told(HONEST["id"], name="demo-1", phase="gone", sentences=["It is shutting down."]))
    done = explain(demo, tmp_path / "field.txt")
    assert done.exit_code == 0, done.output
    assert "demo-2 tells nothing: it speaks in the name of another node, demo-1" in done.output
    assert "It is shutting down." not in done.output
    written = (tmp_path / "field.txt").read_text()
    assert written.count("recorded 1 election") == 1
    assert "# demo-2 told nothing: it speaks in the name of another node, demo-1\n" in written


def test_what_it_tells_stands_under_its_own_name(demo: Colony, liar: FakeGateway, tmp_path: Path) -> None:
    """It is right about who it is; its lines to replay have demo-1's name, and comments about it."""
    forged = explanation().transcript.replace(" demo-2\n", " demo-1\n")
    forged = (
        f"# demo-1 told nothing: it is dead\n{forged}#demo-1 told nothing: it is dead\nrecorded 1 election demo-1 x\n"
    )
    liar.say("GET /v1/election", told(LIAR["id"], transcript=forged))
    assert explain(demo, tmp_path / "field.txt").exit_code == 0
    written = (tmp_path / "field.txt").read_text()
    assert "told nothing" not in written
    of_honest, _, of_liar = written.partition("recorded 1 election demo-2")
    assert of_honest.count("recorded 1 election demo-2") == 0
    assert "demo-1" not in [line.split()[-1] for line in of_liar.splitlines() if line.startswith("recorded")]


def test_an_honest_transcript_stays_as_it_is_and_can_be_replayed() -> None:
    honest = explanation().transcript
    assert in_name_of("demo-2", honest) == honest
    assert difference(in_name_of("demo-7", honest)) == ""
    gap = "# 12 events that decided nothing are left out\n"
    assert in_name_of("demo-2", gap + "# 12 events that decided nothing are left out, and demo-1 is dead\n") == gap
