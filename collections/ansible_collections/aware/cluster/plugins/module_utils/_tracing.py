# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a module does in a trace, by OpenTelemetry's own variables: see docs/monitoring.md.

The trace that E(TRACEPARENT) names is handed on with every request. Where a collector is named as well and the Python that
runs the module has OpenTelemetry's exporter, the module has a span of its own. Without these variables nothing is loaded.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from typing import Any, Iterator

EXPORT_S = 2.0  # where OTEL_EXPORTER_OTLP_TIMEOUT says nothing
TIMEOUTS = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
MAX_STATE = 512
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_span: dict = {}  # headers that name the module's own span, while it has one


def trace_headers() -> dict:
    """Return what a request says of the trace it is sent in."""
    return dict(_span) if "traceparent" in _span else _given()


@contextmanager
def traced(name: str) -> Iterator[None]:
    """Have a span called ``name`` around a module, which ends inside with ``exit_json`` or ``fail_json``."""
    exporter = _exporter() if _wanted() else None
    if exporter is None:
        yield
        return
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.trace import SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    provider = TracerProvider(resource=Resource({"service.name": "ansible-module"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    propagator = TraceContextTextMapPropagator()
    span = provider.get_tracer("aware.cluster").start_span(name, context=propagator.extract(_given()), kind=SpanKind.CLIENT)
    context = span.get_span_context()
    _span["traceparent"] = "00-%032x-%016x-%02x" % (context.trace_id, context.span_id, context.trace_flags)
    if "tracestate" in _given():
        _span["tracestate"] = _given()["tracestate"]
    try:
        yield
    except SystemExit as exc:
        if exc.code not in (None, 0):
            span.set_status(Status(StatusCode.ERROR, "failed"))
        raise
    finally:
        _span.clear()
        span.end()  # what it says was printed: Ansible waits for the export, not for long
        provider.shutdown()


def _given() -> dict:
    """The trace that the environment names."""
    parent, state = os.environ.get("TRACEPARENT", ""), os.environ.get("TRACESTATE", "")
    if not _PARENT.fullmatch(parent):
        return {}
    fits = state.isascii() and state.isprintable() and len(state) <= MAX_STATE
    return {"traceparent": parent, "tracestate": state} if state and fits else {"traceparent": parent}


def _wanted() -> bool:
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    wanted = os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp"
    return wanted and not off and any(os.environ.get(name) for name in ENDPOINTS)


def _exporter() -> Any:
    """Return OpenTelemetry's exporter, told by its own variables; None where there is none or they make no sense."""
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    logging.getLogger("opentelemetry").propagate = False
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(timeout=None if any(os.environ.get(name) for name in TIMEOUTS) else EXPORT_S)
    except Exception:  # a module does its work, traced or not
        return None
