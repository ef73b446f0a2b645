"""What is recorded, and that nothing is where nobody wants it."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from aware_agent import tracing
from aware_agent.agent.logs import JsonLines, TextLines
from aware_agent.colony.errors import NotFound
from aware_agent.colony.trace import MAX_SPANS, Span, SpanKind, TraceContext, parse

PARENT = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)


@pytest.fixture
def taken() -> Iterator[list[tuple[Span, ...]]]:
    batches: list[tuple[Span, ...]] = []
    tracing.send_to("test", batches.append)
    yield batches
    tracing.send_to("", None)


def line() -> dict[str, object]:
    record = logging.LogRecord("aware_agent.x", logging.INFO, "x", 1, "said", None, None)
    assert ("trace=" in TextLines("n").format(record)) == bool(tracing.trace_id())
    said: dict[str, object] = json.loads(JsonLines("n").format(record))
    return said


def test_spans_of_one_piece_of_work_go_together_and_name_each_other(taken: list[tuple[Span, ...]]) -> None:
    with tracing.record(PARENT, "outer", SpanKind.SERVER, {"a": 1}) as outer:
        with tracing.span("inner", SpanKind.CLIENT) as inner:
            inner.set("b", "x" * 300)
            inside = parse(tracing.traceparent())
            assert line()["trace.id"] == PARENT.trace
        outer.set("c", "two\nlines")
    ((first, second),) = taken
    assert (first.name, second.name) == ("inner", "outer")
    assert (second.parent, first.parent) == (PARENT.span, second.span)
    assert inside == TraceContext(PARENT.trace, first.span, True)
    assert {first.trace, second.trace} == {PARENT.trace}
    assert second.start <= first.start <= first.end <= second.end
    assert (first.attributes, second.attributes) == ({"b": "x" * 255}, {"a": 1, "c": "two lines"})
    assert tracing.traceparent() == ""
    assert "trace.id" not in line()


@pytest.mark.parametrize("parent", [None, PARENT._replace(sampled=False)])
def test_what_is_not_sampled_is_not_recorded(taken: list[tuple[Span, ...]], parent: TraceContext | None) -> None:
    with tracing.record(parent, "outer", SpanKind.SERVER), tracing.span("inner") as inner:
        inner.set("a", 1)
        assert tracing.traceparent() == ""
    assert taken == []


def test_where_nobody_exports_nothing_is_recorded() -> None:
    with tracing.record(PARENT, "outer", SpanKind.SERVER), tracing.span("inner") as inner:
        assert inner is tracing.span("another"), "one thing stands for all that is not recorded"
        assert tracing.traceparent() == ""


def test_an_error_is_told_by_its_code_and_goes_on(taken: list[tuple[Span, ...]]) -> None:
    with pytest.raises(NotFound), tracing.record(PARENT, "outer", SpanKind.SERVER), tracing.span("inner"):
        raise NotFound("nobody is called s3cret")
    ((inner, outer),) = taken
    assert (inner.error, outer.error) == ("not-found", "not-found")
    assert "s3cret" not in str(taken)
    with pytest.raises(SystemExit), tracing.record(PARENT, "outer", SpanKind.SERVER):
        raise SystemExit(0)
    assert taken[1][0].error == ""


def test_there_is_room_for_so_many_and_for_the_one_they_hang_on(taken: list[tuple[Span, ...]]) -> None:
    with tracing.record(PARENT, "outer", SpanKind.SERVER):
        for number in range(2 * MAX_SPANS):
            with tracing.span(str(number)):
                pass
    (spans,) = taken
    assert len(spans) == MAX_SPANS
    assert (spans[-1].name, spans[-1].attributes) == ("outer", {tracing.LEFT_OUT: MAX_SPANS})


async def test_what_still_runs_when_it_is_over_comes_too_late(taken: list[tuple[Span, ...]]) -> None:
    go = asyncio.Event()

    async def late() -> None:
        await go.wait()
        with tracing.span("late"):
            pass

    with tracing.record(PARENT, "outer", SpanKind.SERVER):
        task = asyncio.create_task(late())
    go.set()
    await task
    assert [span.name for span in taken[0]] == ["outer"]
    assert len(taken) == 1


def test_tasks_and_threads_do_not_mix(taken: list[tuple[Span, ...]]) -> None:
    def work(number: int) -> None:
        with tracing.record(PARENT._replace(trace=f"{number:032x}"), "outer", SpanKind.SERVER), tracing.span("inner"):
            pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(batch[0].trace for batch in taken) == [f"{number:032x}" for number in range(1, 9)]
    assert all(inner.parent == outer.span and inner.trace == outer.trace for inner, outer in taken)


def test_spans_of_another_process_are_taken_for_its_own_trace_alone(taken: list[tuple[Span, ...]]) -> None:
    def made(trace: str) -> Span:
        return Span(trace=trace, span=PARENT.span, service="aware-job", name="x", start=1, end=2)

    tracing.adopt([made(PARENT.trace)])  # nothing is recorded: nothing to do
    with tracing.record(PARENT, "outer", SpanKind.SERVER):
        tracing.adopt([made(PARENT.trace), made("f" * 32)])
    assert [(span.service, span.name) for span in taken[0]] == [("aware-job", "x"), ("test", "outer")]


def test_what_comes_again_and_again_can_be_left_out(taken: list[tuple[Span, ...]]) -> None:
    with tracing.record(PARENT, "outer", SpanKind.SERVER):
        with tracing.unrecorded(), tracing.span("again"):
            assert tracing.trace_id() == PARENT.trace
        with tracing.span("inner"):
            pass
    assert [span.name for span in taken[0]] == ["inner", "outer"]


def test_what_nobody_wants_in_the_end_is_not_sent(taken: list[tuple[Span, ...]]) -> None:
    with tracing.record(PARENT, "outer", SpanKind.SERVER, keep=lambda: False):
        pass
    assert taken == []


def test_a_log_line_names_the_trace_without_recording() -> None:
    with tracing.follow(PARENT):
        assert line()["trace.id"] == PARENT.trace
        assert tracing.traceparent() == PARENT.header, "whoever is asked hears of it, too"
    with tracing.follow(None):
        assert tracing.trace_id() == ""
