"""Which nodes a list is asked for."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from fastapi import Query

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.node import Status
from aware_agent.colony.view import NodeView


class Filter(NamedTuple):
    """What has to be so of a node: one of ``status``, ``caste``, every one of ``labels``, ``zone``. Empty: whatever."""

    status: tuple[Status, ...] = ()
    caste: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    zone: str | None = None

    def lets_through(self, node: NodeView) -> bool:
        """Whether the node is asked for."""
        return (
            (not self.status or node.status in self.status)
            and self.caste in ("", node.caste)
            and self.zone in (None, node.capabilities.zone)
            and all(node.labels.get(key) == value for key, value in self.labels)
        )


async def filter_of(
    status: Annotated[list[Status] | None, Query(description="only nodes with this status, or one of these")] = None,
    caste: Annotated[str, Query(max_length=100, description="only nodes of this caste; spare: of none")] = "",
    label: Annotated[
        list[str] | None, Query(description="only nodes with this label, KEY=VALUE; may be repeated")
    ] = None,
    zone: Annotated[str | None, Query(max_length=255, description="only nodes of this zone")] = None,
) -> Filter:
    """The part of a query that chooses nodes. Raises InvalidInput."""
    labels = []
    for text in label or ():
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise InvalidInput(f"label {text[:80]!r} is not understood", field="label", hint="KEY=VALUE")
        labels.append((key, value))
    return Filter(tuple(sorted(set(status or ()))), caste, tuple(sorted(set(labels))), zone)
