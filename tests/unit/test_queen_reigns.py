"""A node's reigns one after the other: for which of them a command is carried out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from aware_agent.agent.member.link import Do
from aware_agent.colony.errors import Deposed
from aware_agent.queen import commands as do
from aware_agent.queen.reigns import Reigns


def command(term: int) -> Do:
    raw = msgspec.Raw(msgspec.msgpack.encode(do.StepDown()))
    return Do(id=1, term=term, actor="ada", command=raw)


@pytest.mark.parametrize("seen", [7, 9], ids=["nobody else reigns yet", "somebody else reigns"])
async def test_a_command_for_a_term_that_is_over_is_told_so_at_once(seen: int) -> None:
    """It waits for a term that has not begun; for one that has ended nobody would ever wake it."""
    node: Any = SimpleNamespace(seen_term=seen)
    reigns = Reigns(node)
    reigns.end(7, "asked by ada")
    with pytest.raises(Deposed, match="term 7 is over"):
        await reigns.execute(command(7))
