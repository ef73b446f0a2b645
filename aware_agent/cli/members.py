"""The members a gateway named last: hosts that may be asked when no endpoint answers.

They lie beside the context file and belong to whoever uses it: the collection reads and writes the same file.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import AwareError
from aware_agent.colony.urls import origin
from aware_agent.security.files import write_atomic
from aware_agent.security.regular import read_regular


def load_members(path: Path | None) -> list[str]:
    """What ``path`` holds, without what is no origin; nothing when there is no such file or it is damaged."""
    if path is None:
        return []
    try:
        found = from_json(read_regular(path), list[str])
    except (OSError, *UNDECODABLE):
        return []
    return [url for url in found if origin(url) == url]


def save_members(path: Path | None, members: list[str]) -> None:
    """Replace ``path``. A place that cannot be written only means that they are forgotten."""
    if path is not None:
        with contextlib.suppress(AwareError):
            write_atomic(path, msgspec.json.encode(members))


def members_of(data: Any) -> list[str]:
    """Origins of all members named by an inventory or nodes answer; empty for any other answer."""
    if not isinstance(data, dict):
        return []
    if isinstance(data.get("members"), list) and data.get("complete") is True:
        urls = data["members"]
    elif isinstance(data.get("nodes"), list):
        urls = [node.get("url") for node in data["nodes"] if isinstance(node, dict)]
    else:
        return []
    return sorted({host for url in urls if isinstance(url, str) and (host := origin(url))})
