"""The process that exports spans by OTLP over HTTP: ``python -m aware_agent.gateway.span_export``.

Its gateway starts it with the first span, hands it one batch after the other through standard input and hears what
became of each; it ends with the pipe. What it says to a collector is the business of OpenTelemetry's own exporter.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from aware_agent.agent.member.frames import MAX_FRAME, frame
from aware_agent.colony.decoding import Line, from_msgpack
from aware_agent.colony.errors import AwareError, one_line
from aware_agent.colony.trace import Span
from aware_agent.program import give_way

_NICE = 10
_MAX_HEADERS = 16 * 1024  # bytes of the file


class _ToExporter(msgspec.Struct, frozen=True, kw_only=True, tag_field="say"):
    pass


class Begin(_ToExporter, frozen=True, kw_only=True, tag="begin"):
    """The first message: where to, and for whom."""

    endpoint: str
    headers_file: str  # empty: none
    ca_file: str  # empty: the system's CAs
    node: str
    colony: str


class Export(_ToExporter, frozen=True, kw_only=True, tag="export"):
    """Export these, and say what became of them."""

    spans: tuple[Span, ...]


ToExporter = Begin | Export


class _FromExporter(msgspec.Struct, frozen=True, kw_only=True, tag_field="say"):
    pass


class Exported(_FromExporter, frozen=True, kw_only=True, tag="exported"):
    """The collector took the batch."""


class NotExported(_FromExporter, frozen=True, kw_only=True, tag="not-exported"):
    """It did not, and the batch is lost."""

    reason: Line


FromExporter = Exported | NotExported


def read_headers(path: str) -> dict[str, str]:
    """Lines ``Name: value`` of a file; empty ones and those that begin with ``#`` are no matter.

    Raises AwareError that says which line is wrong and nothing of what stands in it.
    """
    if not path:
        return {}
    try:
        raw = Path(path).read_bytes()[:_MAX_HEADERS].decode(errors="replace")
    except OSError as error:
        raise AwareError(f"tracing.headers_file cannot be read: {error.strerror}") from None
    headers = {}
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        named = name.replace("-", "").isalnum() and line.isascii()
        if not colon or not named or not value.strip().isprintable():
            raise AwareError(f"line {number} of tracing.headers_file is no header", hint="Name: value")
        headers[name.lower()] = value.strip()
    return headers


def _export(begin: Begin, spans: tuple[Span, ...]) -> FromExporter:
    try:
        from aware_agent.otlp import SpanExporter
    except ModuleNotFoundError as error:
        return NotExported(reason=f"{error.name} is not installed: install aware-agent[tracing]")
    try:
        headers = read_headers(begin.headers_file)
        exporter = SpanExporter(begin.endpoint, headers, begin.ca_file)
        reason = exporter.export(spans, {"aware.colony": begin.colony, "service.instance.id": begin.node})
    except AwareError as error:
        return NotExported(reason=one_line(str(error)))
    return NotExported(reason=one_line(reason)) if reason else Exported()


def _read() -> ToExporter | None:
    head = sys.stdin.buffer.read(4)
    length = int.from_bytes(head, "big")
    if len(head) < 4 or length > MAX_FRAME:
        return None
    said: ToExporter = from_msgpack(sys.stdin.buffer.read(length), ToExporter)
    return said


def main() -> int:
    """Export until standard input ends."""
    give_way(_NICE)
    begin: Begin | None = None
    while (said := _read()) is not None:
        if isinstance(said, Begin):
            begin = said
        elif begin is not None:
            sys.stdout.buffer.write(frame(msgspec.msgpack.encode(_export(begin, said.spans))))
            sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
