"""Whether etcd goes along with a rotation: its members must believe the new CA before nodes show it certificates of it.

etcd reads the CAs it believes only when it starts, and who restarts it is not the queen. So she asks each member, with
a certificate made for that, and the rotation waits.
"""

from __future__ import annotations

import asyncio
import time

from aware_agent.colony.rotation import Phase, Trust
from aware_agent.queen.certificates import OTHER_CA, Certificates
from aware_agent.security import pki
from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreError, StoreRefused
from aware_agent.store.lines import Credentials

ASK_S = 2.0
KEEP_S = 2.0  # how long an answer counts
_PROBE_DAYS = 1 / 24


class EtcdProbe:
    """Asks the members of etcd as node ``me``."""

    def __init__(self, certificates: Certificates, me: str, endpoints: tuple[str, ...]) -> None:
        self._certificates = certificates
        self._me = me
        self._endpoints = endpoints
        self._asked_at = 0.0
        self._phase: tuple[Phase, int] | None = None
        self._problems: list[str] = []

    async def problems(self, trust: Trust) -> list[str]:
        """One sentence for each member that is not ready for the next step; empty when all are, or nothing goes on."""
        if trust.phase is Phase.SETTLED:
            return []
        key = (trust.phase, trust.generation)
        if key != self._phase or time.monotonic() - self._asked_at > KEEP_S:
            self._problems = await self._ask(trust)
            self._phase, self._asked_at = key, time.monotonic()
        return self._problems

    async def _ask(self, trust: Trust) -> list[str]:
        if trust.phase is Phase.DISTRIBUTING:
            ca, believed = self._certificates.ca(OTHER_CA), trust.ca.encode()
            complaint = "does not accept certificates of the new CA: restart it with both CAs"
        else:
            ca = self._certificates.ca()
            believed = ca.certificate
            complaint = "does not show a certificate of the CA that signs now: give it one"
        pair = pki.issue(ca, pki.make_key(), common_name=self._me, sans=[], now=time.time(), days=_PROBE_DAYS)
        credentials = Credentials(ca=believed, cert=pair.certificate, key=pair.key)
        fine = await asyncio.gather(*(self._accepts(endpoint, credentials) for endpoint in self._endpoints))
        return [f"etcd {end} {complaint}" for end, good in zip(self._endpoints, fine, strict=True) if not good]

    async def _accepts(self, endpoint: str, credentials: Credentials) -> bool:
        try:
            async with EtcdClient([endpoint], credentials, deadline_s=ASK_S) as client:
                await client.status()
        except StoreRefused:
            return True  # TLS let us in; who may do what is another matter
        except StoreError:
            return False
        return True
