"""Numbers in a query, in the one spelling there is."""

from __future__ import annotations

from pydantic import BeforeValidator

from aware_agent.colony.numbers import whole


def _strict(value: object) -> object:
    return whole(value) if isinstance(value, str) else value


# For every number in a query: FastAPI's own reading takes `` 5``, ``+5`` and ``1_000``.
STRICT = BeforeValidator(_strict)
