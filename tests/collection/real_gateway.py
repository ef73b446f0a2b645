"""What the real gateway would say to a request: the stand-in of these tests answers to anything."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from functools import cache
from typing import Any

# With an Ansible of its own, the collection's tests run without AWARE and what it needs.
THERE = importlib.util.find_spec("msgspec") is not None and importlib.util.find_spec("fastapi") is not None


@cache
def _routes() -> list[Any]:
    from fastapi.routing import APIRoute

    from aware_agent.gateway import routes

    modules = [
        importlib.import_module(f"{routes.__name__}.{found.name}") for found in pkgutil.iter_modules(routes.__path__)
    ]
    return [route for module in modules for route in module.router.routes if isinstance(route, APIRoute)]


def takes(method: str, path: str, body: str) -> None:
    """Raises AssertionError when there is no such route, msgspec.ValidationError when it could not read ``body``."""
    import msgspec

    from aware_agent.gateway import openapi

    plain = path.partition("?")[0]
    for route in _routes():
        if method in route.methods and route.path_regex.match(plain):
            wanted = (route.openapi_extra or {}).get("requestBody")
            if wanted:
                name = wanted["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
                msgspec.json.decode(body, type=openapi._types[name])
            return
    raise AssertionError(f"the gateway has no {method} {path}")
