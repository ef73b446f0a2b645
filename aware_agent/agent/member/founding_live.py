"""What a running agent still does for its founding: the founder calls the others until a majority has joined."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from aware_agent.agent.settings import Settings
from aware_agent.agent.state import NodeState
from aware_agent.colony.errors import AwareError

if TYPE_CHECKING:
    from aware_agent.agent.member.founding_disk import FoundingRecord

log = logging.getLogger(__name__)


def founds(settings: Settings, state: NodeState) -> bool:
    """Whether this node began to found and did not come to the end of it. Raises StateCorrupted."""
    kept = _kept(settings)
    return kept is not None and not kept.made and kept.confirmed[:1] == (state.identity.id,)


def has_founding_key(settings: Settings) -> bool:
    """Whether the founding key that the settings name is still there."""
    return bool(settings.founding_key_file) and os.path.exists(settings.founding_key_file)


async def announce_founding(settings: Settings, me: str, joined: Callable[[], Iterable[str]]) -> None:
    """Call founders and late comers until a majority of the founders has joined; then delete the founding key.

    A node that has joined only deletes the key. Troubles are told and end nothing: the colony is there.
    """
    if not has_founding_key(settings):
        return
    kept = _kept(settings)
    try:
        if kept is not None and kept.made:
            from aware_agent.agent.member.founding_run import call_the_others

            await call_the_others(settings, me, joined)
        delete_founding_key(Path(settings.founding_key_file))
    except (AwareError, OSError) as error:
        log.error("the other founders are not called: %s", error)


def _kept(settings: Settings) -> FoundingRecord | None:
    """What is on disk of its founding. Few nodes ever found, so what reads it is loaded only where there is a file."""
    path = Path(settings.state_dir) / "founding.json"
    try:
        path.lstat()
    except FileNotFoundError:
        return None
    from aware_agent.agent.member.founding_disk import load_founding

    return load_founding(path)


def delete_founding_key(path: Path) -> None:
    """It is worth as much as the colony's CA, and nobody needs it here any more."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("delete the founding key %s by hand: %s", path, error.strerror)
