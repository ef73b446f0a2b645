"""Hot reads: what is asked most is answered from bytes that are ready, to who was verified before.

Where the server can (:class:`aware_agent.gateway.http_protocol.GatewayHttp`), it is answered while the request is
parsed: no task, no ASGI messages, one write. Whatever is unusual is left to the application, which knows what to say.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from aware_agent.colony.errors import AwareError
from aware_agent.gateway import asking
from aware_agent.gateway.freshness import HEADER
from aware_agent.gateway.reads import HOT, NODES, Prepared, accepts_gzip
from aware_agent.gateway.state import Gateway
from aware_agent.gateway.tracing import HEADER as TRACEPARENT
from aware_agent.security.judging import may
from aware_agent.security.jwt import Principal
from aware_agent.security.permissions import rule_of

Pairs = Sequence[tuple[bytes, bytes]]
_HOT = {path.encode(): path for path in HOT}
_NODES = NODES.encode()
# A request with a body, or with something that has to be seen to.
# A page of others is told whether it may read the answer, which the ready bytes do not say.
_UNUSUAL = frozenset({b"content-length", b"transfer-encoding", b"expect", b"origin", HEADER})


class Hot(NamedTuple):
    """A hot read that can be answered, and how the client wants it."""

    resource: str  # what is counted as one
    name: str  # of who asks
    prepared: Prepared
    if_none_match: bytes | None
    gzipped: bool
    request: bytes | None  # the id the client gave


def _reads(known: Principal, resource: str) -> bool:
    """Whether its scopes let it read all of a hot resource; at single nodes the routes look."""
    return resource in HOT and may(known, rule_of("GET", resource).permissions[0])


class HotReads:
    """Finds the answers of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        # A read that is part of a trace has a span of its own, and so takes the long way.
        self._unusual = _UNUSUAL if gateway.tracer is None else _UNUSUAL | {TRACEPARENT}

    def find(self, path: str, headers: Pairs) -> Hot | None:
        """The read of ``path`` if it is hot, by who holds a token that was verified before and still holds."""
        resource = path if path in HOT else "/v1/nodes/{node}" if path.startswith(NODES) else None
        if resource is None:
            return None
        authorization = if_none_match = encoding = request = None
        hosts, unusual = 0, self._unusual
        for name, value in headers:
            if name == b"host":
                hosts += 1
            elif name == b"authorization":
                authorization = value
            elif name == b"accept-encoding":
                encoding = value
            elif name == b"if-none-match":
                if_none_match = value
            elif name == asking.HEADER:
                request = value
            elif name in unusual:
                return None
        gateway = self._gateway
        principal = gateway.authority.recall(authorization) if authorization is not None else None
        if principal is None or hosts != 1 or (principal.scopes and not _reads(principal, resource)):
            return None
        try:
            prepared = gateway.reads.get(path)
        except AwareError:
            return None
        if prepared is None:
            return None
        gzipped = encoding is not None and accepts_gzip(encoding)
        return Hot(resource, principal.name, prepared, if_none_match, gzipped, request)

    def passes(self, hot: Hot) -> bool:
        """Whether who asks may ask once more; this counts as having asked."""
        return self._gateway.throttle.passes(hot.name)

    def at_once(self, url: bytes, headers: Pairs) -> tuple[bytes, bytes] | None:
        """As :data:`aware_agent.gateway.asgi.AtOnce` has it; None for what takes longer or is not to be answered."""
        path = _HOT.get(url)
        if path is None:
            if not url.startswith(_NODES) or b"?" in url or b"%" in url:
                return None
            path = url.decode("latin-1")
        began = time.perf_counter()
        hot = self.find(path, headers)
        if hot is None:
            return None
        ready = hot.prepared.ready(if_none_match=hot.if_none_match, gzipped=hot.gzipped)
        # Charged only now: what is not ready comes again by way of the application.
        if ready is None or not self.passes(hot):
            return None
        public = self._gateway.public
        public.requests.counts[hot.resource, ready.status] += 1
        public.durations.observe(hot.resource, time.perf_counter() - began)
        return ready.head + b"x-request-id: %s\r\n" % asking.usable(hot.request), ready.body
