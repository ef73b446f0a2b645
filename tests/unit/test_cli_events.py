"""Events: pages, and a stream that resumes by revision wherever the queen is."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner, Result

from aware_agent.cli.app import app
from aware_agent.cli.client import Gateway
from aware_agent.cli.context import load_context
from aware_agent.cli.events import follow_events, server_sent
from aware_agent.colony.rotation import Phase
from tests.unit.cli_support import Ask, Colony, FakeGateway, Reply, problem

STREAM = "GET /v1/events/stream"


def event(revision: int, kind: str = "node.joined", name: str = "") -> dict[str, Any]:
    return {
        "revision": revision,
        "id": name or f"id-{revision}",
        "time": 1_700_000_000.0,
        "term": 7,
        "actor": "colony",
        "type": kind,
        "subject": "demo-1",
        "message": f"number {revision}",
        "severity": "info",
        "payload": {},
    }


def sse(*events: dict[str, Any]) -> bytes:
    parts = [b": hello\n\n"]
    parts += [f"id: {one['revision']}\nevent: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events]
    return b"".join(parts)


def run(demo: Colony, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["events", *arguments, "--context", str(demo.context_file)])


def history(fake: FakeGateway, events: list[dict[str, Any]], page: int = 2) -> None:
    def answer(ask: Ask) -> Reply:
        after = [one for one in events if one["revision"] > int(ask.query["since"])]
        more, shown = len(after) > page, after[:page]
        return Reply({"revision": shown[-1]["revision"] if more else 100, "oldest": 1, "more": more, "events": shown})

    fake.routes["GET /v1/events"] = answer


def test_all_pages_are_read_and_the_last_shown(demo: Colony) -> None:
    fake = demo.gateway()
    demo.context(fake.url)
    history(fake, [event(number) for number in range(1, 6)])
    assert [line.rpartition(" ")[2] for line in run(demo, "-n", "3").stdout.splitlines()] == ["3", "4", "5"]
    shown = json.loads(run(demo, "--since", "2", "--json").stdout)
    assert [one["revision"] for one in shown["events"]] == [3, 4, 5]
    assert shown["revision"] == 100
    assert run(demo, "-n", "0").stdout == ""


def test_a_revision_from_before_history_began(demo: Colony) -> None:
    fake = demo.gateway()
    demo.context(fake.url)
    fake.routes["GET /v1/events"] = lambda _: problem(410, "history-trimmed", "history starts at 50", hint="read anew")
    result = run(demo, "--since", "3")
    assert (result.exit_code, result.stderr) == (4, "error: history starts at 50 (read anew)\n")


def test_the_type_is_asked_of_the_gateway(demo: Colony) -> None:
    fake = demo.gateway()
    demo.context(fake.url)
    history(fake, [])
    assert run(demo, "--type", "queen.*").exit_code == 0
    assert fake.asked[0].query["type"] == "queen.*"


def test_follow_goes_on_where_it_was_when_the_queen_changes(demo: Colony) -> None:
    old, new = demo.gateway(), demo.gateway()
    asked: list[int] = []

    def first(ask: Ask) -> Reply:
        asked.append(int(ask.query["since"]))
        return Reply(raw=sse(event(101), event(102, name="a")) + b"id: 102\ndata: {", cut=True)

    def second(ask: Ask) -> Reply:
        asked.append(int(ask.query["since"]))
        old.redirect_to = ""
        return Reply(raw=sse(event(102, name="a"), event(102, name="b"), event(103)))

    def reign_ends(ask: Ask) -> Reply:
        answer = first(ask)
        old.redirect_to = new.url
        return answer

    history(old, [event(99)])
    old.routes[STREAM] = reign_ends
    new.routes[STREAM] = second
    demo.context(old.url, new.url)
    result = run(demo, "--follow", "--json", "--count", "5")
    assert result.exit_code == 0, result.output
    shown = [(one["revision"], one["id"]) for one in map(json.loads, result.stdout.splitlines())]
    assert shown == [(99, "id-99"), (101, "id-101"), (102, "a"), (102, "b"), (103, "id-103")]
    assert asked == [100, 101]  # the revision of the last event again: it might hold another one
    assert "connection lost" in result.stderr


def test_follow_asks_on_when_a_stream_ends(demo: Colony) -> None:
    fake = demo.gateway()
    answers = iter([Reply(raw=sse()), problem(503, "no-queen"), Reply(raw=sse(event(7)))])
    fake.routes[STREAM] = lambda _: next(answers)
    with Gateway(load_context(demo.context(fake.url))) as client:
        assert next(follow_events(client, 5, {}))["revision"] == 7
    assert [ask.query["since"] for ask in fake.asked] == ["5", "5", "5"]


def test_trimmed_history_ends_it_with_a_hint(demo: Colony) -> None:
    fake = demo.gateway()
    demo.context(fake.url)
    history(fake, [])
    fake.routes[STREAM] = lambda _: problem(410, "history-trimmed", "history starts at 50", oldest=50)
    result = run(demo, "--follow", "--since", "3")
    assert result.exit_code == 4
    assert result.stderr.startswith("error: history starts at 50 (")


def test_decoding_of_a_stream() -> None:
    lines = [
        "retry: 5",
        "",
        ": comment",
        "",
        "event: end",
        'data: {"reason":"x"}',
        "",
        "id: 9",
        'data: {"type":',
        'data: "a"}',
        "",
    ]
    assert list(server_sent([*lines, 'data: {"type": "cut"}'])) == [{"type": "a", "revision": 9}]


def test_messages_stand_in_one_column(demo: Colony) -> None:
    longest = max((f"rotation.{phase}" for phase in Phase), key=len)
    fake = demo.gateway()
    demo.context(fake.url)
    history(fake, [event(1, "node.left"), event(2, longest), event(3, "node.drain_waits")])
    shown = run(demo).stdout.splitlines()
    assert len({line.index("number") for line in shown}) == 1, shown
