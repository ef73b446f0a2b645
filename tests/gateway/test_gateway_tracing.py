"""What a gateway traces, for whom, and how spans leave it: through a bounded queue and a process of its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from aware_agent import tracing
from aware_agent.agent.settings import TracingSettings
from aware_agent.colony.trace import Span, SpanKind, TraceContext
from aware_agent.gateway import span_queue
from aware_agent.gateway.app import GatewayApp, create_gateway
from aware_agent.gateway.span_export import read_headers
from aware_agent.gateway.span_queue import BATCH, FAILED, FULL, MOST, SpanQueue
from aware_agent.gateway.tracing import Tracer
from aware_agent.security.roles import Role
from aware_agent.telemetry import render
from tests.gateway.conftest import As, eventually
from tests.gateway.memory import PASSWORD, MemoryContext
from tests.memory_colony import node_id
from tests.otlp_support import Collector
from tests.receiver import HANG
from tests.tls_support import server_pair

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def spans() -> Iterator[list[Span]]:
    """What is recorded, instead of being exported."""
    yield []
    tracing.send_to("", None)


def traced(context: MemoryContext, spans: list[Span], ratio: float = 0.0) -> GatewayApp:
    app = create_gateway(
        context, tracer=Tracer(TracingSettings(endpoint=NOWHERE, sample_ratio=ratio), "demo-1", "demo")
    )
    tracing.send_to("aware-gateway", spans.extend)
    return app


@pytest.fixture
async def app(context: MemoryContext, spans: list[Span]) -> GatewayApp:
    return traced(context, spans)


async def test_a_request_is_part_of_its_users_trace_and_the_queens_work_a_part_of_it(
    admin: httpx.AsyncClient, spans: list[Span]
) -> None:
    body = {"labels": {"rack": "r1"}}
    answer = await admin.patch("/v1/nodes/demo-2", json=body, headers={**PARENT, "x-request-id": "mine"})
    assert answer.status_code == 200
    named = {span.name: span for span in spans}
    request = named["PATCH /v1/nodes/{node}"]
    assert (request.trace, request.parent, request.kind, request.error) == (TRACE, SPAN, SpanKind.SERVER, "")
    assert request.attributes == {
        "http.request.method": "PATCH",
        "http.route": "/v1/nodes/{node}",
        "http.response.status_code": 200,
        "user.name": "ada",
        "aware.request": "mine",
        "aware.node": "demo-1",
    }
    queen = named["queen change-node"]
    assert (queen.trace, queen.parent, queen.attributes["aware.request"]) == (TRACE, request.span, "mine")
    assert named["write"].parent == queen.span


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"authorization": "Bearer forged"}, 401), ({"authorization": "Basic x"}, 401)],
)
async def test_a_strangers_word_makes_nobody_export(
    anonymous: httpx.AsyncClient, spans: list[Span], headers: dict[str, str], status: int
) -> None:
    assert (await anonymous.get("/v1/audit", headers={**PARENT, **headers})).status_code == status
    assert spans == []


async def test_a_login_is_of_the_trace_it_names(anonymous: httpx.AsyncClient, spans: list[Span]) -> None:
    body = {"username": "vera", "password": "wrong"}
    assert (await anonymous.post("/v1/auth/token", json=body, headers=PARENT)).status_code == 401
    assert spans == []
    answer = await anonymous.post("/v1/auth/token", json={**body, "password": PASSWORD}, headers=PARENT)
    assert answer.status_code == 200
    assert {span.trace for span in spans} == {TRACE}
    assert PASSWORD not in str(spans)


async def test_what_is_not_sampled_leaves_nothing(admin: httpx.AsyncClient, spans: list[Span]) -> None:
    for given in ({}, {"traceparent": f"00-{TRACE}-{SPAN}-00"}, {"traceparent": "odd"}):
        assert (await admin.get("/v1/audit", headers=given)).status_code == 200
    twice = [("traceparent", PARENT["traceparent"]), ("traceparent", f"00-{'1' * 32}-{SPAN}-01")]
    assert (await admin.get("/v1/audit", headers=twice)).status_code == 200
    assert spans == []


async def test_a_share_of_requests_begins_a_trace(context: MemoryContext, spans: list[Span]) -> None:
    app = traced(context, spans, ratio=1.0)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://queen") as client:
        assert (await client.get("/v1/audit")).status_code == 401
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
    (span,) = spans
    assert (span.name, span.parent, span.attributes["http.response.status_code"]) == ("GET /v1/audit", None, 401)


async def test_strangers_crowd_nobody_out_of_the_queue(
    context: MemoryContext, as_: As, spans: list[Span], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_queue, "MOST", 16)
    tracer = Tracer(TracingSettings(endpoint=NOWHERE, sample_ratio=1.0), "demo-1", "demo")
    app = create_gateway(context, tracer=tracer)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://queen") as client:
        for _ in range(30):
            assert (await client.get("/v1/audit")).status_code == 401
        assert not tracer.queue.mostly_free()
        before = len(tracer.queue._waiting)
        assert before <= 16 // 4 + 1
        assert (await client.get("/v1/audit", headers=as_(Role.SECURITY_ADMIN))).status_code == 200
        assert len(tracer.queue._waiting) > before
    assert tracer.queue.dropped == {FULL: 0, FAILED: 0}


async def test_what_was_too_much_is_not_kept_of_strangers(context: MemoryContext, spans: list[Span]) -> None:
    app = traced(context, spans, ratio=1.0)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://queen") as client:
        body = {"username": "vera", "password": "wrong"}
        said = [(await client.post("/v1/auth/token", json=body)).status_code for _ in range(200)]
    assert 429 in said
    assert {span.attributes["http.response.status_code"] for span in spans} <= {401}


async def test_a_hot_read_has_a_span_when_it_is_part_of_a_trace_and_costs_none_else(
    app: GatewayApp, as_: As, spans: list[Span]
) -> None:
    headers = as_(Role.VIEWER)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://queen") as client:
        assert (await client.get("/v1/cluster", headers=headers)).status_code == 200
        raw = [(b"host", b"x"), (b"authorization", headers["authorization"].encode())]
        assert app.at_once(b"/v1/cluster", raw) is not None
        assert app.at_once(b"/v1/cluster", [*raw, (b"traceparent", PARENT["traceparent"].encode())]) is None
        assert spans == []
        assert (await client.get("/v1/cluster", headers={**headers, **PARENT})).status_code == 200
    assert [(span.name, span.parent) for span in spans] == [("GET /v1/cluster", SPAN)]


async def test_where_it_is_off_a_traceparent_changes_nothing(context: MemoryContext, as_: As) -> None:
    app = create_gateway(context)
    headers = as_(Role.VIEWER)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://queen") as client:
        assert (await client.get("/v1/cluster", headers={**headers, **PARENT})).status_code == 200
        raw = [(b"host", b"x"), (b"authorization", headers["authorization"].encode())]
        assert app.at_once(b"/v1/cluster", [*raw, (b"traceparent", PARENT["traceparent"].encode())]) is not None
        assert "aware_trace" not in (await client.get("/metrics")).text


async def test_the_frameworks_own_telemetry_is_off(
    admin: httpx.AsyncClient, context: MemoryContext, spans: list[Span], monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    found = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(found))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    provider.get_tracer("x").start_span("it works").end()
    assert (await admin.get("/v1/audit")).status_code == 200
    assert [span.name for span in found.get_finished_spans()] == ["it works"]


async def test_a_bug_is_an_error_of_its_span(
    context: MemoryContext, as_: As, app: GatewayApp, spans: list[Span]
) -> None:
    context.commands.error = RuntimeError("s3cret")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://queen") as client:
        answer = await client.delete(f"/v1/nodes/{node_id(2)}", headers={**as_(Role.ADMIN), **PARENT})
    assert answer.status_code == 500
    assert spans[-1].error
    assert "s3cret" not in str(spans)


# On their way out ----------------------------------------------------------------------------------------------------


def some(count: int) -> list[Span]:
    context = TraceContext(TRACE, SPAN, True)
    return [
        Span(trace=context.trace, span=f"{number:016x}", parent=SPAN, service="aware-agent", name="x", start=1, end=2)
        for number in range(1, count + 1)
    ]


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATHER_S", "FIRST_PAUSE_S", "LONGEST_PAUSE_S"):
        monkeypatch.setattr(span_queue, name, 0.01)


@pytest.fixture
async def queues() -> AsyncIterator[dict[SpanQueue, asyncio.Task[None]]]:
    running: dict[SpanQueue, asyncio.Task[None]] = {}
    yield running
    for task in running.values():
        task.cancel()
    await asyncio.gather(*running.values(), return_exceptions=True)


async def test_spans_reach_a_collector_over_tls_with_what_it_wants_to_see(
    tmp_path: Path, quickly: None, queues: dict[SpanQueue, asyncio.Task[None]]
) -> None:
    ca, certificate, key = server_pair(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    secret = tmp_path / "headers"
    secret.write_text("# from the vendor\n\napi-key: s3cret\n")
    with Collector(tls=context).running() as collector:
        assert isinstance(collector, Collector)
        settings = TracingSettings(endpoint=collector.endpoint, headers_file=str(secret), ca_file=str(ca))
        queue = SpanQueue(settings, "demo-1", "demo")
        queues[queue] = asyncio.create_task(queue.run())
        queue.put(some(BATCH + 1))
        await eventually(lambda: queue.exported == BATCH + 1)
        (first, last) = collector.taken
        assert first.headers["api-key"] == last.headers["api-key"] == "s3cret"
        found = collector.spans()
        assert [seen.span for seen in found] == [span.span for span in some(BATCH + 1)]
        assert {(seen.trace, seen.parent, seen.service) for seen in found} == {(TRACE, SPAN, "aware-agent")}
        assert found[0].resource["aware.colony"] == "demo"
        assert found[0].resource["service.instance.id"] == "demo-1"
        assert queue.dropped == {FULL: 0, FAILED: 0}
        # Another CA is not believed, and nothing is sent.
        stranger = tmp_path / "stranger"
        stranger.mkdir()
        other, _, _ = server_pair(stranger, "localhost")
        doubting = SpanQueue(TracingSettings(endpoint=collector.endpoint, ca_file=str(other)), "demo-1", "demo")
        queues[doubting] = asyncio.create_task(doubting.run())
        doubting.put(some(1))
        await eventually(lambda: doubting.dropped[FAILED] == 1, 120.0)
        assert len(collector.calls) == 2


@pytest.mark.parametrize("status", [400, 307])
async def test_what_a_collector_does_not_take_is_counted_and_the_next_goes_on(
    quickly: None, queues: dict[SpanQueue, asyncio.Task[None]], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    collector = Collector(lambda _: status)
    collector.headers = {"location": "https://192.0.2.1/"} if status == 307 else {}
    with collector.running():
        queue = SpanQueue(TracingSettings(endpoint=collector.endpoint), "demo-1", "demo")
        queues[queue] = asyncio.create_task(queue.run())
        queue.put(some(3))
        await eventually(lambda: queue.dropped[FAILED] == 3)
        assert f"spans do not reach {collector.endpoint} and are lost" in caplog.text
        assert str(status) in caplog.text
        collector.behave = lambda _: 200
        queue.put(some(2))
        await eventually(lambda: queue.exported == 2)
        text = render(queue.families()).decode()
        assert 'aware_trace_spans_dropped_total{reason="not-exported"} 3' in text
        assert "aware_trace_spans_exported_total 2" in text


async def test_a_collector_that_hangs_holds_nobody_up_and_what_has_no_room_is_counted(
    quickly: None, queues: dict[SpanQueue, asyncio.Task[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collector(lambda _: HANG).running() as collector:
        assert isinstance(collector, Collector)
        queue = SpanQueue(TracingSettings(endpoint=collector.endpoint), "demo-1", "demo")
        queues[queue] = asyncio.create_task(queue.run())
        queue.put(some(1))
        await eventually(lambda: len(collector.calls) == 1)  # the process hangs with it
        queue.put(some(MOST + 5))
        assert queue.dropped[FULL] == 5
        pid = queue._process.pid
        queues[queue].cancel()
        await asyncio.gather(queues.pop(queue), return_exceptions=True)
        assert not Path(f"/proc/{pid}").exists(), "it ends with its gateway, whatever it waits for"


async def test_an_exporter_that_dies_is_started_again(
    quickly: None, queues: dict[SpanQueue, asyncio.Task[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(span_queue, "PROGRAM", "this")  # prints a poem and ends
    with Collector().running() as collector:
        assert isinstance(collector, Collector)
        queue = SpanQueue(TracingSettings(endpoint=collector.endpoint), "demo-1", "demo")
        queues[queue] = asyncio.create_task(queue.run())
        queue.put(some(1))
        await eventually(lambda: queue.dropped[FAILED] == 1)
        queue._process._module = "aware_agent.gateway.span_export"
        queue.put(some(1))
        await eventually(lambda: queue.exported == 1)


async def test_where_the_extra_is_not_installed_that_is_said(
    quickly: None,
    queues: dict[SpanQueue, asyncio.Task[None]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "without.py").write_text(
        "import sys\nsys.modules['opentelemetry'] = None\nfrom aware_agent.gateway.span_export import main\nmain()\n"
    )
    monkeypatch.setattr(span_queue, "PROGRAM", "without")
    monkeypatch.chdir(tmp_path)
    queue = SpanQueue(TracingSettings(endpoint=NOWHERE), "demo-1", "demo")
    queues[queue] = asyncio.create_task(queue.run())
    queue.put(some(1))
    await eventually(lambda: queue.dropped[FAILED] == 1)
    assert "install aware-agent[tracing]" in caplog.text


@pytest.mark.parametrize("line", ["api-key", ": x", "api key: x", "a: \x00", "a\r: x", "é: x"])
def test_a_headers_file_with_a_mistake_is_refused_by_its_line_and_not_shown(tmp_path: Path, line: str) -> None:
    from aware_agent.colony.errors import AwareError

    path = tmp_path / "headers"
    path.write_text(f"good: s3cret\n{line}\n")
    with pytest.raises(AwareError) as raised:
        read_headers(str(path))
    assert "s3cret" not in str(raised.value)
    with pytest.raises(AwareError, match="cannot be read"):
        read_headers(str(tmp_path / "nowhere"))
