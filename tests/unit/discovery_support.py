"""What the discovery tests share. Everything stays on loopback."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from aware_agent.colony.ids import ulid
from aware_agent.discovery.beacon import announce_key
from aware_agent.discovery.interfaces import choose_links
from aware_agent.discovery.seek import SeekSettings
from aware_agent.discovery.service import AnnounceKeys, BeaconService, NodeAnnouncement
from aware_agent.security.token import JoinToken, beacon_key, make_token

SECRET = bytes(range(32))
ANNOUNCE_KEYS = AnnounceKeys(current="1", keys={"1": announce_key(SECRET)})
LOOPBACK_LINKS = choose_links("127.0.0.1")


def node_id(number: int) -> str:
    return ulid(1_700_000_000 + number, number.to_bytes(10, "big"))


def new_token() -> JoinToken:
    return make_token("p" * 43, os.urandom(40))


def node_announcement(number: int, *, queen: int = 0, term: int = 1, size: int = 3) -> NodeAnnouncement:
    return NodeAnnouncement(
        id=node_id(number),
        name=f"n{number}",
        address="127.0.0.1",
        url=f"https://127.0.0.1:{9000 + number}",
        queen_id=node_id(queen),
        queen_url=f"https://127.0.0.1:{9000 + queen}",
        term=term,
        size=size,
    )


def service(number: int, colony: str, port: int, *, token: JoinToken | None = None, **options: Any) -> BeaconService:
    """A member of ``colony``; node 0 is queen."""
    me = options.pop("me", node_announcement(number))
    options.setdefault("keys", ANNOUNCE_KEYS)
    return BeaconService(
        colony=colony,
        links=LOOPBACK_LINKS,
        port=port,
        describe=lambda: me,
        token_key=lambda key_id: beacon_key(token) if token and key_id == token.id else None,
        **options,
    )


def newcomer(port: int, **options: Any) -> SeekSettings:
    return SeekSettings(node_id=node_id(99), name="new", address="127.0.0.1", port=port, **options)


async def eventually(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Wait until ``condition`` holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)
