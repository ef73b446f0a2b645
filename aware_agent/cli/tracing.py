"""What a command does in a trace. It takes OpenTelemetry's own variables, which others on the machine take too.

``TRACEPARENT`` names the trace a command works for, as build servers and Ansible's callbacks set it. Where
``OTEL_EXPORTER_OTLP_ENDPOINT`` names a collector, the command has a span of its own and one for each request, and sends
them at its end, when all is printed. Otherwise it only hands the trace on; without any of these nothing is done.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from aware_agent import tracing
from aware_agent.colony.errors import AwareError, one_line
from aware_agent.colony.trace import MAX_STATE, Span, SpanKind, parse

SERVICE = "aware"
EXPORT_S = 2.0  # where OTEL_EXPORTER_OTLP_TIMEOUT says nothing: a command should not outlast its answer
PARENT, STATE = "TRACEPARENT", "TRACESTATE"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_TIMEOUTS = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_VERB = re.compile(r"[a-z][a-z-]{0,30}")


def exports(environment: Mapping[str, str]) -> bool:
    """Whether spans are wanted."""
    off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    wanted = environment.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp"
    return wanted and not off and any(environment.get(name) for name in _ENDPOINTS)


@contextmanager
def traced(arguments: Sequence[str]) -> Iterator[None]:
    """Around a command. It fails as it would without; what cannot be exported is one warning."""
    parent = parse(os.environ.get(PARENT, ""))
    if not exports(os.environ):
        with tracing.follow(parent):
            yield
        return
    spans: list[Span] = []
    tracing.send_to(SERVICE, spans.extend)
    try:
        with tracing.record(parent or tracing.root(), named(arguments), SpanKind.CLIENT) as span:
            try:
                yield
            except SystemExit as ending:
                span.set("process.exit.code", ending.code if isinstance(ending.code, int) else int(bool(ending.code)))
                span.error = f"exit-{ending.code}" if ending.code else ""
                raise
    finally:
        tracing.send_to(SERVICE, None)
        if spans:
            _export(spans)


def named(arguments: Sequence[str]) -> str:
    """``aware nodes show``: the command without what it is about, which is nobody else's business."""
    from aware_agent.cli.commands import NOUNS

    noun = arguments[0] if arguments else ""
    if noun not in NOUNS:
        return SERVICE
    verb = arguments[1] if len(arguments) > 1 and NOUNS[noun][1] == "app" else ""
    return f"{SERVICE} {noun} {verb}".rstrip() if _VERB.fullmatch(verb) else f"{SERVICE} {noun}"


def headers() -> dict[str, str]:
    """What a request says of the trace it is sent in."""
    parent = tracing.traceparent()
    if not parent:
        return {}
    state = os.environ.get(STATE, "") if parse(os.environ.get(PARENT, "")) else ""
    fits = state.isascii() and state.isprintable() and len(state) <= MAX_STATE
    return {"traceparent": parent, **({"tracestate": state} if state and fits else {})}


def _patience(environment: Mapping[str, str]) -> float | None:
    return None if any(environment.get(name) for name in _TIMEOUTS) else EXPORT_S


def _export(spans: Sequence[Span]) -> None:
    from aware_agent.cli.output import warn

    try:
        from aware_agent.otlp import SpanExporter

        reason = SpanExporter(timeout_s=_patience(os.environ)).export(spans, {})
    except ModuleNotFoundError as error:
        reason = f"{error.name} is not installed: pip install 'aware-agent[tracing]', or OTEL_TRACES_EXPORTER=none"
    except (AwareError, OSError, ValueError) as error:  # what the variables say makes no sense to the exporter
        reason = one_line(str(error))
    if reason:
        warn(f"this command was not traced: {reason}")
