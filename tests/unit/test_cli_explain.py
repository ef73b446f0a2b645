"""``aware explain``: each member is asked by itself; who does not answer is named; what is written can be replayed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from aware_agent.cli.app import app
from aware_agent.simulator.replay import difference
from tests.explained import explanation
from tests.unit.cli_support import Colony, FakeGateway, Reply, colony, node, problem

NO_QUEEN = {"ready": False, "reason": "no queen: etcd has no majority", "store": {}}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Colony]:
    with colony(tmp_path / "colony") as made:
        yield made


@pytest.fixture
def members(demo: Colony) -> list[FakeGateway]:
    """Three members that answer while nobody reigns, one that is gone, a worker, and one that left."""
    fakes = [demo.gateway() for _ in range(3)]
    demo.context(fakes[0].url)
    nodes = [node(f"demo-{n + 1}", fake.url, rank=2 - n) for n, fake in enumerate(fakes)]
    nodes += [node("demo-4"), node("demo-5", eligible=False), node("demo-6", status="left"), node("demo-7", url="")]
    for fake in fakes:
        fake.say("GET /v1/nodes", {"revision": 42, "term": 0, "nodes": nodes})
        fake.say("GET /readyz", NO_QUEEN, 503)
    for number, fake in enumerate(fakes):
        fake.say("GET /v1/election", msgspec.to_builtins(explanation(nodes[number]["id"])))
    return fakes


def aware(demo: Colony, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["explain", *arguments, "--context", str(demo.context_file)])


def test_a_member_that_tells_without_an_end_is_named_and_not_shown(demo: Colony, members: list[FakeGateway]) -> None:
    much = msgspec.structs.replace(explanation(node("demo-2")["id"]), sentences=["x" * 999] * 2000)
    members[1].say("GET /v1/election", msgspec.to_builtins(much))
    done = aware(demo)
    assert done.exit_code == 0
    assert "demo-2 tells nothing: it tells more than any member has to tell" in done.output
    assert "xxx" not in done.output


def test_every_member_tells_for_itself_and_who_does_not_is_named(demo: Colony, members: list[FakeGateway]) -> None:
    members[1].routes["GET /v1/election"] = lambda _: problem(503, "agent-hangs", "this node's agent did not answer")
    done = aware(demo)
    assert done.exit_code == 0, done.output
    for fake in members:
        assert fake.paths().count("GET /v1/election") == 1
    names = [line.split()[0] for line in done.output.splitlines()[1:6]]
    assert names == ["demo-3", "demo-2", "demo-1", "demo-4", "demo-7"], "in the order of the line"
    assert "demo-2 tells nothing: this node's agent did not answer" in done.output
    assert "demo-4 tells nothing: Connection refused" in done.output
    assert "demo-7 tells nothing: it tells no address of its gateway" in done.output
    assert "no queen: etcd has no majority" in done.output
    assert "It suspects demo-1, since 1.10 s: the channel to demo-1 broke." in done.output
    assert "there is no queen; I campaign" in done.output
    assert "demo-5" not in done.output
    assert "demo-6" not in done.output


def test_json_has_all_of_it(demo: Colony, members: list[FakeGateway]) -> None:
    found = json.loads(aware(demo, "--json").output)
    assert found["not_asked"] == 0
    first = found["members"][0]
    assert (first["name"], first["trouble"], first["ready"]) == ("demo-3", "", NO_QUEEN["reason"])
    assert first["election"] == msgspec.to_builtins(explanation(first["node"]))
    assert (found["members"][3]["election"], found["members"][3]["trouble"]) == (None, "Connection refused")


def test_one_member_alone(demo: Colony, members: list[FakeGateway]) -> None:
    found = json.loads(aware(demo, "--json", "--node", "demo-2").output)
    assert [one["name"] for one in found["members"]] == ["demo-2"]
    assert members[0].paths().count("GET /v1/election") == 0
    assert aware(demo, "--node", "demo-9").exit_code == 4
    worker = aware(demo, "--node", "demo-5")
    assert worker.exit_code == 7
    assert "it is a worker, which takes no part in elections" in worker.output


def test_what_is_written_can_be_replayed_and_nothing_is_overwritten(
    demo: Colony, members: list[FakeGateway], tmp_path: Path
) -> None:
    file = tmp_path / "field.txt"
    done = aware(demo, "--to-file", str(file))
    assert done.exit_code == 0, done.output
    assert f"python -m aware_agent.simulator --replay {file}" in done.output
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# Colony demo as aware explain told it at ")
    assert "# demo-4 told nothing: Connection refused\n" in text
    assert text.count("recorded 1 election") == 3
    assert difference(text) == ""
    again = aware(demo, "--to-file", str(file))
    assert again.exit_code == 5
    assert "is there already" in again.output


@pytest.mark.parametrize("strange", [{}, [], None, "x", {"phase": 3}])
def test_an_answer_of_another_version_is_named(demo: Colony, members: list[FakeGateway], strange: object) -> None:
    for fake in members:
        fake.say("GET /v1/election", strange)
    done = aware(demo)
    assert done.exit_code == 7
    assert "demo-3: its answer is not that of this version of AWARE" in done.output


def test_a_member_of_an_older_version_that_redirects_is_not_taken_for_another(
    demo: Colony, members: list[FakeGateway]
) -> None:
    to = {"Location": members[0].url + "/v1/election"}
    members[1].routes["GET /v1/election"] = lambda _: Reply(None, 307, to)
    done = aware(demo)
    assert "demo-2 tells nothing: it does not answer for itself" in done.output
