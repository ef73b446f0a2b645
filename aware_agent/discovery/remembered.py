"""The members known last time, so that a node finds its colony again where broadcast does not reach.

Only a cache: what is damaged or missing counts as nothing known, never as an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.urls import gateway_url
from aware_agent.security.files import write_atomic

MOST = 32
_MAX_BYTES = 64 * 1024


class _Members(msgspec.Struct, frozen=True, kw_only=True):
    urls: list[str] = []


def load_remembered(path: Path) -> tuple[str, ...]:
    """Base URLs of gateways, best first; empty when there is nothing useful."""
    try:
        with path.open("rb") as file:
            urls = from_json(file.read(_MAX_BYTES), _Members).urls
    except (OSError, *UNDECODABLE):
        return ()
    return tuple(dict.fromkeys(url for text in urls[:MOST] if (url := gateway_url(text))))


def save_remembered(path: Path, urls: Iterable[str]) -> bool:
    """Replace what is remembered by the first 32 of ``urls``; whether the file changed.

    Raises ``DiskFull`` and its relatives of ``security.files``; the old file is whole then.
    """
    members = tuple(dict.fromkeys(url for text in urls if (url := gateway_url(text))))[:MOST]
    if members == load_remembered(path):
        return False
    write_atomic(path, msgspec.json.encode(_Members(urls=list(members))))
    return True
