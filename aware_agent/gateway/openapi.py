"""OpenAPI out of the msgspec types that encode and decode the documents, so that the description cannot lie."""

from __future__ import annotations

from typing import Any

import msgspec

from aware_agent import __version__
from aware_agent.gateway import examples, problems

_TEMPLATE = "#/components/schemas/{name}"
_types: dict[str, type] = {}
_parts: dict[str, tuple[type, str, type]] = {}

DESCRIPTION = """\
The gateway of an AWARE colony. Every council member answers reads; what only the queen can do others answer with `307`
and her address in `Location` and `X-Aware-Queen`, so any node is a way in. `X-Aware-Role` says what a member is.

* Reads carry `ETag` (`"<revision>-<hash>"`), `X-Aware-Revision` and `X-Aware-Term`; `If-None-Match` gives `304`.
* Writes that could lose somebody else's change take `If-Match` with a revision or ETag (`412` when it changed since).
* Writes take `Idempotency-Key` (1 to 128 printable characters): repeated with it, a write changes nothing a second time
  and its answer says `Idempotency-Replayed: true`, also when another queen reigns by then. Kept for a day, and for the
  last 256 keys of a user. Logins, joins, renewals and signed URLs prove themselves and do not read it.
* `/v1/events/ws` is the WebSocket twin of `/v1/events/stream`: one EventDocument a message, `?since=` and the filters
  as there, the token by `Authorization`, by `?ticket=` (POST /v1/auth/ticket) or as first message
  `{"token": "..."}`. Close codes: 1012 the gateway stops, 4401 the token does not hold, 4410 history was trimmed, 4429
  too slow; the reason names the revision to resume after. A worker closes with 1008 and `queen <url>`.
* Errors are `application/problem+json` with a stable `code`.
"""


def reference(kind: type) -> dict[str, Any]:
    """Schema reference to ``kind``; remembers it for :func:`complete`."""
    _types[kind.__name__] = kind
    return {"$ref": _TEMPLATE.format(name=kind.__name__)}


def request_body(kind: type) -> dict[str, Any]:
    """What a body of ``kind`` has to be, and an example."""
    return {"schema": reference(kind), "example": examples.BODIES[kind.__name__]}


def part(kind: type, member: str, item: type) -> dict[str, Any]:
    """Schema reference to ``kind`` whose list ``member`` tells only some fields of each ``item``."""
    _parts[f"{kind.__name__}Fields"] = (kind, member, item)
    return {"$ref": _TEMPLATE.format(name=f"{kind.__name__}Fields")}


def _of_parts(components: dict[str, Any]) -> dict[str, Any]:
    """Their schemas: what is told is as in the whole, and nothing of it is required."""
    found = {}
    for name, (kind, member, item) in _parts.items():
        whole = components[kind.__name__]
        some = {"type": "object", "properties": components[item.__name__]["properties"], "additionalProperties": False}
        listed = {**whole["properties"][member], "items": some}
        found[name] = {
            **whole,
            "title": name,
            "description": f"As {kind.__name__}, with chosen fields of {member}.",
            "properties": {**whole["properties"], member: listed},
        }
    return found


def problem_response(description: str) -> dict[str, Any]:
    """A response that is a problem document."""
    content = {problems.MEDIA_TYPE: {"schema": reference(problems.Problem)}}
    return {"description": description, "content": content}


def _anything(kind: type) -> dict[str, Any]:
    """The schema of ``object``: a value of the user's own."""
    if kind is object:
        return {"description": "Any JSON value."}  # msgspec takes an empty schema for none
    raise NotImplementedError


_BOUNDS = {"ge": "minimum", "le": "maximum"}  # a number that is read strictly keeps pydantic's words for its bounds


def _parameter(path: str, described: dict[str, Any]) -> dict[str, Any]:
    """A parameter as it is read: one that may be left out is not null then, it is not there."""
    schema = dict(described["schema"])
    given = [kind for kind in schema.pop("anyOf", ()) if kind.get("type") != "null"]
    schema.update(given[0] if given else {})
    schema = {_BOUNDS.get(name, name): value for name, value in schema.items() if name not in ("title", "description")}
    if described["in"] == "path":
        return {**described, "schema": schema, "example": examples.of_path(path, described["name"])}
    return {**described, "schema": schema}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add the schemas, the security scheme and the general part to what the routes say of themselves."""
    _, components = msgspec.json.schema_components(list(_types.values()), ref_template=_TEMPLATE, schema_hook=_anything)
    components.update(_of_parts(components))
    for path, methods in document["paths"].items():
        for operation in methods.values():
            operation["parameters"] = [_parameter(path, one) for one in operation.get("parameters", ())]
    document["info"] = {
        "title": "AWARE gateway",
        "version": __version__,
        "description": DESCRIPTION,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }
    document["components"] = {
        "schemas": components,
        "securitySchemes": {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "Access token of POST /v1/auth/token.",
            }
        },
    }
    return document
