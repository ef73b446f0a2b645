"""uvicorn's HTTP protocol, with limits on what a stranger may cost, and with a client that goes noticed at once.

The limits are deadlines that a sweep looks at, not timers: a request that behaves costs two assignments.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from aware_agent.colony.errors import AwareError
from aware_agent.gateway import problems
from aware_agent.gateway.asgi import BALANCED, CUT, AtOnce
from aware_agent.gateway.errors import HeadTooLarge, Malformed
from aware_agent.gateway.framing import check_head, check_size
from aware_agent.gateway.limits import Limits
from aware_agent.gateway.proxy_protocol import Source
from aware_agent.gateway.uvicorn_parts import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

_SHORT = 8 * 1024  # bytes
MAX_WAITING = 64 * 1024  # bytes of requests that wait behind a stream


class GatewayHttp(HttpToolsProtocol):
    """Offers ``CUT`` as an ASGI extension; see :func:`aware_agent.gateway.asgi.cut`."""

    source: Source | None = None  # whom the acceptor says it is from
    ticket: object = None  # of the acceptor; given back when the connection is gone
    limits: Limits | None = None
    at_once: AtOnce | None = None  # of the application: what it can answer while the request is parsed
    entered: Callable[[], None] = staticmethod(lambda: None)  # the server's; called when there is a connection
    due = math.inf  # loop time by which the client has to have said something whole
    _answering: RequestResponseCycle | None = None
    _waiting = 0  # bytes that came behind it
    _head = 0  # bytes of a head that is not whole yet
    _in_head = True
    _answered = False  # the present request, at once

    def connection_made(self, transport: Any) -> None:
        """The first request is awaited."""
        super().connection_made(transport)
        if self.source is not None:
            self.client = (self.source.address, self.source.port)
        if self.limits is not None:
            self.limits.connections.bind(self.ticket, self)
            self.due = self.loop.time() + self.limits.first_request_s
        self.entered()

    def data_received(self, data: bytes) -> None:
        """Read on while requests wait, within limits: only who reads learns that the client went."""
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self.limits is not None and self._head > self.limits.head_bytes:
            self._refuse(HeadTooLarge(f"the head of a request has at most {self.limits.head_bytes} bytes"))
            return
        self._waiting = self._waiting + len(data) if self.pipeline else 0
        if self._waiting > MAX_WAITING:
            if self._answering is not None and self._answering.chunked_encoding:
                self.transport.abort()  # an answer without an end: these would never get their turn
        elif self.pipeline:
            self.flow.resume_reading()

    def on_message_begin(self) -> None:
        """Parser callback: a request begins."""
        super().on_message_begin()
        self._in_head = True
        if self.limits is not None:
            self.due = self.loop.time() + self.limits.first_request_s
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope["extensions"] = {CUT: self.transport.abort}
        if self.source is not None and self.source.by:
            scope["extensions"][BALANCED] = {}

    def on_headers_complete(self) -> None:
        """Parser callback: what may follow is the body. Raises :class:`BadFraming`, which the parser makes its own."""
        if self.limits is not None and self._head > self.limits.head_bytes:  # what came at once with it counts too
            check_size(self.url, self.headers, self.limits.head_bytes)
        self._in_head, self._head = False, 0
        self._answered = self.at_once is not None and self._answer_at_once(self.at_once)
        if self._answered:  # which it is only if it has no body, one host and a path that is known
            return
        check_head(self.url, self.parser.get_http_version(), self.headers)
        if self.limits is not None:
            self.due = self.loop.time() + self.limits.body_s
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Parser callback: the request is whole; its client owes nothing any more."""
        self.due = math.inf
        if not self._answered:
            super().on_message_complete()

    def idle(self) -> bool:
        """Whether nothing is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def abort(self) -> None:
        """End it at once."""
        self.transport.abort()

    def handle_websocket_upgrade(self) -> None:
        """The connection is the WebSocket's from now on; so is the ticket."""
        self.due = math.inf
        self.ws_protocol_class = self._taken_over  # type: ignore[assignment]
        super().handle_websocket_upgrade()

    def _taken_over(self, **kwargs: Any) -> Any:
        made: Any = self.config.ws_protocol_class
        protocol = made(**kwargs)
        protocol.source, protocol.ticket, protocol.limits = self.source, self.ticket, self.limits
        return protocol

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """uvicorn itself only remembers the last request that came, not the one it answers."""
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went, also for the request that is answered while others wait."""
        super().connection_lost(exc)
        if self.limits is not None:
            self.limits.connections.release(self.ticket)
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def _answer_at_once(self, at_once: AtOnce) -> bool:
        """Whether that was possible. Not while something else is answered, or the client is slow to take answers."""
        parser, cycle = self.parser, self.cycle
        if (
            parser.get_method() != b"GET"
            or (cycle is not None and not cycle.response_complete)
            or self.flow.write_paused
            or parser.should_upgrade()
            or not parser.should_keep_alive()
            or parser.get_http_version() != "1.1"
        ):
            return False
        answer = at_once(self.url, self.headers)
        if answer is None:
            return False
        head, body = answer
        date = b"".join([b"%s: %s\r\n" % pair for pair in self.server_state.default_headers])
        if len(body) < _SHORT:
            self.transport.write(b"".join((head, date, b"\r\n", body)))  # one record of TLS
        else:
            self.transport.writelines((b"".join((head, date, b"\r\n")), body))  # which copies nothing
        self.on_response_complete()
        return True

    def send_400_response(self, msg: str) -> None:
        """As uvicorn has it, with a problem document; a client that still waits for an answer before gets no other."""
        del msg
        self._refuse(Malformed("this is no HTTP/1.1 request that can be read in one way only"))

    def _refuse(self, error: AwareError) -> None:
        """The last word on this connection."""
        if self.cycle is None or self.cycle.response_complete:
            status, headers, body = problems.encode(error)
            lines = [
                STATUS_LINE[status],
                *(b"%s: %s\r\n" % pair for pair in headers),
                b"connection: close\r\n\r\n",
                body,
            ]
            self.transport.write(b"".join(lines))
        self.transport.close()
        if self.limits is not None and self.source is not None:
            self.limits.connections.heard("malformed", self.source.address)
