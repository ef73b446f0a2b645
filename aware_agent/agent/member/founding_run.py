"""Founding on this node, put together: the founder's machine, its line, its disk, and what founding and joining do."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from aware_agent.agent.member.founder import Founder
from aware_agent.agent.member.founding_disk import FoundingDisk
from aware_agent.agent.member.founding_line import FoundingLine
from aware_agent.agent.member.founding_live import delete_founding_key
from aware_agent.agent.member.founding_make import Maker, founders_token
from aware_agent.agent.member.founding_told import FoundingNote
from aware_agent.agent.settings import Settings
from aware_agent.agent.state import StateDir
from aware_agent.colony.founders import Founders, Founding, Phase
from aware_agent.discovery.interfaces import choose_links
from aware_agent.security.founding_key import FoundingKey, read_founding_key
from aware_agent.security.token import JoinToken

log = logging.getLogger(__name__)

ORIGIN = "founded"


async def found_or_join(settings: Settings, state_dir: StateDir, join: Callable[[JoinToken], Awaitable[str]]) -> str:
    """Return how this node came into the colony. Raises AwareError that a person has to see."""
    key = read_founding_key(Path(settings.founding_key_file), settings.colony)
    me = state_dir.ensure_identity(settings.name, now=time.time()).id
    disk = FoundingDisk(Path(settings.state_dir), key.id, settings.council.size)
    maker = Maker(settings, key)
    origin = ORIGIN

    async def make(_founders: Founders) -> None:
        await maker.make()

    async def joining() -> None:
        nonlocal origin
        origin = await join(founders_token(key))

    founder = Founder(_blank(settings, me), disk, make, joining, FoundingNote(Path(settings.state_dir)))
    phase = await founder.run(_line(settings, key, me, founder))
    if phase is Phase.JOINED:
        delete_founding_key(Path(settings.founding_key_file))
    return origin


async def call_the_others(settings: Settings, me: str, joined: Callable[[], Iterable[str]]) -> None:
    """Say that the colony is founded until a majority of the founders has joined; then the key has done its work."""
    key = read_founding_key(Path(settings.founding_key_file), settings.colony)
    disk = FoundingDisk(Path(settings.state_dir), key.id, settings.council.size)
    note = FoundingNote(Path(settings.state_dir))
    founder = Founder(_blank(settings, me), disk, _nothing_to_make, _nothing_to_join, note)
    await founder.run(_line(settings, key, me, founder), joined)
    Maker(settings, key).clear()


async def _nothing_to_make(_founders: Founders) -> None:
    raise AssertionError("the colony is founded already")


async def _nothing_to_join() -> None:
    raise AssertionError("this node has founded")


def _blank(settings: Settings, me: str) -> Founding:
    return Founding(me=me, name=settings.name, size=settings.council.size)


def _line(settings: Settings, key: FoundingKey, me: str, founder: Founder) -> FoundingLine:
    return FoundingLine(
        key,
        me=me,
        name=settings.name,
        address=settings.address,
        url=settings.url,
        links=choose_links(settings.address, settings.discovery.interfaces),
        port=settings.discovery.port,
        seeds=settings.discovery.seeds,
        hear=founder.hear,
    )
