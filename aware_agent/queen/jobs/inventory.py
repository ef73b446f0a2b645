"""The colony's inventory as the gateway beside the agent tells it to a job's process."""

from __future__ import annotations

import time
from typing import Any, Protocol

from aware_agent import tracing
from aware_agent.agent.https import Unreachable, Untrusted, exchange, trusting_context
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import AwareError
from aware_agent.colony.names import council_host
from aware_agent.colony.trace import SpanKind
from aware_agent.queen.jobs.hosts import Hosts, selected
from aware_agent.queen.jobs.protocol import RunOrder

PATH = "/v1/inventory"
MAX_INVENTORY = 64 << 20
TRY_S = 10.0  # so long for one answer, and for a gateway that has no room now
RETRY_S = 0.5


class InventoryUnavailable(AwareError):
    """The gateway told no inventory, so nothing was run."""

    code = "no-inventory"
    exit_code = 7
    status = 503


class Leashed(Protocol):
    """Says why to give up; "" to go on."""

    def pulled(self) -> str: ...


def fetch_inventory(order: RunOrder, leash: Leashed) -> Hosts:
    """Ask the gateway beside the agent. Raises :class:`InventoryUnavailable`."""
    with tracing.span("inventory", SpanKind.CLIENT, {"url.path": PATH}):
        return _fetched(order, leash)


def _fetched(order: RunOrder, leash: Leashed) -> Hosts:
    context = trusting_context(order.ca.encode())
    end = time.monotonic() + TRY_S
    while True:
        try:
            reply = exchange(
                "GET",
                order.url + PATH,
                context=context,
                server_name=council_host(order.colony),
                timeout_s=TRY_S,
                limit=MAX_INVENTORY,
                token=order.token,
                trace=tracing.traceparent(),
            )
            if reply.status == 200:
                return selected(from_json(reply.body, dict[str, Any]), order.castes, order.hosts)
            said = f"it answered {reply.status}"
        except (Unreachable, Untrusted, *UNDECODABLE) as error:
            said = str(error)
        if time.monotonic() >= end or leash.pulled():
            raise InventoryUnavailable(f"the gateway at {order.url} told no inventory: {said}")
        time.sleep(RETRY_S)
