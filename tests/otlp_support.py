"""A collector: takes OTLP over HTTP as the protocol has it, and says what it was told."""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.receiver import Call, Receiver


class Seen(NamedTuple):
    """One span, as it came."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    kind: int
    error: str
    start: int
    end: int
    attributes: dict[str, Any]
    resource: dict[str, Any]


class Collector(Receiver):
    """``behave`` as a receiver of webhooks has it."""

    def __init__(self, behave: Callable[[Call], int] = lambda _: 200, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(behave, tls)
        self.scheme = "https" if tls else "http"

    @property
    def endpoint(self) -> str:
        """As settings name it."""
        return f"{self.scheme}://localhost:{self.port}"

    def spans(self) -> list[Seen]:
        """All that were taken."""
        with self._lock:
            return [seen for call in self.taken for seen in decoded(call)]

    def named(self, *names: str) -> dict[str, Seen]:
        """The last one of each name."""
        found = {f"{seen.service}: {seen.name}": seen for seen in self.spans()}
        return {name: found[name] for name in names if name in found} if names else found


def decoded(call: Call) -> list[Seen]:
    """The spans of one request. Fails for anything a collector would refuse."""
    headers = {name.lower(): value for name, value in call.headers.items()}
    assert headers["content-type"] == "application/x-protobuf"
    body = gzip.decompress(call.body) if headers.get("content-encoding") == "gzip" else call.body
    request = ExportTraceServiceRequest.FromString(body)
    found = []
    for resource in request.resource_spans:
        told = _plain(resource.resource.attributes)
        for scope in resource.scope_spans:
            assert scope.scope.name in ("aware", "aware.cluster")
            for one in scope.spans:
                assert len(one.trace_id) == 16
                assert len(one.span_id) == 8
                assert one.start_time_unix_nano <= one.end_time_unix_nano
                found.append(
                    Seen(
                        service=told["service.name"],
                        name=one.name,
                        trace=one.trace_id.hex(),
                        span=one.span_id.hex(),
                        parent=one.parent_span_id.hex(),
                        kind=one.kind,
                        error=one.status.message if one.status.code == 2 else "",
                        start=one.start_time_unix_nano,
                        end=one.end_time_unix_nano,
                        attributes=_plain(one.attributes),
                        resource=told,
                    )
                )
    return found


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
