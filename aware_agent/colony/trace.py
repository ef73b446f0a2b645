"""Traces: the context of W3C Trace Context (https://www.w3.org/TR/trace-context/), and spans as values. Pure.

A trace is one piece of work wherever it is done, a span one part of it in one place. Who has a part done by somebody
else says of which span it is in ``traceparent``; whether spans are kept at all is decided once, where the trace begins.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

from aware_agent.colony.decoding import Line, Word

MAX_SPANS = 128  # of one trace in one process
MAX_STATE = 512  # characters of a tracestate that is handed on
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?", re.ASCII)
_SAMPLED = 1
_WORST = "ff"  # a version that cannot be
_HALF = 1 << 64

Hex16 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}\Z")]
Hex32 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
Parent = Annotated[str, msgspec.Meta(pattern=r"^(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})?\Z")]
"""A ``traceparent`` as :attr:`TraceContext.header` makes it; empty: nothing is traced."""
Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Value = Annotated[str, msgspec.Meta(max_length=255)] | bool | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Attributes = Annotated[dict[Word, Value], msgspec.Meta(max_length=32)]


class SpanKind(StrEnum):
    """Which part of a conversation it is, as OpenTelemetry has it."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    CONSUMER = "consumer"  # of what was put down for it earlier, as jobs are


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a trace that has ended. Times in nanoseconds since 1970."""

    trace: Hex32
    span: Hex16
    parent: Hex16 | None = None
    service: Word  # the program it happened in
    name: Word
    kind: SpanKind = SpanKind.INTERNAL
    start: Nanoseconds
    end: Nanoseconds
    attributes: Attributes = {}
    error: Line = ""  # a code, never a message: those may name what nobody else should read


class TraceContext(NamedTuple):
    """A span, as seen by whoever works for it."""

    trace: str
    span: str
    sampled: bool

    @property
    def header(self) -> str:
        """The value of ``traceparent``."""
        return f"00-{self.trace}-{self.span}-{int(self.sampled):02x}"


def parse(traceparent: str) -> TraceContext | None:
    """What ``traceparent`` says; None for one that the standard has ignored, as if it were not there."""
    found = _PARENT.fullmatch(traceparent) if len(traceparent) <= MAX_STATE else None
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == _WORST or (version == "00" and more) or not int(trace, 16) or not int(span, 16):
        return None
    return TraceContext(trace, span, bool(int(flags, 16) & _SAMPLED))


def chosen(trace: str, ratio: float) -> bool:
    """Whether a trace that begins is one of the share that is kept: the same for whoever asks about it.

    By the rule of OpenTelemetry's ``TraceIdRatioBased``.
    """
    return int(trace[16:], 16) < round(ratio * _HALF)
