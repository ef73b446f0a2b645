"""Recording spans of the trace that the present task works for. Light: workers have it too, for their log lines.

Nothing is recorded, and next to nothing done, unless :func:`record` or :func:`follow` was entered further out with a
context that is sampled; who does not export never enters them. A span that has ended is a value. All spans that one
entry of :func:`record` saw go to :func:`send_to`'s function together, so that who exports shares nothing else with who
does the work.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType

from aware_agent.colony.errors import AwareError
from aware_agent.colony.trace import MAX_SPANS, Span, SpanKind, TraceContext

Spans = tuple[Span, ...]
Told = Mapping[str, str | bool | int]
_NONE: Told = {}
LEFT_OUT = "aware.spans.left_out"  # attribute: so many spans below this one there was no room for
_LONGEST = 255


class _Recording:
    """The spans of one trace that ended here."""

    __slots__ = ("left_out", "spans")

    def __init__(self) -> None:
        self.spans: list[Span] | None = []  # None: it is over, and what still runs in its name comes too late
        self.left_out = 0

    def add(self, span: Span) -> None:
        if self.spans is None:
            return
        if len(self.spans) < MAX_SPANS:
            self.spans.append(span)
        else:
            self.left_out += 1

    def close(self) -> list[Span]:
        spans, self.spans = self.spans or [], None
        return spans


class _Here:
    """What the present task works for. Without a recording it only knows the name of the trace."""

    __slots__ = ("context", "recording")

    def __init__(self, context: TraceContext, recording: _Recording | None) -> None:
        self.context, self.recording = context, recording


_HERE: ContextVar[_Here | None] = ContextVar("trace", default=None)


class _Exit:
    """Where ended spans of this process go, and as what."""

    service = ""
    take: Callable[[Spans], None] | None = None


def send_to(service: str, take: Callable[[Spans], None] | None) -> None:
    """From now on spans of this process are those of ``service`` and handed to ``take``; None: none is recorded."""
    _Exit.service, _Exit.take = service, take


def trace_id() -> str:
    """The id of the trace of now, for a log line; "" outside of any."""
    here = _HERE.get()
    return here.context.trace if here is not None else ""


def traceparent() -> str:
    """What to hand to whoever works for the present span; "" outside of any trace."""
    here = _HERE.get()
    return here.context.header if here is not None else ""


class OpenSpan:
    """A span that has begun; a context manager. What leaves it as an exception is its error."""

    __slots__ = ("_began", "_here", "_outer", "_start", "_token", "attributes", "error", "kind", "name")

    def __init__(self, outer: _Here, name: str, kind: SpanKind, attributes: dict[str, str | bool | int]) -> None:
        self.name, self.kind, self.attributes, self.error = name, kind, attributes, ""
        self._outer = outer
        self._here = _Here(outer.context._replace(span=new_span()), outer.recording)
        self._start = self._began = 0

    def __enter__(self) -> OpenSpan:
        self._start, self._began = time.time_ns(), time.perf_counter_ns()
        self._token = _HERE.set(self._here)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _HERE.reset(self._token)
        if error is not None and not self.error and not _ends_well(error):
            self.error = _code_of(error)
        recording = self._here.recording
        if recording is not None:
            recording.add(self._ended())

    def set(self, name: str, value: str | bool | int) -> None:
        """Say more of it."""
        self.attributes[name] = value

    def _ended(self) -> Span:
        parent = self._outer.context.span
        texts = {name: _short(value) if isinstance(value, str) else value for name, value in self.attributes.items()}
        return Span(
            trace=self._here.context.trace,
            span=self._here.context.span,
            parent=parent if int(parent, 16) else None,
            service=_Exit.service,
            name=_short(self.name),
            kind=self.kind,
            start=self._start,
            end=self._start + time.perf_counter_ns() - self._began,
            attributes=texts,
            error=_short(self.error),
        )


class _Nothing(OpenSpan):
    """Stands for a span where none is recorded."""

    def __init__(self) -> None:
        self.attributes = {}

    def __enter__(self) -> OpenSpan:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return

    def set(self, *_: object) -> None:
        return


_NOTHING = _Nothing()


def span(name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Told = _NONE) -> OpenSpan:
    """A part of what is recorded now; where nothing is, nothing."""
    here = _HERE.get()
    if here is None or here.recording is None:
        return _NOTHING
    return OpenSpan(here, name, kind, dict(attributes))


@contextmanager
def record(
    parent: TraceContext | None,
    name: str,
    kind: SpanKind,
    attributes: Told = _NONE,
    *,
    keep: Callable[[], bool] = lambda: True,
) -> Iterator[OpenSpan]:
    """Record a span and all below it, and send them at its end if ``keep`` says so then. With a ``parent`` that is
    sampled it works for that; with none, or while nobody takes spans, nothing is recorded."""
    take = _Exit.take
    if parent is None or not parent.sampled or take is None:
        yield _NOTHING
        return
    recording = _Recording()
    opened = OpenSpan(_Here(parent, recording), name, kind, dict(attributes))
    try:
        with opened:
            try:
                yield opened
            finally:
                if recording.left_out:
                    opened.attributes[LEFT_OUT] = recording.left_out
                if recording.spans is not None:
                    del recording.spans[MAX_SPANS - 1 :]  # room for the one that all others hang on
    finally:
        spans = recording.close()
        if keep():
            take(tuple(spans))


@contextmanager
def follow(parent: TraceContext | None) -> Iterator[None]:
    """Inside, log lines and whoever is asked know of which trace it is; nothing is recorded here."""
    if parent is None:
        yield
        return
    token = _HERE.set(_Here(parent, None))
    try:
        yield
    finally:
        _HERE.reset(token)


@contextmanager
def unrecorded() -> Iterator[None]:
    """Inside, spans are left out: of what comes again and again for as long as a job runs."""
    here = _HERE.get()
    with follow(here.context if here is not None else None):
        yield


def adopt(spans: Iterable[Span]) -> None:
    """Put spans of another process, which works for the present span, beside ours; those of another trace are not."""
    here = _HERE.get()
    if here is None or here.recording is None:
        return
    for one in spans:
        if one.trace == here.context.trace:
            here.recording.add(one)


def root(trace: str = "", *, sampled: bool = True) -> TraceContext:
    """What a trace that begins here hangs on: nothing."""
    return TraceContext(trace or new_trace(), "0" * 16, sampled)


def new_trace() -> str:
    """A random id, as 32 hexadecimal digits."""
    return os.urandom(16).hex()


def new_span() -> str:
    """A random id, as 16 hexadecimal digits."""
    return os.urandom(8).hex()


def _ends_well(error: BaseException) -> bool:
    return isinstance(error, SystemExit) and not error.code


def _code_of(error: BaseException) -> str:
    return error.code if isinstance(error, AwareError) else type(error).__name__


def _short(text: str) -> str:
    """One line of a length that every reader takes."""
    return text[:_LONGEST] if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)[:_LONGEST]
