"""W3C Trace Context as the recommendation has it, and which traces are kept."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from aware_agent.colony.trace import Span, TraceContext, chosen, parse

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-ff", True),  # flags nobody knows yet
        (f"01-{TRACE}-{SPAN}-01", True),  # a later version
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-says", True),
    ],
)
def test_a_good_one_is_understood(text: str, sampled: bool) -> None:
    assert parse(text) == TraceContext(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",  # version 00 has no more
        f"00-{TRACE}-{SPAN}-01-",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE[:-1]}\u0661-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01," + f"00-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-" + "x" * 10_000,
    ],
)
def test_what_is_none_is_as_if_it_were_not_there(text: str) -> None:
    assert parse(text) is None


@given(st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", fullmatch=True) | st.text(max_size=80))
def test_it_means_what_opentelemetry_takes_it_for(text: str) -> None:
    theirs = get_current_span(TraceContextTextMapPropagator().extract({"traceparent": text})).get_span_context()
    ours = parse(text.strip())  # theirs is lenient about blanks around it
    if ours is not None:
        assert (int(ours.trace, 16), int(ours.span, 16), ours.sampled) == (
            theirs.trace_id,
            theirs.span_id,
            theirs.trace_flags.sampled,
        )
        assert parse(ours.header) == ours
    else:
        assert not theirs.is_valid or not text.isascii() or text != text.lower()


@given(st.integers(1, 2**128 - 1), st.floats(0, 1))
def test_the_share_that_is_kept_is_opentelemetrys(trace: int, ratio: float) -> None:
    theirs = TraceIdRatioBased(ratio).should_sample(None, trace, "x").decision is Decision.RECORD_AND_SAMPLE
    assert chosen(f"{trace:032x}", ratio) == theirs


@pytest.mark.parametrize(
    "change",
    [
        {"trace": "0"},
        {"span": "x" * 16},
        {"start": -1},
        {"end": 2**63},
        {"name": "two\nlines"},
        {"attributes": {"a": "x" * 256}},
        {"attributes": {str(number): 1 for number in range(33)}},
        {"attributes": {"a": 2**63}},
        {"kind": "producer"},
    ],
)
def test_a_span_that_no_collector_would_take_is_refused_where_it_is_read(change: dict[str, object]) -> None:
    good = {"trace": TRACE, "span": SPAN, "service": "x", "name": "x", "start": 1, "end": 2}
    assert msgspec.convert(good, Span).parent is None
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**good, **change}, Span)
