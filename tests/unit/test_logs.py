"""A log line of JSON has the names of the Elastic Common Schema, and what is none of them is under ``aware.``."""

from __future__ import annotations

import datetime
import json
import logging
import sys
from typing import Any

from aware_agent.agent.logs import JsonLines

# https://www.elastic.co/docs/reference/ecs/ecs-field-reference: what a line may have, and its type there.
ECS: dict[str, type] = {
    "@timestamp": str,
    "log.level": str,
    "message": str,
    "ecs.version": str,
    "service.name": str,
    "service.node.name": str,
    "log.logger": str,
    "process.pid": int,
    "error.stack_trace": str,
    "http.request.id": str,
    "trace.id": str,
    "source.ip": str,
    "user.name": str,
}


def _line(what: str, /, **fields: Any) -> dict[str, Any]:
    record = logging.LogRecord("aware_agent.agent.elector", logging.WARNING, "", 0, what, None, None)
    record.fields = fields
    text = JsonLines("n1").format(record)
    assert "\n" not in text
    return dict(json.loads(text))


def test_a_line_has_the_names_of_ecs_in_the_order_its_loggers_have() -> None:
    line = _line("I am queen", term=3, request="r-1", source="192.0.2.1", user="ada")
    assert list(line)[:4] == ["@timestamp", "log.level", "message", "ecs.version"]
    foreign = {name for name in line if name not in ECS}
    assert foreign == {"aware.term"}
    assert all(isinstance(value, ECS[name]) for name, value in line.items() if name in ECS)
    assert (line["log.level"], line["log.logger"], line["service.node.name"]) == ("warning", "agent.elector", "n1")
    assert (line["http.request.id"], line["source.ip"], line["user.name"]) == ("r-1", "192.0.2.1", "ada")
    assert datetime.datetime.fromisoformat(line["@timestamp"]).tzinfo is not None


def test_no_field_takes_the_place_of_one_of_the_line() -> None:
    line = _line("what happened", message="something else", level="info")
    assert (line["message"], line["log.level"]) == ("what happened", "warning")
    assert (line["aware.message"], line["aware.level"]) == ("something else", "info")


def test_a_traceback_is_one_field() -> None:
    try:
        raise ValueError("broken\nin two")
    except ValueError:
        record = logging.LogRecord("aware_agent.x", logging.ERROR, "", 0, "it broke", None, sys.exc_info())
    line = json.loads(JsonLines("n1").format(record))
    assert "ValueError: broken\nin two" in line["error.stack_trace"]
