"""What a command says of the trace it works for, and sends to a collector that OpenTelemetry's variables name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aware_agent.agent.settings import Settings, TracingSettings
from aware_agent.agent.settings_rules import check_settings
from aware_agent.cli.tracing import exports, named
from aware_agent.colony.errors import InvalidInput
from tests.otlp_support import Collector
from tests.unit.cli_support import Colony, queen_document

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


def aware(context: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TRACE"))}
    return subprocess.run(
        [sys.executable, "-m", "aware_agent.cli", *words, f"--context={context}"],
        capture_output=True,
        text=True,
        env={**mine, "NO_COLOR": "1", **environment},
        timeout=120,
    )


def test_a_trace_that_is_named_is_handed_on(demo: Colony) -> None:
    queen = demo.gateway()
    queen.say("GET /v1/queen", queen_document(queen.url))
    done = aware(demo.context(queen.url), "queen", "show", TRACEPARENT=PARENT, TRACESTATE="vendor=1")
    assert (done.returncode, done.stderr) == (0, "")
    assert queen.asked[-1].headers["traceparent"] == PARENT
    assert queen.asked[-1].headers["tracestate"] == "vendor=1"
    for odd in ({}, {"TRACEPARENT": "odd", "TRACESTATE": "vendor=1"}):
        assert aware(demo.context(queen.url), "queen", "show", **odd).returncode == 0
        assert not {"traceparent", "tracestate"} & {name.lower() for name in queen.asked[-1].headers}


def test_a_command_has_a_span_of_its_own_at_a_collector(demo: Colony) -> None:
    member, queen = demo.gateway(), demo.gateway()
    member.redirect_to = queen.url
    queen.say("GET /v1/queen", queen_document(queen.url))
    with Collector().running() as collector:
        assert isinstance(collector, Collector)
        to = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}
        to["TRACEPARENT"] = PARENT
        done = aware(demo.context(member.url, queen.url), "queen", "show", **to)
        assert (done.returncode, done.stderr) == (0, "")
        first, second, root = collector.spans()
        assert (root.name, root.trace, root.parent, root.error) == ("aware queen show", TRACE, SPAN, "")
        assert (first.name, first.parent, first.attributes["http.response.status_code"]) == ("GET", root.span, 307)
        assert (second.parent, second.attributes["http.response.status_code"]) == (root.span, 200)
        assert queen.asked[-1].headers["traceparent"] == f"00-{TRACE}-{second.span}-01"
        # One that fails says so, and by what.
        done = aware(demo.context(queen.url), "nodes", "show", "s3cret", **to)
        assert done.returncode != 0
        last = collector.spans()[-1]
        assert (last.name, last.error) == ("aware nodes show", f"exit-{done.returncode}")
        assert "s3cret" not in last.name
        before = len(collector.calls)
        for off in ({"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}):
            assert aware(demo.context(queen.url), "queen", "show", **to, **off).returncode == 0
        not_sampled = {**to, "TRACEPARENT": f"00-{TRACE}-{SPAN}-00"}
        assert aware(demo.context(queen.url), "queen", "show", **not_sampled).returncode == 0
        assert len(collector.calls) == before


def test_a_collector_that_is_not_there_costs_a_warning(demo: Colony) -> None:
    queen = demo.gateway()
    queen.say("GET /v1/queen", queen_document(queen.url))
    done = aware(demo.context(queen.url), "queen", "show", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 0
    assert "this command was not traced: " in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "aware"),
        (["--help"], "aware"),
        (["status"], "aware status"),
        (["explain", "secret"], "aware explain"),
        (["nodes", "show", "secret"], "aware nodes show"),
        (["nodes", "--json"], "aware nodes"),
        (["nodes", "Secret/1"], "aware nodes"),
        (["hunter2"], "aware"),
    ],
)
def test_a_span_is_called_after_the_command_and_not_after_what_it_is_about(words: list[str], name: str) -> None:
    assert named(words) == name


def test_it_is_off_unless_somebody_wants_it() -> None:
    to = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example:4318"}
    assert exports(to)
    assert exports({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector.example/v1/traces"})
    assert not exports({})
    assert not exports({**to, "OTEL_TRACES_EXPORTER": "console"})


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("tracing.endpoint", {"endpoint": "collector.example:4318"}),
        ("tracing.endpoint", {"endpoint": "http://collector.example:4318"}),
        ("tracing.endpoint", {"endpoint": "https://collector.example:4318/v1/traces"}),
        ("tracing.endpoint", {"endpoint": "https://collector.example:4318/"}),
        ("tracing.endpoint", {"endpoint": "https://me:secret@collector.example"}),
        ("tracing.endpoint", {"endpoint": "https://collector.example?key=secret"}),
        ("tracing.endpoint", {"endpoint": "grpc://collector.example:4317"}),
        ("tracing.sample_ratio", {"sample_ratio": 1.5}),
        ("tracing.sample_ratio", {"sample_ratio": -0.1}),
        ("tracing.headers_file", {"headers_file": "headers"}),
        ("tracing.ca_file", {"ca_file": "ca.pem"}),
    ],
)
def test_settings_that_cannot_be_are_named(field: str, wrong: dict[str, object]) -> None:
    settings = TracingSettings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput) as raised:
        check_settings(Settings(colony="demo", name="demo-1", state_dir="/s", tracing=settings))
    assert raised.value.field == field
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "good", ["https://collector.example:4318", "https://otlp.example", "http://127.0.0.1:4318", "http://[::1]:4318", ""]
)
def test_settings_that_can_be(good: str) -> None:
    tracing = TracingSettings(endpoint=good)
    check_settings(Settings(colony="demo", name="demo-1", state_dir="/s", tracing=tracing))
