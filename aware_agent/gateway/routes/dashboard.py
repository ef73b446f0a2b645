"""The dashboard, ``/docs`` and ``/openapi.json``: static bytes of this package; nothing is fetched elsewhere."""

from __future__ import annotations

import functools
from pathlib import Path

from fastapi import APIRouter, Request, Response

from aware_agent.gateway import preconditions

router = APIRouter(include_in_schema=False)
_DIRECTORY = Path(__file__).parent.parent / "dashboard"
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/docs": ("docs.html", "text/html; charset=utf-8"),
    "/dashboard/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/dashboard/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
    "/dashboard/style.css": ("style.css", "text/css; charset=utf-8"),
    "/dashboard/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


@functools.cache
def _file(name: str) -> tuple[bytes, bytes]:
    """Content and tag, read once."""
    body = (_DIRECTORY / name).read_bytes()
    return body, preconditions.etag(0, body)


@router.get("/")
@router.get("/docs")
@router.get("/dashboard/{name}")
async def static(request: Request) -> Response:
    """One of the files."""
    name, media = _FILES.get(request.url.path, ("", ""))
    if not name:
        return await missing()
    body, tag = _file(name)
    headers = {**_HEADERS, "etag": tag.decode()}
    if preconditions.none_match(request.headers.get("if-none-match", "").encode("latin-1"), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media, headers=headers)


@router.get("/openapi.json")
async def description(request: Request) -> Response:
    """The API's description, OpenAPI 3.1."""
    described: bytes = request.app.state.description()
    return Response(described, media_type="application/json")


async def missing() -> Response:
    """A file we do not have."""
    from aware_agent.gateway.errors import NoSuchRoute

    raise NoSuchRoute("nothing lives at this path")
