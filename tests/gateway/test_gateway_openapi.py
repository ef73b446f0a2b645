"""The description is valid, and the gateway answers as it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from aware_agent.gateway.idempotency import WITHOUT
from tests.gateway.memory import MemoryContext
from tests.gateway.test_gateway_roles import TABLE, _path


@pytest.fixture
async def description(anonymous: httpx.AsyncClient) -> dict[str, Any]:
    document: dict[str, Any] = (await anonymous.get("/openapi.json")).json()
    return document


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _check(description: dict[str, Any], schema: dict[str, Any], document: Any) -> None:
    Draft202012Validator({**schema, "components": description["components"]}).validate(document)


def test_references_resolve_and_schemas_are_schemas(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    assert description["openapi"].startswith("3.1")
    for reference in _references(description):
        assert reference.removeprefix("#/components/schemas/") in schemas
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    assert "HTTPValidationError" not in schemas


def test_every_operation_is_described(description: dict[str, Any]) -> None:
    identifiers = set()
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["description"], where
            assert operation["tags"], where
            assert "default" in operation["responses"], where
            assert bool(operation["security"]) == ("x-aware-role" in operation), where
            assert ("401" in operation["responses"]) >= bool(operation["security"]), where
            declared = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert declared == {part[1:-1] for part in path.split("/") if part.startswith("{")}, where
            for status, response in operation["responses"].items():
                assert response["description"], where
                if status.startswith("3"):
                    assert "Location" in response["headers"], where
                elif not status.startswith("2"):
                    assert list(response["content"]) == ["application/problem+json"], where
            identifiers.add(operation["operationId"])
    assert len(identifiers) == sum(len(methods) for methods in description["paths"].values())


@pytest.mark.parametrize("row", [row for row in TABLE if "stream" not in row[1]], ids=lambda row: f"{row[0]} {row[1]}")
async def test_answers_are_as_described(
    admin: httpx.AsyncClient, context: MemoryContext, description: dict[str, Any], row: Any
) -> None:
    method, path, _, body = row
    response = await admin.request(method, _path(path), json=body)
    operation = description["paths"][path][method.lower()]
    described = operation["responses"][str(response.status_code)]
    media = response.headers["content-type"].split(";")[0]
    assert media in described["content"]
    if media.endswith("json"):
        _check(description, described["content"][media]["schema"], response.json())
    if body and response.status_code < 300:
        _check(description, operation["requestBody"]["content"]["application/json"]["schema"], body)


async def test_static_pages_fetch_nothing_elsewhere(anonymous: httpx.AsyncClient) -> None:
    for path in ("/", "/docs", "/assets/docs.js", "/assets/docs.css", "/assets/page.css"):
        response = await anonymous.get(path)
        assert response.status_code == 200
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        elsewhere = re.sub(r"connect-src [^;]*;", "", policy)  # the colony's own gateways: test_gateway_browsers.py
        assert "http:" not in elsewhere
        assert "https:" not in elsewhere
        text = response.text.replace("http://www.w3.org", "").replace('["http:", "https:"]', "")
        assert "http:" not in text
        assert "https:" not in text
        for danger in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", " onclick", "style="):
            assert danger not in text
        again = await anonymous.get(path, headers={"if-none-match": response.headers["etag"]})
        assert again.status_code == 304


def test_every_operation_has_examples_of_what_it_takes(description: dict[str, Any]) -> None:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            for parameter in operation["parameters"]:
                if parameter["in"] == "path":
                    _check(description, parameter["schema"], parameter["example"])
            if "requestBody" in operation:
                body = operation["requestBody"]["content"]["application/json"]
                _check(description, body["schema"], body["example"])
                assert body["example"], f"{method} {path}"


def test_headers_that_are_read_before_a_route_are_told(description: dict[str, Any]) -> None:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            told = {one["name"] for one in operation["parameters"] if one["in"] == "header"}
            takes = method != "get" and bool(operation["security"]) and not path.startswith(WITHOUT)
            assert ("Idempotency-Key" in told) == takes, f"{method} {path}"
            assert ("X-Aware-Min-Revision" in told) == (method == "get" and bool(operation["security"]))


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def _listed() -> set[str]:
    """The paths in the table of docs/api.md, the short forms after a comma written out."""
    paths = set()
    for cell in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE):
        base = ""
        for path in re.findall(r"/[\w/-]*(?:\{[^}]*\}[\w/-]*)*", cell):
            whole = path if path.startswith("/v1/") else base + path
            base = whole.rsplit("/", 1)[0]
            paths.add(re.sub(r"\{[^}]*\}", "{}", whole))
    return paths


def test_the_page_lists_what_is_there_and_nothing_else(description: dict[str, Any]) -> None:
    there = {re.sub(r"\{[^}]*\}", "{}", path) for path in description["paths"]}
    assert _listed() - there - {"/v1/events/ws"} == set()  # OpenAPI knows no WebSockets; test_gateway_streams does
    assert len(_listed()) > 20


def test_the_page_names_the_writes_that_read_if_match_and_idempotency_key(description: dict[str, Any]) -> None:
    (writing,) = re.findall(r"^- \*\*Writing\.\*\*.*?(?=^- )", PAGE, re.MULTILINE | re.DOTALL)
    reading = {
        f"{method.upper()} {path}"
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if any(one["name"].lower() == "if-match" for one in operation.get("parameters", ()))
    }
    assert reading == set(re.findall(r"`((?:PATCH|PUT|POST|DELETE) [^`]*)`", writing))
    assert set(WITHOUT) == set(re.findall(r"`(/v1/[^`]*)`", writing))
