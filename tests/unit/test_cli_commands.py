"""Every noun, as a table and as JSON; errors as one line and an exit code."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner, Result

from aware_agent.cli.app import app
from aware_agent.cli.commands import NOUNS
from tests.unit.cli_support import (
    Colony,
    FakeGateway,
    Reply,
    cluster_document,
    node,
    problem,
    queen_document,
)

Run = Callable[..., Result]


@pytest.fixture
def queen(demo: Colony) -> FakeGateway:
    fake = demo.gateway()
    demo.context(fake.url)
    nodes = [node("demo-1", fake.url, role="queen"), node("demo-2", caste="web", cordoned=True, labels={"disk": "ssd"})]
    fake.say("GET /v1/cluster", cluster_document(fake.url))
    fake.say("GET /v1/nodes", {"revision": 42, "term": 7, "nodes": nodes})
    fake.say("GET /v1/nodes/demo-2", {**nodes[1], "revision": 42})
    channel = {"state": "open", "member": "a", "since": 1.0, "heard_s": 0.5, "beat_s": 1.0, "throttled": 0}
    fake.say("GET /v1/nodes/demo-2/channel", channel)
    fake.say("GET /v1/queen", queen_document(fake.url))
    config = {"agent": {"log_level": "debug"}, "vars": {"tier": 1}}
    fake.say("GET /v1/nodes/demo-2/config", {"revision": 9, "version": 3, "applied": True, "config": config})
    spec = {"colony": "demo", "size": 2, "castes": {"web": {"count": 1}}}
    fake.say("GET /v1/spec", {"revision": 5, "spec": spec})
    hosts = {"demo-1": {"aware_status": "ready"}, "demo-2": {"aware_status": "dead", "aware_zone": "a"}}
    groups = {"aware_queen": ["demo-1"], "aware_status_dead": ["demo-2"]}
    members = [fake.url]
    document = {
        "revision": 42,
        "colony": "demo",
        "complete": True,
        "members": members,
        "hosts": hosts,
        "groups": groups,
    }
    fake.say("GET /v1/inventory", document)
    fake.say("GET /v1/users", {"revision": 1, "users": [{"name": "admin", "role": "admin"}]})
    token = {
        "id": "0a",
        "created_at": 1.0,
        "created_by": "admin",
        "expires_at": None,
        "uses_left": 2,
        "node_name": None,
    }
    fake.say("GET /v1/tokens", {"tokens": [token]})
    session = {"id": "5e5e", "user": "admin", "begun_at": 1.0, "refreshed_at": 2.0, "ends_at": 3.0}
    session |= {"source": "192.0.2.1", "client": "curl/8", "current": True}
    kept = {
        "id": "7e7e",
        "created_at": 1.0,
        "created_by": "admin",
        "expires_at": 2.0,
        "scopes": ["nodes:read"],
        "last_used_at": 1.0,
    }
    account = {"name": "deploy", "role": "operator", "scopes": [], "owner": "admin", "created_at": 1.0}
    accounts = [{**account, "tokens": [kept]}, {**account, "name": "idle", "tokens": []}]
    fake.say("GET /v1/service-accounts", {"revision": 1, "accounts": accounts})
    fake.say("GET /v1/sessions", {"revision": 1, "sessions": [session]})
    return fake


@pytest.fixture
def aware(demo: Colony) -> Run:
    def run(*arguments: str, **options: Any) -> Result:
        environment = {"AWARE_CONTEXT": str(demo.context_file), "AWARE_DEBUG": ""}
        return CliRunner().invoke(app, list(arguments), env=environment, **options)

    return run


READS = [
    (("status",), ["healthy", "demo-1", "web", "term 7"]),
    (("nodes", "list"), ["demo-1", "ready,cordoned", "disk=ssd"]),
    (("nodes", "show", "demo-2"), ["cordoned", "yes", "vcpus=2"]),
    (("nodes", "config", "get", "demo-2"), ["agent.log_level", "debug", "vars.tier"]),
    (("queen", "show"), ["demo-1", "demo-2", "7"]),
    (("spec", "show"), ["colony:", "  web:", "    count: 1"]),
    (("inventory",), ["@aware_queen:", "|--demo-2 (dead)"]),
    (("users", "list"), ["admin"]),
    (("tokens", "list"), ["0a", "never", "any"]),
    (("service-accounts", "list"), ["deploy", "operator", "7e7e", "expired", "nodes:read", "d ago", "no token"]),
    (("sessions", "list"), ["5e5e", "admin", "192.0.2.1", "curl/8", "this one"]),
]


@pytest.mark.parametrize(("arguments", "expected"), READS)
def test_reads_as_text(queen: FakeGateway, aware: Run, arguments: tuple[str, ...], expected: list[str]) -> None:
    result = aware(*arguments)
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.stdout  # not a terminal: no colours
    for text in expected:
        assert text in result.stdout


@pytest.mark.parametrize("arguments", [arguments for arguments, _ in READS])
def test_reads_as_json(queen: FakeGateway, aware: Run, arguments: tuple[str, ...]) -> None:
    result = aware(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert isinstance(json.loads(result.stdout), dict)


@pytest.mark.parametrize("arguments", [arguments for arguments, _ in READS])
def test_reads_as_yaml(queen: FakeGateway, aware: Run, arguments: tuple[str, ...]) -> None:
    result = aware(*arguments, "--yaml")
    assert result.exit_code == 0, result.output
    assert yaml.safe_load(result.stdout) == json.loads(aware(*arguments, "--json").stdout)
    assert not result.stdout.startswith("{")


def commands(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """Every command with the words that lead to it."""
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(path), command
    for name, inner in (below or {}).items():
        yield from commands(inner, *path, name)


def test_what_prints_json_prints_yaml() -> None:
    options = {name: {word for one in found.params for word in one.opts} for name, found in commands(get_command(app))}
    with_json = {name for name, words in options.items() if "--json" in words}
    assert len(with_json) > 60
    assert with_json == {name for name, words in options.items() if "--yaml" in words}


def test_one_form_at_a_time(queen: FakeGateway, aware: Run) -> None:
    result = aware("status", "--json", "--yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: --json and --yaml exclude each other (leave out one)\n"
    assert queen.asked == []


def test_a_stream_as_yaml_is_one_document_an_event(
    queen: FakeGateway, aware: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"id": "e", "time": 1.0, "type": "node.joined", "severity": "info", "message": "a\u202eb\x1b[2J\n"}
    event |= {"subject": "demo-2", "revision": 7}
    queen.say("GET /v1/events", {"revision": 7, "more": False, "events": [event, {**event, "id": "f", "revision": 8}]})
    result = aware("events", "--follow", "--count", "2", "--yaml")
    assert result.exit_code == 0, result.output
    assert [one["id"] for one in yaml.safe_load_all(result.stdout)] == ["e", "f"]
    assert "\x1b" not in result.stdout


def test_names_that_are_nearly_right(queen: FakeGateway, aware: Run) -> None:
    for arguments, near in (
        (("nodes", "show", "demo2"), "demo-2"),
        (("nodes", "cordon", "Demo-1x"), "demo-1"),
        (("queen", "transfer", "demo-22"), "demo-2"),
        (("users", "delete", "admn"), "admin"),
        (("inventory", "--host", "demo2"), "demo-2"),
    ):
        result = aware(*arguments)
        assert result.exit_code == 4, result.output
        assert f"; did you mean {near}" in result.stderr
        assert result.stderr.count("\n") == 1
    assert "did you mean" not in aware("nodes", "show", "quite-another").stderr
    queen.say("GET /v1/nodes", {"code": "forbidden"}, 403)
    assert aware("nodes", "show", "demo2").stderr == "error: nothing at /v1/nodes/demo2\n", "the list may be refused"


def test_words_that_are_nearly_right(aware: Run) -> None:
    for arguments, near in ((("staus",), "status"), (("nodes", "lst"), "list"), (("status", "--jsn"), "--json")):
        result = aware(*arguments)
        assert result.exit_code == 2
        assert near in result.stderr


def test_nodes_can_be_chosen(demo: Colony, queen: FakeGateway, aware: Run) -> None:
    """By the gateway: what is wrong with a filter is said there."""
    queen.say("GET /v1/nodes", {"revision": 42, "term": 7, "nodes": [node("demo-2", caste="web")]})
    shown = json.loads(aware("nodes", "list", "--caste", "web", "--label", "disk=ssd", "--zone", "a", "--json").stdout)
    assert [one["name"] for one in shown["nodes"]] == ["demo-2"]
    assert queen.asked[-1].query == {"caste": "web", "label": "disk=ssd", "zone": "a"}
    assert not (demo.directory / "context.members.json").exists(), "some of the nodes are not all the members"


VERSION = {
    "revision": 6, "version": 2, "at": 1.8e9, "actor": "ada", "term": 7, "message": "size 2 -> 3", "current": True,
}  # fmt: skip
OLDER = {**VERSION, "revision": 5, "version": 1, "at": 0.0, "actor": "", "message": "past\x1b[2J", "current": False}
DIFF = {"from": 5, "to": 6, "steps": [], "changes": [{"path": ["size"], "from": 2, "to": 3}]}


@pytest.mark.parametrize(
    ("noun", "path"),
    [(("spec",), "/v1/spec"), (("nodes", "config"), "/v1/nodes/demo-2/config")],
    ids=["spec", "config"],
)
def test_versions_are_listed_compared_and_put_again(
    queen: FakeGateway, aware: Run, noun: tuple[str, ...], path: str
) -> None:
    which = ["demo-2"] if len(noun) > 1 else []
    queen.say(f"GET {path}/history", {"oldest": 5, "versions": [VERSION, OLDER]})
    table = aware(*noun, "history", *which).stdout
    assert "6 *" in table
    assert "size 2 -> 3" in table
    assert "what was before revision 5 is not kept any more" in table
    assert "\x1b" not in table
    queen.say(f"GET {path}/diff", DIFF)
    assert aware(*noun, "diff", *which, "5").stdout == "size: 2 -> 3\n"
    assert queen.asked[-1].query == {"from": "5"}
    outcome = {"changed": True, "revision": 6, "steps": ["size 3 -> 2"], "changes": DIFF["changes"]}
    queen.say(f"POST {path}/rollback", outcome)
    done = aware(*noun, "rollback", *which, "5")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("size: 2 -> 3\n")
    dry, real = [ask for ask in queen.asked if ask.method == "POST"]
    assert (dry.query, dry.body) == ({"dry_run": "true"}, {"revision": 5})
    assert (real.query, real.body, real.headers["If-Match"]) == ({}, {"revision": 5}, '"6"')
    assert aware(*noun, "rollback", *which, "5", "--dry-run").exit_code == 0
    assert queen.asked[-1].query == {"dry_run": "true"}
    assert aware(*noun, *(("get", "demo-2") if which else ("show",)), "--at", "5").exit_code == 0
    assert queen.asked[-1].query == {"at": "5"}
    assert aware(*noun, "rollback", *which, "x").exit_code == 2


def test_castes_say_why_they_are_short(queen: FakeGateway, aware: Run) -> None:
    caste = {
        "name": "web", "wanted": 2, "requires": {"vcpus": 4}, "members": [{"id": "1", "name": "demo-2"}], "missing": 1,
        "could": [], "reason": "1 of 2 are missing: of the other nodes 1 cordoned", "count": 2, "scale": None,
    }  # fmt: skip
    queen.say("GET /v1/castes", {"revision": 42, "wanted_size": 5, "missing_servers": 0, "castes": [caste]})
    queen.say("GET /v1/castes/web", caste)
    for shown in (aware("castes", "list"), aware("castes", "show", "web")):
        assert shown.exit_code == 0
        for words in ("web", "demo-2", "of the other nodes 1 cordoned"):
            assert words in shown.stdout
    assert aware("castes", "show", "nobody").exit_code == 4


def test_castes_that_scale(queen: FakeGateway, aware: Run) -> None:
    demand = {"per_node": 100.0, "value": 1250.0, "at": 1.8e9, "by": "ci", "known": False}
    scale = {
        "min": 2, "max": 20, "window": "", "why": "a demand needs 13", "changed_at": 1.8e9, "demand": demand,
        "leaving": [{"id": "7", "name": "demo-7", "at": 1.9e9}], "rule": {"min": 2, "max": 20},
    }  # fmt: skip
    caste = {
        "name": "web", "wanted": 13, "count": 4, "requires": {}, "members": [], "missing": 13, "could": [],
        "reason": "", "scale": scale,
    }  # fmt: skip
    queen.say("GET /v1/castes", {"revision": 42, "wanted_size": 13, "missing_servers": 8, "castes": [caste]})
    queen.say("GET /v1/castes/web", caste)
    wide = aware("castes", "list", "--wide").stdout
    for said in ("a demand needs 13", "1250,old", "demo-7", "2027-01-15T08:00:00Z", "8 of 13 servers are missing"):
        assert said in wide
    assert "1250" not in aware("castes", "list").stdout
    assert "demo-7" in aware("castes", "show", "web").stdout
    queen.say("PUT /v1/castes/web/demand", {"changed": True, "revision": 43, "term": 7})
    assert aware("castes", "demand", "web", "1250.5").stdout == "the demand of web is 1250.5\n"
    for wrong in ("nan", "-1", "1e13", "many", "1_000"):
        assert aware("castes", "demand", "web", "--", wrong).exit_code == 2


def test_inventory_speaks_the_script_protocol(queen: FakeGateway, aware: Run) -> None:
    document = json.loads(aware("inventory", "--list").stdout)
    assert document["_meta"]["hostvars"]["demo-2"] == {"aware_status": "dead", "aware_zone": "a"}
    assert document["aware_queen"] == {"hosts": ["demo-1"]}
    assert json.loads(aware("inventory", "--host", "demo-1").stdout) == {"aware_status": "ready"}
    assert aware("inventory", "--host", "nobody").exit_code == 4


def test_a_node_cannot_steer_the_terminal(queen: FakeGateway, aware: Run) -> None:
    evil = node("demo-3", labels={"x": "\x1b]0;owned\x07[red]", "y": "safe\u202e\u2066evil"})
    queen.say("GET /v1/nodes", {"nodes": [evil]})
    result = aware("nodes", "list")
    assert not set("\x1b\u202e\u2066") & set(result.stdout)
    assert "[red]" in result.stdout


CHANGES = [
    (("nodes", "cordon", "demo-2"), "PATCH /v1/nodes/demo-2", {"cordoned": True}),
    (("nodes", "uncordon", "demo-2"), "PATCH /v1/nodes/demo-2", {"cordoned": False}),
    (
        ("nodes", "label", "demo-2", "a=1", "b=", "c-"),
        "PATCH /v1/nodes/demo-2",
        {"labels": {"a": "1", "b": "", "c": None}},
    ),
    (("nodes", "remove", "demo-2"), "DELETE /v1/nodes/demo-2", None),
    (("tokens", "revoke", "0a"), "DELETE /v1/tokens/0a", None),
    (("service-accounts", "delete", "ci"), "DELETE /v1/service-accounts/ci", None),
    (("service-accounts", "revoke", "ci", "7e"), "DELETE /v1/service-accounts/ci/tokens/7e", None),
    (
        ("service-accounts", "create", "ci", "--role", "admin", "--scope", "nodes:*", "--scope", "*:read"),
        "POST /v1/service-accounts",
        {"name": "ci", "role": "admin", "scopes": ["nodes:*", "*:read"]},
    ),
    (("users", "delete", "bob"), "DELETE /v1/users/bob", None),
    (("sessions", "end", "5e5e"), "DELETE /v1/sessions/5e5e", None),
    (("sessions", "end-all"), "DELETE /v1/sessions", None),
    (("sessions", "end-all", "--user", "bob"), "DELETE /v1/users/bob/sessions", None),
    (
        ("users", "set", "bob", "--role", "viewer", "--keep-password", "--keep-sessions"),
        "PUT /v1/users/bob",
        {"role": "viewer", "keep_sessions": True},
    ),
    (("users", "set", "bob", "--role", "operator", "--keep-password"), "PUT /v1/users/bob", {"role": "operator"}),
]


@pytest.mark.parametrize(("arguments", "route", "body"), CHANGES)
def test_changes(queen: FakeGateway, aware: Run, arguments: tuple[str, ...], route: str, body: Any) -> None:
    queen.say(route, {"changed": True})
    assert aware(*arguments).exit_code == 0
    assert json.loads(aware(*arguments, "--json").stdout) == {"changed": True}
    assert queen.paths()[-1] == route
    assert queen.asked[-1].body == body


def test_a_drain_waits_or_does_not(queen: FakeGateway, aware: Run) -> None:
    refused = aware("nodes", "drain", "demo-2", "--no-wait", "--wait", "1s")
    assert (refused.exit_code, refused.stderr) == (
        2,
        "error: --wait and --no-wait exclude each other (give one of them, or none)\n",
    )
    assert queen.asked == []


def test_a_drain_waits_until_others_do_the_work_and_says_what_is_left(queen: FakeGateway, aware: Run) -> None:
    demo_2 = node("demo-2", role="queen", caste="web")
    queen.say("PATCH /v1/nodes/demo-2", {"changed": True, "node": demo_2})
    queen.say(f"GET /v1/nodes/{demo_2['id']}", demo_2)
    queen.say("GET /v1/council/members", {"members": [{"node": demo_2["id"], "name": "demo-2"}]})
    kept = {"subject": demo_2["id"], "message": "nobody can take it"}
    queen.say(
        "GET /v1/events", {"events": [{"subject": "x", "message": "no"}, kept, {"subject": "x", "message": "no"}]}
    )
    waits = aware("nodes", "drain", "demo-2", "--wait", "1s")
    assert waits.exit_code == 5
    assert waits.stdout == (
        "it still reigns and has a seat in the council and serves in caste web: nobody can take it\n"
    )
    assert "demo-2 is drained, and still reigns and has a seat in the council and serves in caste web" in waits.stderr
    at_once = json.loads(aware("nodes", "drain", "demo-2", "--no-wait", "--json").stdout)
    assert at_once == {"node": "demo-2", "left": ["reigns", "has a seat in the council", "serves in caste web"]}
    queen.say(f"GET /v1/nodes/{demo_2['id']}", node("demo-2"))
    queen.say("GET /v1/council/members", {"members": []})
    assert aware("nodes", "drain", "demo-2").stdout == "demo-2 is drained: its host may be worked on\n"
    assert [ask.body for ask in queen.asked if ask.method == "PATCH"] == [{"drained": True}] * 3
    queen.say("GET /v1/nodes", {"nodes": [node("demo-2", cordoned=True, drained=True)]})
    assert "ready,drained" in aware("nodes", "list").stdout


def test_a_node_is_sent_away_and_what_it_still_does_is_waited_for_while_it_answers(
    queen: FakeGateway, aware: Run
) -> None:
    order = {"by": "admin", "since": 1.0, "reason": "a new disk", "until": None, "here": True, "caste": "web"}
    demo_2 = node("demo-2", status="away", away=order)
    queen.say("PUT /v1/nodes/demo-2/away", {"changed": True, "node": demo_2})
    queen.say(f"GET /v1/nodes/{demo_2['id']}", demo_2)
    queen.say("GET /v1/council/members", {"members": []})
    said = aware("nodes", "away", "demo-2", "--reason", "a new disk").stdout
    assert said == "demo-2 is away, until told: aware nodes back demo-2\nits host may be powered off\n"
    assert queen.asked[0].body == {"reason": "a new disk", "until": None}
    queen.say("GET /v1/council/members", {"members": [{"node": demo_2["id"], "name": "demo-2"}]})
    queen.say("GET /v1/events", {"events": []})
    waits = aware("nodes", "away", "demo-2", "--wait", "1s").stdout
    assert waits.endswith("it still has a seat in the council, until somebody can take that over\n")
    assert "powered off" not in waits
    assert json.loads(aware("nodes", "away", "demo-2", "--no-wait", "--json").stdout) == {
        "node": "demo-2",
        "away": order,
        "left": ["has a seat in the council"],
    }
    silent = node("demo-2", status="away", away={**order, "here": False})
    queen.say("PUT /v1/nodes/demo-2/away", {"changed": True, "node": silent})
    assert "powered off" not in aware("nodes", "away", "demo-2").stdout


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [("2h", 7190, 7300), ("3d", 3 * 86400 - 10, 3 * 86400 + 100)],
)
def test_how_long_it_is_away(queen: FakeGateway, aware: Run, text: str, least: float, most: float) -> None:
    silent = node("demo-2", status="away", away={"here": False})
    queen.say("PUT /v1/nodes/demo-2/away", {"changed": True, "node": silent})
    queen.say(f"GET /v1/nodes/{silent['id']}", silent)
    queen.say("GET /v1/council/members", {"members": []})
    assert "is away, until 2" in aware("nodes", "away", "demo-2", "--until", text).stdout
    assert least <= queen.asked[0].body["until"] - time.time() <= most
    assert aware("nodes", "away", "demo-2", "--until", "2126-12-01T08:00Z").exit_code == 0
    assert queen.asked[-3].body["until"] == 4951785600.0


@pytest.mark.parametrize("text", ["soon", "-1h", "2126-13-01", ""])
def test_no_time(queen: FakeGateway, aware: Run, text: str) -> None:
    refused = aware("nodes", "away", "demo-2", f"--until={text}")
    assert refused.exit_code == 2
    assert refused.stderr == f"error: {text!r} is no time (how long (2h, 3d), or when (2026-12-01T08:00Z))\n"
    assert queen.asked == []


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        (True, "ready", "demo-2 is back\n"),
        (True, "suspect", "demo-2 is expected back; it does not answer yet\n"),
        (False, "ready", "demo-2 was not away\n"),
    ],
)
def test_back(queen: FakeGateway, aware: Run, changed: bool, status: str, said: str) -> None:
    queen.say("DELETE /v1/nodes/demo-2/away", {"changed": changed, "node": node("demo-2", status=status)})
    assert aware("nodes", "back", "demo-2").stdout == said
    assert json.loads(aware("nodes", "back", "demo-2", "--json").stdout)["changed"] is changed


ORDERS = [
    (("restart",), {"type": "restart"}, {"restarting": True}, "demo-2 restarts its agent"),
    (("log-level", "debug"), {"type": "log-level", "level": "debug"}, {}, "demo-2 logs at level debug"),
    (("diagnostics",), {"type": "diagnostics"}, {"standing": "worker", "recent_log": ["x: \x1b[2J"]}, "standing"),
    (
        ("check-upgrade", "9"),
        {"type": "check-upgrade", "version": "9"},
        {"version": "1", "python": "3.11", "possible": False, "problems": ["the disk is full"]},
        "problem: the disk is full\nit cannot change to 9 like that",
    ),
    (
        ("check-upgrade", "1"),
        {"type": "check-upgrade", "version": "1"},
        {"version": "1", "python": "3.11", "possible": True, "problems": [], "change": False},
        "nothing to change: it runs 1 already",
    ),
]


@pytest.mark.parametrize(("arguments", "order", "told", "shown"), ORDERS)
def test_orders_show_the_nodes_own_answer(
    queen: FakeGateway, aware: Run, arguments: tuple[str, ...], order: Any, told: Any, shown: str
) -> None:
    answer = {"revision": 1, "term": 7, "node": {"id": "b", "name": "demo-2"}, "answer": told}
    queen.say("POST /v1/nodes/demo-2/commands", answer)
    result = aware("nodes", arguments[0], "demo-2", *arguments[1:])
    assert shown in result.stdout
    assert "\x1b" not in result.stdout
    assert queen.asked[-1].body == {"command": order}
    assert json.loads(aware("nodes", arguments[0], "demo-2", *arguments[1:], "--json").stdout) == answer


def test_show_tells_of_the_channel(queen: FakeGateway, aware: Run) -> None:
    assert "open, heard 0.5 s ago" in aware("nodes", "show", "demo-2").stdout
    assert json.loads(aware("nodes", "show", "demo-2", "--json").stdout)["channel"]["state"] == "open"


HANDS_OVER = [
    ({"id": "b", "name": "demo-2"}, "demo-1 hands the reign to demo-2\n"),
    ({"id": "a", "name": "demo-1"}, "demo-1 reigns already; nothing changed\n"),
    (None, "demo-1 steps down; nobody is ready to follow yet\n"),
]


@pytest.mark.parametrize(("heir", "told"), HANDS_OVER)
def test_handing_over(queen: FakeGateway, aware: Run, heir: Any, told: str) -> None:
    answer = {"from": {"id": "a", "name": "demo-1"}, "to": heir, "term": 7}
    queen.say("POST /v1/queen/step-down", answer, 202)
    queen.say("POST /v1/queen/transfer", answer, 202)
    assert aware("queen", "step-down").stdout == told
    assert aware("queen", "transfer", "demo-2").stdout == told
    assert queen.asked[-1].body == {"node": "demo-2"}
    assert json.loads(aware("queen", "step-down", "--json").stdout) == answer


def test_moving_a_seat(queen: FakeGateway, aware: Run) -> None:
    answer = {"from": {"id": "b", "name": "demo-2"}, "to": {"id": "d", "name": "demo-4"}}
    queen.say("POST /v1/council/move", answer, 202)
    told = "demo-2 gives its seat to demo-4; how far that is: aware council list\n"
    assert aware("council", "move", "--from", "demo-2", "--to", "demo-4").stdout == told
    assert queen.asked[-1].body == {"from": "demo-2", "to": "demo-4"}
    assert json.loads(aware("council", "move", "--from", "demo-2", "--json").stdout) == answer
    assert queen.asked[-1].body == {"from": "demo-2"}
    assert aware("council", "move").exit_code == 2


def test_names_are_quoted_whole(queen: FakeGateway, aware: Run) -> None:
    assert aware("nodes", "show", "../users").exit_code == 4
    assert queen.paths() == ["GET /v1/nodes/..%2Fusers", "GET /v1/nodes"], "the latter for what may have been meant"


def test_config_set_keeps_the_rest_and_names_the_revision(queen: FakeGateway, aware: Run) -> None:
    queen.say("PUT /v1/nodes/demo-2/config", {"changed": True, "version": 4})
    result = aware("nodes", "config", "set", "demo-2", "vars.list=[1,2]", "vars.name=a=b", "agent.log_level-")
    assert result.exit_code == 0, result.output
    assert queen.asked[-1].body == {"config": {"agent": {}, "vars": {"tier": 1, "list": [1, 2], "name": "a=b"}}}
    assert queen.asked[-1].headers["If-Match"] == '"9"'


@pytest.mark.parametrize("value", ["tier=1", "vars.=1", "vars", "other.x=1", "vars.x"])
def test_config_set_refuses_what_it_does_not_understand(queen: FakeGateway, aware: Run, value: str) -> None:
    assert aware("nodes", "config", "set", "demo-2", value).exit_code == 2
    assert "PUT /v1/nodes/demo-2/config" not in queen.paths()


@pytest.mark.parametrize("label", ["a", "=1", "-", ""])
def test_labels_that_are_not_understood(queen: FakeGateway, aware: Run, label: str) -> None:
    assert aware("nodes", "label", "demo-2", label).exit_code == 2
    assert queen.asked == []


def test_token_create(queen: FakeGateway, aware: Run, tmp_path: Path) -> None:
    queen.say("POST /v1/tokens", {"id": "0b", "token": "aware1.secret"}, 201)
    assert aware("tokens", "create", "--ttl", "2h", "--uses", "3").stdout == "aware1.secret\n"
    assert queen.asked[-1].body == {"ttl_s": 7200, "uses": 3, "node_name": None, "eligible": False, "addresses": []}
    target = tmp_path / "join.token"
    result = aware(
        "tokens", "create", "--ttl", "never", "--uses", "0", "--node", "n", "--eligible", "--to-file", str(target)
    )
    assert queen.asked[-1].body == {"ttl_s": None, "uses": None, "node_name": "n", "eligible": True, "addresses": []}
    assert "secret" not in result.output
    assert target.read_text() == "aware1.secret\n"
    assert target.stat().st_mode & 0o777 == 0o600
    assert aware("tokens", "create", "--ttl", "soon").exit_code == 2


def test_a_service_accounts_token_goes_into_a_file_and_nowhere_else(
    queen: FakeGateway, aware: Run, tmp_path: Path
) -> None:
    queen.say("POST /v1/service-accounts/ci/tokens", {"id": "7e", "token": "aware-sa1.ci.7e.secret"}, 201)
    target = tmp_path / "ci.token"
    result = aware("service-accounts", "token", "ci", "--ttl", "2h", "--scope", "*:read", "--token-file", str(target))
    assert result.exit_code == 0, result.output
    assert queen.asked[-1].body == {"ttl_s": 7200, "scopes": ["*:read"]}
    assert "secret" not in result.output
    assert target.read_text() == "aware-sa1.ci.7e.secret\n"
    assert target.stat().st_mode & 0o777 == 0o600
    assert aware("service-accounts", "token", "ci").exit_code == 2, "never on the terminal"


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "invalid-input", 2),
        (401, "unauthenticated", 3),
        (403, "forbidden", 3),
        (404, "not-found", 4),
        (409, "conflict", 5),
        (412, "precondition-failed", 5),
        (422, "invalid-input", 2),
        (429, "too-many-attempts", 8),
        (500, "internal-error", 1),
    ],
)
def test_errors_are_one_line_with_an_exit_code(
    queen: FakeGateway, aware: Run, status: int, code: str, exit_code: int
) -> None:
    queen.routes["GET /v1/queen"] = lambda _: problem(status, code, "it is\nso", hint="do that")
    result = aware("queen", "show")
    assert result.exit_code == exit_code
    assert result.stderr == "error: it is so (do that)\n"
    assert result.stdout == ""


def test_an_answer_that_is_no_problem_document(queen: FakeGateway, aware: Run) -> None:
    queen.routes["GET /v1/queen"] = lambda _: Reply(status=502, raw=b"<html>")
    result = aware("queen", "show")
    assert (result.exit_code, result.stderr) == (1, "error: the gateway answered 502\n")


def test_success_that_is_not_json(queen: FakeGateway, aware: Run) -> None:
    queen.routes["GET /v1/queen"] = lambda _: Reply(raw=b"<html>")
    result = aware("queen", "show")
    assert result.exit_code == 1
    assert "did not answer with JSON (is this an AWARE gateway?)" in result.stderr


def test_the_traceback_is_there_for_those_who_ask(queen: FakeGateway, demo: Colony) -> None:
    queen.routes["GET /v1/queen"] = lambda _: problem(404, "not-found")
    program = [sys.executable, "-m", "aware_agent.cli", "queen", "show", "--context", str(demo.context_file)]
    quiet = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert (quiet.returncode, quiet.stderr) == (4, "error: no\n")
    loud = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60, env={"AWARE_DEBUG": "1"})
    assert loud.returncode == 4
    assert "Traceback" in loud.stderr
    assert loud.stderr.endswith("\nerror: no\n"), "the sentence comes last"


def test_usage_errors() -> None:
    for arguments in (["nodes", "show"], ["nonsense"], ["status", "--nonsense"]):
        assert CliRunner().invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(aware: Run, shell: str) -> None:
    assert "_AWARE_COMPLETE" in aware("completion", shell).stdout


def test_completion_works() -> None:
    environment = {"_AWARE_COMPLETE": "complete_bash", "COMP_WORDS": "aware queen st", "COMP_CWORD": "2"}
    program = "import sys; sys.argv = ['aware']; from aware_agent.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    assert done.stdout.split() == ["step-down"]


CLI = "aware_agent.cli."
NODES = {"nodes", "nodes_away", "nodes_config", "nodes_drain"}


@pytest.mark.parametrize(
    ("arguments", "nouns"),
    [
        (["--help"], None),
        (["nodes", "--help"], NODES | {"status"}),
        (["--version"], set()),
        (["status", "--context", "/none"], {"status"}),
    ],
)
def test_start_is_light(arguments: list[str], nouns: set[str] | None) -> None:
    """Nothing that is large, and of all nouns only the one that is asked for."""
    heavy = "{'httpx', 'grpc', 'cryptography', 'fastapi', 'yaml', 'jwt'}"
    program = (
        f"import sys; sys.argv = ['aware', *{arguments}]\n"
        "from aware_agent.cli.main import main\n"
        f"try: main()\nfinally: print(sorted(set(sys.modules) & {heavy}), *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    loaded, *modules = done.stderr.splitlines()[-1].split()
    assert loaded == "[]"
    if nouns is not None:
        mine = {name.removeprefix(CLI) for name in modules if name.startswith(CLI)}
        assert mine & ({module for module, _ in NOUNS.values()} | NODES) == nouns
    if arguments == ["--version"]:
        assert "typer" not in modules
