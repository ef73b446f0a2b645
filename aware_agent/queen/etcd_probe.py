"""Whether etcd goes along with a rotation: its members must believe the new council CA before nodes show it their own.

etcd reads the CAs it believes only when it starts, and who restarts it is not the queen. So she asks each member, with
a certificate made for that, and the rotation waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aware_agent.colony.rotation import Phase, Trust
from aware_agent.queen.certificates import COUNCIL_CA, Certificates, other
from aware_agent.security import pki
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.errors import StoreError, StoreRefused

ASK_S = 2.0
KEEP_S = 2.0  # how long an answer counts
_PROBE_DAYS = 1 / 24


class EtcdProbe:
    """Asks the members of etcd, which are at ``endpoints`` now, as node ``me``.

    ``kept``: whether the agents run etcd. Then nobody has to do anything about a member that is not ready yet.
    """

    def __init__(
        self,
        certificates: Certificates,
        me: str,
        endpoints: Callable[[], tuple[str, ...]],
        kept: Callable[[], bool] = lambda: False,
    ) -> None:
        self._certificates = certificates
        self._kept = kept
        self._me = me
        self._endpoints = endpoints
        self._asked_at = 0.0
        self._phase: tuple[Phase, int] | None = None
        self._problems: list[str] = []

    async def problems(self, trust: Trust) -> list[str]:
        """One sentence for each member that is not ready for the next step; empty when all are, or nothing goes on."""
        if trust.phase in (Phase.SETTLED, Phase.FINISHING):
            return []
        key = (trust.phase, trust.generation)
        if key != self._phase or time.monotonic() - self._asked_at > KEEP_S:
            self._problems = await self._ask(trust)
            self._phase, self._asked_at = key, time.monotonic()
        return self._problems

    async def _ask(self, trust: Trust) -> list[str]:
        if trust.phase is Phase.DISTRIBUTING:
            ca, believed = self._certificates.ca(other(COUNCIL_CA)), trust.council_ca.encode()
            complaint = "does not accept certificates of the new council CA"
            remedy = "its agent restarts it when it is its turn" if self._kept() else "restart it with both CAs"
        else:
            ca = self._certificates.ca(COUNCIL_CA)
            believed = ca.certificate
            complaint = "does not show a certificate of the council CA that signs now"
            remedy = "its agent gives it one" if self._kept() else "give it one"
        pair = pki.issue(ca, pki.make_key(), common_name=self._me, sans=[], now=time.time(), days=_PROBE_DAYS)
        credentials = Credentials(ca=believed, cert=pair.certificate, key=pair.key)
        endpoints = self._endpoints()
        fine = await asyncio.gather(*(self._accepts(endpoint, credentials) for endpoint in endpoints))
        return [f"etcd {end} {complaint}: {remedy}" for end, good in zip(endpoints, fine, strict=True) if not good]

    async def _accepts(self, endpoint: str, credentials: Credentials) -> bool:
        try:
            async with EtcdClient([endpoint], credentials, deadline_s=ASK_S) as client:
                await client.status()
        except StoreRefused:
            return True  # TLS let us in; who may do what is another matter
        except StoreError:
            return False
        return True
