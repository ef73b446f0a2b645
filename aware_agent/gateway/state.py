"""What the routes of one reign share."""

from __future__ import annotations

from aware_agent.gateway.authority import Authority
from aware_agent.gateway.context import GatewayContext
from aware_agent.gateway.hub import EventHub
from aware_agent.gateway.idempotency import Replies
from aware_agent.gateway.lockout import Lockout
from aware_agent.gateway.reads import Reads
from aware_agent.gateway.worker import Public
from aware_agent.store.keys import Keys


class Gateway:
    """Context, and everything kept in memory for one reign."""

    def __init__(self, context: GatewayContext, public: Public | None = None) -> None:
        self.context = context
        self.keys = Keys(context.view().colony)
        self.authority = Authority(context)
        self.reads = Reads(context)
        self.hub = EventHub(context)
        self.lockout = Lockout()
        self.replies = Replies()
        self.public = public or Public(context)
