"""The reference of the gateway, in Markdown, of its OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from manual.markdown import plain, table

_METHODS = ("get", "post", "put", "patch", "delete")


def rest_page(document: dict[str, Any]) -> str:
    """Every operation, by subject: who may ask for it, what it takes, an example of what is sent, what is answered."""
    lines = ["# The gateway, operation by operation", "", document["info"]["description"], ""]
    lines += ["The same for programs: `/openapi.json` of any gateway.", ""]
    found = sorted(_operations(document), key=lambda one: one[0])
    for subject, operations in groupby(found, key=lambda one: one[0]):
        lines += [f"## {subject}", ""]
        for _, method, path, operation in operations:
            lines += _operation(f"{method.upper()} {path}", operation, document)
    return "\n".join(lines) + "\n"


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield item[method].get("tags", ["others"])[0], method, path, item[method]


def _operation(name: str, operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    yield from (f"### `{name}`", "")
    if told := operation.get("description") or operation.get("summary"):
        yield from (told, "")
    yield from (f"{_who(operation)}", "")
    parameters = [_resolved(one, document) for one in operation.get("parameters", ())]
    if parameters:
        rows = [(f"`{one['name']}`", one["in"], plain(one.get("description", ""))) for one in parameters]
        yield from table(("parameter", "in", ""), rows)
    yield from _body(operation, document)
    yield from (_answers(operation), "")


def _who(operation: dict[str, Any]) -> str:
    role, scopes = operation.get("x-aware-role"), operation.get("x-aware-permissions", ())
    if not role:
        return "Needs no login."
    named = ", ".join(f"`{scope}`" for scope in scopes)
    return f"Needs role {role}" + (f"; a service account: {named}." if named else ".")


def _answers(operation: dict[str, Any]) -> str:
    """Every status, those of problems apart."""
    found = sorted(status for status in operation.get("responses", {}) if status.isdigit())
    good = ", ".join(f"`{status}`" for status in found if status < "400")
    bad = ", ".join(f"`{status}`" for status in found if status >= "400")
    return f"Answers {good}" + (f"; problems are {bad}." if bad else ".")


def _body(operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        examples = [one["value"] for one in content.get("examples", {}).values() if "value" in one]
        examples += [content["example"]] if "example" in content else []
        schema = _resolved(content.get("schema", {}), document)
        examples += schema.get("examples", [])
        if kind == "application/json" and examples:
            yield from ("```json", json.dumps(examples[0], indent=2), "```", "")


def _resolved(found: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to."""
    for _ in range(8):
        if "$ref" not in found:
            return found
        value: Any = document
        for step in found["$ref"].removeprefix("#/").split("/"):
            value = value[step]
        found = value
    return found
