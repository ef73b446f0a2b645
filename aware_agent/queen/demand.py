"""What somebody posts for a caste to be scaled by: the newest number for each caste, and nothing of those before."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import msgspec

from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.scale import MAX_DEMAND
from aware_agent.colony.scaling import Posted
from aware_agent.colony.spec import Spec
from aware_agent.queen.rehearsal import about_to
from aware_agent.queen.writer import FencedWriter, Written
from aware_agent.store import ops

DEMAND = "demand/"


def check_demand(spec: Spec | None, name: str, value: float) -> None:
    """Raise NotFound, Conflict or InvalidInput unless the caste ``name`` can be scaled by ``value``."""
    caste = spec.castes.get(name) if spec else None
    if caste is None:
        raise NotFound(f"there is no caste {name[:80]!r}", hint="GET /v1/castes, or aware spec show, lists them")
    if caste.scale is None or caste.scale.demand is None:
        raise Conflict(
            f"caste {name} is not scaled by a demand",
            hint=f"say in the spec what a node carries: castes.{name}.scale.demand.per_node",
        )
    if not math.isfinite(value) or not 0 <= value <= MAX_DEMAND:
        raise InvalidInput(f"a demand of {value:g} is out of range", field="value", hint=f"0 to {MAX_DEMAND:g}")


class DemandCommands:
    """For one reign. ``wall`` shows Unix time."""

    def __init__(self, writer: FencedWriter, wall: Callable[[], float] = time.time) -> None:
        self._writer, self._wall = writer, wall

    async def put(self, name: str, value: float, *, actor: str) -> Written:
        """Keep ``value`` as the demand of a caste from now on. Raises NotFound, Conflict, InvalidInput."""
        async with self._writer.writing():
            check_demand(self._writer.reader.data().spec, name, value)
            about_to(f"the demand of caste {name} is {value:g}")
            posted = Posted(value=value, at=self._wall(), by=actor)
            key = self._writer.key("demand", name)
            return await self._writer.commit([ops.put(key, msgspec.json.encode(posted))], [], actor)
