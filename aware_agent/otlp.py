"""Spans out to a collector: OTLP over HTTP by OpenTelemetry's own exporter, from the extra ``tracing``.

Imported by processes that do nothing else, and by a command line that is asked to: what it loads takes 15 MiB. Spans
that were recorded elsewhere as values become the SDK's here.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags
from opentelemetry.trace import SpanKind as TheirKind
from opentelemetry.trace.status import Status, StatusCode

from aware_agent import __version__
from aware_agent.colony.errors import AwareError
from aware_agent.colony.trace import Span, SpanKind

TIMEOUT_S = 10.0  # of one batch, with every repetition
PATH = "/v1/traces"
_KINDS = {
    SpanKind.INTERNAL: TheirKind.INTERNAL,
    SpanKind.SERVER: TheirKind.SERVER,
    SpanKind.CLIENT: TheirKind.CLIENT,
    SpanKind.CONSUMER: TheirKind.CONSUMER,
}
_SCOPE = InstrumentationScope("aware", __version__)


class SpanExporter:
    """``endpoint`` without :data:`PATH`; "": that, headers and CAs come from ``OTEL_EXPORTER_OTLP_...``, and with
    ``timeout_s`` None the time-out too.

    Raises AwareError for a CA file that is none.
    """

    def __init__(
        self,
        endpoint: str = "",
        headers: Mapping[str, str] | None = None,
        ca_file: str = "",
        timeout_s: float | None = TIMEOUT_S,
    ) -> None:
        if ca_file and not Path(ca_file).is_file():
            raise AwareError("tracing.ca_file is no file of certificates that can be read")
        session = requests.Session()
        session.trust_env = False  # no proxy, no .netrc: it goes where it was told to go, with what it was told to show
        session.hooks["response"].append(_refuse_redirect)
        self._words = _LastWords()
        self._exporter = OTLPSpanExporter(
            endpoint=endpoint + PATH if endpoint else None,
            certificate_file=ca_file or (_system_cas() if endpoint else None),
            headers=headers,
            timeout=timeout_s,
            compression=Compression.Gzip,
            session=session,
        )

    def export(self, spans: Sequence[Span], resource: Mapping[str, str]) -> str:
        """Send them. Returns why the collector has not got them; "" when it has. Blocking, for about ten seconds."""
        resources = {
            service: Resource({"service.name": service, "service.version": __version__, **resource})
            for service in {span.service for span in spans}
        }
        with self._words:
            done = self._exporter.export([_theirs(span, resources[span.service]) for span in spans])
        if done is SpanExportResult.SUCCESS:
            return ""
        return self._words.said or "the collector did not take them"


def _theirs(span: Span, resource: Resource) -> ReadableSpan:
    flags = TraceFlags(TraceFlags.SAMPLED)
    trace = int(span.trace, 16)
    parent = SpanContext(trace, int(span.parent, 16), is_remote=False, trace_flags=flags) if span.parent else None
    attributes: dict[str, Any] = {name: value for name, value in span.attributes.items() if value != ""}
    if span.error:
        attributes["error.type"] = span.error
    return ReadableSpan(
        name=span.name,
        context=SpanContext(trace, int(span.span, 16), is_remote=False, trace_flags=flags),
        parent=parent,
        resource=resource,
        attributes=attributes,
        kind=_KINDS[span.kind],
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
        start_time=span.start,
        end_time=span.end,
        instrumentation_scope=_SCOPE,
    )


def _system_cas() -> str | None:
    """Where this system keeps them; without it, ``requests`` believes those it brings along."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath


def _refuse_redirect(answer: requests.Response, *_: Any, **__: Any) -> None:
    """The exporter does not follow one, and takes it for done."""
    if answer.is_redirect:
        raise requests.HTTPError(f"the collector redirects: {answer.status_code}")


class _LastWords(logging.Handler):
    """The exporter tells its caller whether, and the log why."""

    def __init__(self) -> None:
        super().__init__()
        self.said = ""
        self._log = logging.getLogger("opentelemetry")

    def __enter__(self) -> None:
        self.said = ""
        self._log.addHandler(self)
        self._log.propagate = False

    def __exit__(self, *_: object) -> None:
        self._log.removeHandler(self)
        self._log.propagate = True

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the last line, or the one before where the last says nothing new."""
        if "max retries" not in record.msg or not self.said:
            self.said = record.getMessage()[:300]
