"""The first contact of a node with etcd: patient while nobody answers, strict about versions and refusals."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aware_agent.agent.settings import StoreSettings
from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreError, StoreRefused
from aware_agent.store.projection import Projection
from aware_agent.store.version import gate

log = logging.getLogger(__name__)

AGAIN_S = 0.5


async def connect(
    client: EtcdClient,
    projection: Projection,
    settings: StoreSettings,
    why_refused: Callable[[], Awaitable[None]],
) -> None:
    """Wait for etcd, check its version, mirror the colony.

    ``why_refused`` is asked when etcd does not let this node in, and may raise a better reason. Raises StoreError,
    for an etcd that does not answer only after the start-up timeout of the settings.
    """
    end = time.monotonic() + settings.startup_timeout_s
    while True:
        try:
            status = await client.status()
            for warning in gate(status.version, settings.production):
                log.warning(warning)
            await projection.start()
            return
        except StoreRefused:
            await why_refused()
            raise
        except StoreError as error:
            if error.code != "store-unreachable" or time.monotonic() >= end:
                raise
            log.info("waiting for etcd: %s", error.message)
            await asyncio.sleep(AGAIN_S)
