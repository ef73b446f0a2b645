"""How an event gets into the colony's history: one way, for whoever may write one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import msgspec

from aware_agent.colony.event import EventDraft, event
from aware_agent.store import ops
from aware_agent.store.keys import Keys


def put_event(
    keys: Keys,
    line: EventDraft,
    *,
    term: int,
    actor: str,
    now: float | None = None,
    randomness: Callable[[int], bytes] = os.urandom,
) -> ops.Op:
    """The write that adds ``line`` to the history; it belongs into the transaction of the change it tells of.

    ``now`` is in Unix seconds, None for this moment.
    """
    said = event(line, term=term, actor=actor, now=time.time() if now is None else now, randomness=randomness(10))
    return ops.put(keys.key("events", said.id), msgspec.json.encode(said))
