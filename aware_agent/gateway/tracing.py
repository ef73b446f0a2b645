"""Traces of what one gateway answers. Only a gateway that is to export them has a :class:`Tracer`.

A request that names a trace works for it, if its user was known in the end: a stranger's word makes nobody export
anything. Of requests that name none, a share begins one; what strangers ask is kept only while there is plenty of room,
so that they crowd out nobody, and never when it was too much. Hot reads that are answered from ready bytes begin none:
see :mod:`aware_agent.gateway.hot`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from aware_agent import tracing
from aware_agent.agent.settings import TracingSettings
from aware_agent.colony.errors import AwareError
from aware_agent.colony.trace import SpanKind, TraceContext, chosen, parse
from aware_agent.gateway.asgi import Scope
from aware_agent.gateway.asking import Asking
from aware_agent.gateway.authority import Authority
from aware_agent.gateway.span_queue import SpanQueue
from aware_agent.telemetry import Family

HEADER = b"traceparent"
TOO_MANY = 429
API = "/v1/"  # health, metrics and the dashboard's files begin no trace


class Tracer:
    """``node`` is the name of this one."""

    def __init__(self, settings: TracingSettings, node: str, colony: str) -> None:
        self._ratio, self._node = settings.sample_ratio, node
        self.queue = SpanQueue(settings, node, colony)
        tracing.send_to("aware-gateway", self.queue.put)

    @contextmanager
    def request(self, asked: Asking, scope: Scope, authority: Authority) -> Iterator[None]:
        """Around the answer to a request."""
        parent, ours = self._parent(scope)
        method = scope["method"]
        about = {"http.request.method": method, "aware.request": asked.request, "aware.node": self._node}

        def keep() -> bool:
            if asked.actor or _known(scope, authority):
                return True
            return ours and asked.status != TOO_MANY and self.queue.mostly_free()

        with tracing.record(parent, method, SpanKind.SERVER, about, keep=keep) as span:
            try:
                yield
            finally:
                span.name = f"{method} {asked.route}"
                span.set("http.route", asked.route)
                span.set("http.response.status_code", asked.status)
                span.set("user.name", asked.actor)
                if asked.status >= 500 or not asked.status:
                    span.error = asked.code or str(asked.status or "no-answer")

    def _parent(self, scope: Scope) -> tuple[TraceContext | None, bool]:
        """What the request works for, and whether that was this gateway's own choice."""
        said = [value for name, value in scope["headers"] if name == HEADER]
        if len(said) == 1 and (known := parse(said[0].decode("latin-1"))) is not None:
            return known, False
        if not scope["path"].startswith(API):
            return None, False
        begun = tracing.root()
        return (begun if chosen(begun.trace, self._ratio) else None), True

    def families(self) -> Iterable[Family]:
        """What became of spans."""
        return self.queue.families()


def _known(scope: Scope, authority: Authority) -> bool:
    """Whether the request shows a good token though nobody looked at it, as when it was sent to the queen."""
    shown = next((value for name, value in scope["headers"] if name == b"authorization"), None)
    try:
        authority.authenticate(shown)
    except AwareError:
        return False
    return True
