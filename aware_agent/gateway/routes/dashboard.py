"""The dashboard, ``/docs`` and ``/openapi.json``: static bytes of this package; nothing is fetched elsewhere.

The files are what ``make dashboard`` builds of ``dashboard/``. All their addresses are relative, so they work under any
path a proxy in front puts them at.
"""

from __future__ import annotations

import asyncio
import functools
import gzip
import re
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from aware_agent.gateway import preconditions
from aware_agent.gateway.errors import NoSuchRoute
from aware_agent.gateway.reads import accepts_gzip
from aware_agent.gateway.routing import Here
from aware_agent.gateway.state import Gateway

router = APIRouter(include_in_schema=False)
_DIRECTORY = Path(__file__).parent.parent / "dashboard"
_MEDIA = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Vite names these after a hash of what is in them, so they never change; it has others where names are asked for.
_HASHED = re.compile(r"[A-Za-z0-9_.-]+-[A-Za-z0-9_-]{8}\.(js|css)")


class _File(NamedTuple):
    """One file in both forms, each with its tag."""

    media: str
    plain: bytes
    plain_tag: bytes
    zipped: bytes
    zipped_tag: bytes


@router.get("/")
async def page(request: Request, gateway: Here) -> Response:
    """The dashboard."""
    return await _serve(request, gateway, "index.html")


@router.get("/docs")
async def docs(request: Request, gateway: Here) -> Response:
    """The API's description, to read."""
    return await _serve(request, gateway, "docs.html")


@router.get("/assets/{name}")
async def asset(request: Request, gateway: Here, name: str) -> Response:
    """One of the files the pages are made of."""
    return await _serve(request, gateway, f"assets/{name}")


@router.get("/openapi.json")
async def description(request: Request) -> Response:
    """The API's description, OpenAPI 3.1."""
    described: bytes = request.app.state.description()
    return Response(described, media_type="application/json")


async def _serve(request: Request, gateway: Gateway, name: str) -> Response:
    if name not in _names():
        raise NoSuchRoute("nothing lives at this path")
    file = await asyncio.to_thread(_file, name)
    if file.media.startswith("text/html"):
        await _acquainted(gateway)
    zips = accepts_gzip(request.headers.get("accept-encoding", "").encode("latin-1"))
    body, tag = (file.zipped, file.zipped_tag) if zips else (file.plain, file.plain_tag)
    headers = {
        "content-security-policy": _policy(gateway.browsers.members()),
        "referrer-policy": "no-referrer",
        "vary": "accept-encoding",
        "cache-control": "public, max-age=31536000, immutable" if _HASHED.fullmatch(Path(name).name) else "no-cache",
        "etag": tag.decode(),
    }
    if preconditions.none_match(request.headers.get("if-none-match", "").encode("latin-1"), tag):
        return Response(status_code=304, headers=headers)
    if zips:
        headers["content-encoding"] = "gzip"
    return Response(body, media_type=file.media, headers=headers)


async def _acquainted(gateway: Gateway) -> None:
    """Wait a moment for the first look at the colony: what a page may ask is settled when it is loaded."""
    for _ in range(60):
        if gateway.browsers.members():
            return
        await asyncio.sleep(0.05)


def _policy(members: tuple[str, ...]) -> str:
    """What the page may do: ask its own gateway, and the colony's others, with which it goes on when this one falls."""
    others = "".join(f" {origin} wss{origin.removeprefix('https')}" for origin in members)
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self'{others}; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


@functools.cache
def _names() -> frozenset[str]:
    """What is there: only these names are ever opened."""
    return frozenset(path.relative_to(_DIRECTORY).as_posix() for path in _DIRECTORY.rglob("*") if path.suffix in _MEDIA)


@functools.cache
def _file(name: str) -> _File:
    """Read and compressed once."""
    path = _DIRECTORY / name
    plain = path.read_bytes()
    zipped = gzip.compress(plain, 9, mtime=0)
    return _File(_MEDIA[path.suffix], plain, preconditions.etag(0, plain), zipped, preconditions.etag(0, zipped))
