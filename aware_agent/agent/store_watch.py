"""Keeps an eye on etcd, so that a node can say why there is no queen: nothing here waits for a majority."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from aware_agent.store.health import StoreState, Trouble, judge
from aware_agent.store.protocol import Cluster

log = logging.getLogger(__name__)

TURN_S = 1.0  # between looks while something is wrong
CALM_TURNS = 10  # so many times that while all is well


class StoreWatch:
    """Asks one member now and then while all is well, and every member every second while it is not.

    ``contact``: whether this node hears from etcd.
    """

    def __init__(self, client: Cluster, contact: Callable[[], bool]) -> None:
        self._client = client
        self._contact = contact
        self.state = StoreState()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:  # it only watches: a bug in it must not end the node
                log.exception("could not look at etcd")
            for _ in range(CALM_TURNS):
                await asyncio.sleep(TURN_S)
                if not self._well():
                    break

    async def look(self) -> StoreState:
        """Look now."""
        before = self.state
        members = await self._client.members(everyone=not self._well())
        state = judge(members, before, time.time())
        if state.trouble and len(members) < len(self._client.endpoints):
            state = judge(await self._client.members(everyone=True), before, time.time())
        self.state = state
        if state.trouble is not before.trouble:
            if state.trouble:
                log.warning("%s", state.message)
            elif before.trouble:
                log.info("etcd is well again")
        return state

    def _well(self) -> bool:
        return self._contact() and self.state.looked and self.state.trouble is Trouble.NONE
