"""What the routes of one gateway share."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aware_agent.agent.settings import GatewaySettings
from aware_agent.colony.errors import AwareError
from aware_agent.gateway import standing
from aware_agent.gateway.asgi import Headers, Scope
from aware_agent.gateway.audit_copy import AuditCopy
from aware_agent.gateway.audit_report import AuditReport
from aware_agent.gateway.authority import Authority
from aware_agent.gateway.believed import Believed
from aware_agent.gateway.browsers import Browsers, gateways
from aware_agent.gateway.connections import Connections
from aware_agent.gateway.context import GatewayContext
from aware_agent.gateway.fair import FairQueue, Turnstile
from aware_agent.gateway.guesses import Guesses
from aware_agent.gateway.hub import EventHub
from aware_agent.gateway.lockout import Lockout
from aware_agent.gateway.public import (
    PublicPages,
    backup_families,
    breaker_families,
    colony_families,
    job_families,
    load_families,
    syslog_families,
    webhook_families,
)
from aware_agent.gateway.reads import Reads
from aware_agent.gateway.scrapers import Scrapers
from aware_agent.gateway.signals import Signals
from aware_agent.gateway.throttle import Throttle
from aware_agent.gateway.tracing import Tracer
from aware_agent.store.keys import Keys
from aware_agent.telemetry import Family, gauge

if TYPE_CHECKING:
    from aware_agent.colony.view import ColonyView
    from aware_agent.gateway.identity.registry import Identities

FREE_EXCHANGES = 20  # what fails here guesses no password: a whole network of programs may share an address
LOGINS_AT_ONCE = 2  # each takes tens of milliseconds of a processor and 16 MiB
JOINS_AT_ONCE = 4  # joins and renewals: each is a transaction of the queen
STRANGERS_A_TURN = 4  # requests without a known token, at each turn of the event loop


class Gateway:
    """Context, and everything kept in memory while the process runs, whoever reigns."""

    def __init__(self, context: GatewayContext, settings: GatewaySettings, tracer: Tracer | None = None) -> None:
        self.context, self.settings, self.tracer = context, settings, tracer
        self.throttle = Throttle(settings)
        self.connections: Connections | None = None  # of the server in front, once there is one
        self.keys = Keys(context.colony)
        self.authority = Authority(context)
        self.believed = Believed(context)
        self.reads = Reads(context, self.believed)
        self.hub = EventHub(context, most=settings.max_streams, most_each=settings.max_streams_per_user)
        self.browsers, self.scrapers = Browsers(settings, self._members), Scrapers(settings)
        self._gateways: tuple[ColonyView, tuple[str, ...]] | None = None
        self.signals = Signals(time.monotonic, self.authority.now)
        self.guesses = Guesses(secrets.randbits(32))
        self.joins, self.renewals = Lockout(), Lockout()
        self.exchanges = Lockout(free=FREE_EXCHANGES)
        self._identities: Identities | None = None
        self.login_queue = FairQueue(LOGINS_AT_ONCE, each=16, most=128)
        self.join_queue = FairQueue(JOINS_AT_ONCE, each=8, most=128)
        self.turnstile = Turnstile(STRANGERS_A_TURN, each=512, most=4096)
        self.audit = AuditReport(context.me)
        self.audit_copy: AuditCopy | None = None  # this member's archive, once there is one
        self.public = PublicPages(self, self._families)

    def refused(self, scope: Scope, error: AwareError) -> None:
        """A request is answered with ``error``: was that an intruder?"""
        self.signals.refused(scope, error, self.authority.signer)

    @property
    def identities(self) -> Identities:
        """The identity providers; loaded when somebody first asks for one."""
        if self._identities is None:
            from aware_agent.gateway.identity.registry import Identities

            self._identities = Identities(self.context, self.authority.now)
        return self._identities

    async def close(self) -> None:
        """End what is open towards others."""
        if self._identities is not None:
            await self._identities.close()

    def stamp(self) -> Headers:
        """What every answer carries: which node this is, what it is at this moment, of a queen what to believe."""
        role = standing.role(self.context)
        return [
            (b"x-aware-node", self.context.me.encode()),
            (b"x-aware-role", role.encode()),
            *(self.believed.headers() if role == "queen" else ()),
        ]

    def _members(self) -> tuple[str, ...]:
        """Origins of this colony's gateways; none before it was read for the first time."""
        try:
            view = self.context.view()
        except AwareError:
            return ()
        if self._gateways is None or self._gateways[0] is not view:
            self._gateways = view, gateways(view.nodes)
        return self._gateways[1]

    def _families(self) -> Iterable[Family]:
        """What is of the colony is told by the queen alone, so that nobody counts it twice."""
        if self.connections is not None:
            refused = [({"reason": reason}, float(count)) for reason, count in sorted(self.connections.refused.items())]
            yield gauge("aware_gateway_connections", "Open connections of this gateway.", len(self.connections))
            yield Family("aware_gateway_refused_total", "counter", "Connections that were kept out.", refused)
        limited = [({"limit": limit}, float(count)) for limit, count in sorted(self.throttle.refused.items())]
        yield Family("aware_gateway_limited_total", "counter", "Requests beyond a limit.", limited)
        signs = [({"sign": str(sign)}, float(count)) for sign, count in sorted(self.signals.counts.items())]
        yield Family("aware_intrusion_signs_total", "counter", "Refusals that may be an intruder's, by sign.", signs)
        slowed = [({"by": by}, float(count)) for by, count in sorted(self.guesses.refused.items())]
        yield Family("aware_logins_slowed_total", "counter", "Logins that were refused unread, by budget.", slowed)
        if self.audit_copy is not None:
            yield from self.audit_copy.families()
        if self.tracer is not None:
            yield from self.tracer.families()
        yield gauge("aware_event_streams", "Open event streams of this member.", len(self.hub))
        if standing.role(self.context) == "queen":
            yield from colony_families(self.context)
            yield from load_families(self.reads.view())
            yield from backup_families(self.context)
            yield from job_families(self.context)
            yield from webhook_families(self.context)
            yield from breaker_families(self.context)
            yield from syslog_families(self.context)
