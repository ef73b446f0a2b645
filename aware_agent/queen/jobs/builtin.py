"""Operations that come with AWARE: to scale the spec, and to see that the nodes it wants are there and answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aware_agent.colony.decoding import UNDECODABLE, from_plain
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.hook import MAX_DELTA, HookOperation, Order, check_order
from aware_agent.colony.operation import Operation
from aware_agent.colony.plain_words import in_words
from aware_agent.colony.scale import MAX_NODES

_PLAYBOOKS = Path(__file__).resolve().parent / "playbooks"
_SCALE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["delta"],
    "properties": {
        "delta": {"type": "integer", "minimum": -MAX_DELTA, "maximum": MAX_DELTA, "not": {"const": 0}},
        "caste": {"type": "string", "description": "this caste's count changes too"},
        "max_size": {"type": "integer", "minimum": 0, "maximum": MAX_NODES, "description": "never beyond this"},
    },
}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name=HookOperation.SCALE,
        description="change the spec's size, and one caste's count",
        parameters=_SCALE,
        idempotent=True,
    ),
    Operation(
        name=HookOperation.JOIN,
        description="wait until as many nodes as the spec wants are ready, then verify",
        playbook=str(_PLAYBOOKS / "verify.yml"),
        time_limit_s=900.0,
        idempotent=True,
        group="verify",
    ),
    Operation(
        name=HookOperation.VERIFY,
        description="see that every living node says that it is ready, over TLS of this colony",
        playbook=str(_PLAYBOOKS / "verify.yml"),
        idempotent=True,
    ),
)


def order_of(operation: Operation, parameters: dict[str, Any]) -> Order:
    """The order that ``parameters`` of a built-in operation make. Raises :class:`InvalidInput`."""
    try:
        order = from_plain({"operation": operation.name, **parameters}, Order)
    except (ValueError, *UNDECODABLE) as error:
        raise InvalidInput(f"parameters: {in_words(error).message}", field="parameters") from error
    if order.reference:
        raise InvalidInput("there is no parameter reference", field="parameters.reference")
    check_order(order)
    return order


def parameters_of(order: Order) -> dict[str, Any]:
    """The other way round; what is not set is left out."""
    found = {"delta": order.delta, "caste": order.caste, "max_size": order.max_size}
    return {name: value for name, value in found.items() if value}
