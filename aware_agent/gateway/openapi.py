"""OpenAPI out of the msgspec types that encode and decode the documents, so that the description cannot lie."""

from __future__ import annotations

from typing import Any

import msgspec

from aware_agent import __version__
from aware_agent.gateway import problems

_TEMPLATE = "#/components/schemas/{name}"
_types: dict[str, type] = {}

DESCRIPTION = """\
The gateway of an AWARE colony. It lives on the queen; every other node answers `307` with the queen's address in
`Location` and `X-Aware-Queen`, so any node is a way in.

* Reads carry `ETag` (`"<revision>-<hash>"`), `X-Aware-Revision` and `X-Aware-Term`; `If-None-Match` gives `304`.
* Writes take `If-Match` with a revision or ETag (`412` when it changed since) and `Idempotency-Key`, which the queen
  keeps in memory for her reign.
* `/v1/events/ws` is the WebSocket twin of `/v1/events/stream`: one EventDocument a message, `?since=` and `?type=`
  as there, the token by `Authorization`, by `?ticket=` (POST /v1/auth/ticket) or as first message
  `{"token": "..."}`. Close codes: 1012 the reign ended, 4401 the token does not hold, 4410 history was trimmed, 4429
  too slow; the reason names the revision to resume after. A worker closes with 1008 and `queen <url>`.
* Errors are `application/problem+json` with a stable `code`.
"""


def reference(kind: type) -> dict[str, Any]:
    """Schema reference to ``kind``; remembers it for :func:`complete`."""
    _types[kind.__name__] = kind
    return {"$ref": _TEMPLATE.format(name=kind.__name__)}


def problem_response(description: str) -> dict[str, Any]:
    """A response that is a problem document."""
    content = {problems.MEDIA_TYPE: {"schema": reference(problems.Problem)}}
    return {"description": description, "content": content}


def _anything(kind: type) -> dict[str, Any]:
    """The schema of ``object``: a value of the user's own."""
    if kind is object:
        return {"description": "Any JSON value."}  # msgspec takes an empty schema for none
    raise NotImplementedError


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add the schemas, the security scheme and the general part to what the routes say of themselves."""
    _, components = msgspec.json.schema_components(list(_types.values()), ref_template=_TEMPLATE, schema_hook=_anything)
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
