"""Orders from outside that come through a hook, and the arithmetic of scaling. Pure.

An order becomes a job: :mod:`aware_agent.colony.jobs`.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from aware_agent.colony.errors import Conflict, InvalidInput
from aware_agent.colony.names import Kind, check_name
from aware_agent.colony.scale import MAX_NODES
from aware_agent.colony.spec import Spec, check_spec

MAX_DELTA = 100
_REFERENCE = re.compile(r"[A-Za-z0-9._:-]{0,64}\Z")


class HookOperation(StrEnum):
    """Operations that a signed URL can allow."""

    SCALE = "scale"  # the spec's size (and one caste's count) grow or shrink
    JOIN = "join"  # wait until as many nodes as the spec wants are ready, then verify
    VERIFY = "verify"  # every node answers that it is ready, over TLS of this colony


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is asked for. ``delta``, ``caste`` and ``max_size`` are for scaling only."""

    operation: HookOperation
    delta: int = 0  # nodes more, or fewer when negative
    caste: str = ""  # this caste's count changes by delta too
    max_size: int = 0  # the size must not grow beyond it; 0: as far as a spec may
    reference: str = ""  # who calls, such as the id of a server; one signed URL serves each reference once


def check_order(order: Order) -> None:
    """Raise :class:`InvalidInput` for an order that could never be carried out."""
    if not _REFERENCE.match(order.reference):
        raise InvalidInput("this is not a reference", field="reference", hint="at most 64 of letters, digits and ._:-")
    if order.operation is not HookOperation.SCALE:
        if order.delta or order.caste or order.max_size:
            raise InvalidInput(
                f"{order.operation} takes no delta, caste or max_size", field="operation", hint="only scale does"
            )
        return
    if order.delta == 0 or abs(order.delta) > MAX_DELTA:
        raise InvalidInput(f"delta {order.delta} is out of range", field="delta", hint=f"±1 to ±{MAX_DELTA}")
    if not 0 <= order.max_size <= MAX_NODES:
        raise InvalidInput(f"max_size {order.max_size} is out of range", field="max_size", hint=f"1 to {MAX_NODES}")
    if order.caste:
        check_name(Kind.CASTE, order.caste, "caste")


def narrowed(granted: Order, delta: int | None, reference: str) -> Order:
    """The order a caller gives under what was granted: at most the granted delta, in the same direction.

    Raises :class:`InvalidInput`.
    """
    if delta is None:
        delta = granted.delta
    if abs(delta) > abs(granted.delta) or delta * granted.delta < 0:
        raise InvalidInput(
            f"delta {delta} is more than was signed", field="delta", hint=f"up to {granted.delta}, same direction"
        )
    return msgspec.structs.replace(granted, delta=delta, reference=reference)


def scaled(spec: Spec, order: Order) -> Spec:
    """``spec`` after a scale order. Raises :class:`Conflict` at a limit, InvalidInput for an unknown caste."""
    size = spec.size + order.delta
    if order.delta > 0 and order.max_size and size > order.max_size:
        raise Conflict(f"size {size} is beyond the limit of {order.max_size}", hint="sign one with a larger limit")
    castes = spec.castes
    if order.caste:
        caste = castes.get(order.caste)
        if caste is None:
            raise InvalidInput(f"the spec has no caste {order.caste!r}", field="caste", hint="see aware spec show")
        if caste.scale is not None:
            raise Conflict(
                f"caste {order.caste} scales by itself between {caste.scale.min} and {caste.scale.max}",
                hint="change these in the spec, or post a demand: aware castes demand",
            )
        castes = {**castes, order.caste: msgspec.structs.replace(caste, count=caste.count + order.delta)}
    after = msgspec.structs.replace(spec, size=size, castes=castes)
    try:
        check_spec(after)
    except InvalidInput as error:
        raise Conflict(error.message, hint=error.hint) from error
    return after
