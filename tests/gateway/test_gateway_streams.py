"""Live events over real sockets: resuming, ends with reasons, slow and unwelcome clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.event_filter import EventFilter
from aware_agent.gateway import hub, sse, websocket
from aware_agent.gateway.app import GatewayApp
from aware_agent.security.roles import Role
from tests.gateway.conftest import As, Live
from tests.gateway.memory import MemoryContext, node_id

LIMIT_S = 10.0


class Reader:
    """Reads messages of a server-sent event stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def message(self) -> dict[str, str]:
        """The next message with data; comments are skipped."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(LIMIT_S):
            async for line in self._lines:
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "data" in fields:
                    return fields
                else:
                    fields = {}
        raise EOFError

    async def comment(self) -> str:
        async with asyncio.timeout(LIMIT_S):
            async for line in self._lines:
                if line.startswith(":"):
                    return line
        raise EOFError


@asynccontextmanager
async def events(live: Live, headers: dict[str, str], **parameters: Any) -> AsyncIterator[Reader]:
    async with (
        httpx.AsyncClient(base_url=live.url, headers=headers, timeout=LIMIT_S) as client,
        client.stream("GET", "/v1/events/stream", params=parameters) as response,
    ):
        reader = Reader(response)
        if response.status_code == 200:
            await reader.comment()
        yield reader


async def _open(app: GatewayApp, streams: int) -> None:
    """Wait until so many streams are open."""
    async with asyncio.timeout(LIMIT_S):
        while len(app.gateway.hub) != streams:
            await asyncio.sleep(0.005)


async def test_sse_resumes_without_gap_or_repeat(live: Live, context: MemoryContext, app: GatewayApp, as_: As) -> None:
    for number in range(3):
        context.emit("node.ready", node_id(number), f"old {number}")
    async with events(live, as_(Role.VIEWER), since=0) as reader:
        assert reader.response.headers["content-type"].startswith("text/event-stream")
        first = [await reader.message() for _ in range(5)]
        context.emit("node.dead", node_id(1), "new 0")
        first.append(await reader.message())
    context.emit("node.left", node_id(1), "while away")
    headers = {**as_(Role.VIEWER), "last-event-id": first[-1]["id"]}
    async with events(live, headers, since=0) as reader:
        first.append(await reader.message())
        context.emit("node.ready", node_id(1), "back")
        first.append(await reader.message())
    assert [int(message["id"]) for message in first] == [revision for revision, _ in context.history]
    assert [message["event"] for message in first] == [event.type for _, event in context.history]
    assert [json.loads(message["data"])["message"] for message in first[-3:]] == ["new 0", "while away", "back"]


async def test_sse_without_a_start_begins_now(live: Live, context: MemoryContext, app: GatewayApp, as_: As) -> None:
    async with events(live, as_(Role.VIEWER), type="node.*") as reader:
        await _open(app, 1)
        context.emit("spec.changed", "demo", "not wanted")
        revision = context.emit("node.ready", node_id(1), "wanted")
        assert (await reader.message())["id"] == str(revision)


async def test_events_of_one_revision_move_the_resume_point_together(
    live: Live, context: MemoryContext, app: GatewayApp, as_: As
) -> None:
    drafts = EventDraft("node.dead", node_id(1), "one"), EventDraft("caste.assigned", node_id(2), "two")
    revision = context.memory.emit(*drafts)
    async with events(live, as_(Role.VIEWER), since=revision - 1) as reader:
        messages = [await reader.message() for _ in range(2)]
    assert ["id" in message for message in messages] == [False, True]


async def test_a_client_that_leaves_is_forgotten(live: Live, app: GatewayApp, as_: As) -> None:
    async with events(live, as_(Role.VIEWER)):
        await _open(app, 1)
    await _open(app, 0)


@pytest.mark.parametrize("last", ["x", "-1", "9" * 30])
async def test_sse_refuses_a_bad_resume_point(live: Live, as_: As, last: str) -> None:
    async with events(live, {**as_(Role.VIEWER), "last-event-id": last}) as reader:
        assert reader.response.status_code == 422


async def test_sse_of_trimmed_history(live: Live, context: MemoryContext, as_: As) -> None:
    context.trim(100)
    async with events(live, as_(Role.VIEWER), since=5) as reader:
        assert reader.response.status_code == 410
        assert json.loads(await reader.response.aread())["oldest"] == 100


@pytest.mark.parametrize("path", ["/v1/events", "/v1/events/stream"])
async def test_a_revision_that_never_was_is_410(live: Live, context: MemoryContext, as_: As, path: str) -> None:
    """After a restore a client would wait in silence until etcd has caught up, and miss all until then."""
    headers = as_(Role.VIEWER)
    since = context.projection.revision
    async with httpx.AsyncClient(base_url=live.url, headers=headers, timeout=LIMIT_S) as client:
        async with client.stream("GET", path, params={"since": since}) as response:
            assert response.status_code == 200
        async with client.stream("GET", path, params={"since": since + 1}) as response:
            assert response.status_code == 410
            problem = json.loads(await response.aread())
            assert problem["code"] == "revision-ahead"
            assert "etcd was restored" in problem["detail"]
    async with _connect(live, headers, f"?since={since + 1}") as socket:
        assert await _closed(socket) == hub.TRIMMED


async def test_streams_end_when_etcd_went_back(live: Live, context: MemoryContext, app: GatewayApp, as_: As) -> None:
    """With the first event that is older than one that was sent."""
    headers = as_(Role.VIEWER)
    async with events(live, headers) as reader, _connect(live, headers) as socket:
        await _open(app, 2)
        sent = context.emit("node.ready", node_id(1), "before")
        assert (await reader.message())["id"] == str(sent)
        context.restore(sent - 2)
        context.emit("node.ready", node_id(1), "restored")
        end = await reader.message()
        assert end["event"] == "aware.end"
        assert "restored from a backup" in end["data"]
        assert await _closed(socket) == hub.TRIMMED


async def test_a_quiet_stream_ends_when_etcd_went_back(
    live: Live, context: MemoryContext, app: GatewayApp, as_: As
) -> None:
    """Where nothing is sent any more it is found at the next sign of life."""
    app.gateway.hub.heartbeat_s = 0.02
    async with events(live, as_(Role.VIEWER)) as reader:
        await _open(app, 1)
        sent = context.emit("node.ready", node_id(1), "before")
        assert (await reader.message())["id"] == str(sent)
        context.restore(sent - 1)
        assert "restored from a backup" in (await reader.message())["data"]


async def test_a_gateway_that_stops_ends_streams_with_a_resume_point(
    live: Live, context: MemoryContext, app: GatewayApp, as_: As
) -> None:
    headers = as_(Role.VIEWER)
    async with events(live, headers) as reader, _connect(live, headers) as socket:
        await _open(app, 2)
        revision = context.emit("node.ready", node_id(1), "last words")
        assert (await reader.message())["id"] == str(revision)
        assert json.loads(await socket.recv())["revision"] == revision
        await app.close("this gateway stops")
        last = await reader.message()
        assert last["event"] == "aware.end"
        assert json.loads(last["data"]) == {"reason": "this gateway stops", "resume": revision}
        with pytest.raises(EOFError):
            await reader.message()
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd
        assert closed.value.rcvd.code == hub.STOPPED
        assert closed.value.rcvd.reason == f"resume after {revision}: this gateway stops"
    assert len(app.gateway.hub) == 0
    assert context.subscribers == 0


async def test_streams_live_on_through_a_change_of_queen(
    live: Live, context: MemoryContext, app: GatewayApp, as_: As
) -> None:
    headers = as_(Role.VIEWER)
    async with events(live, headers) as reader, _connect(live, headers) as socket:
        await _open(app, 2)
        context.delete(context.keys.queen)
        told = [context.emit("queen.stepped-down", context.me, "she hands over")]
        context.memory.begin_reign(1)
        told.append(context.emit("queen.elected", node_id(1), "demo-2 is queen"))
        assert [int((await reader.message())["id"]) for _ in told] == told
        assert [json.loads(await socket.recv())["revision"] for _ in told] == told


async def test_streams_are_alive_and_end_with_their_token(
    context: MemoryContext, app: GatewayApp, as_: As, live: Live
) -> None:
    app.gateway.hub.heartbeat_s = 0.05
    async with events(live, as_(Role.VIEWER)) as reader, _connect(live, as_(Role.ADMIN)) as socket:
        assert await reader.comment() == ": alive"
        context.delete(context.keys.key("users", "vera"))
        context.delete(context.keys.key("users", "anna"))
        assert "token" in json.loads((await reader.message())["data"])["reason"]
        assert await _closed(socket) == hub.TOKEN_ENDED


def _connect(live: Live, headers: dict[str, str], query: str = "") -> Any:
    return websockets.connect(f"{live.ws}/v1/events/ws{query}", additional_headers=headers, proxy=None)


async def _closed(socket: ClientConnection) -> int:
    """Read to the end; the close code."""
    await _read_on(socket)
    assert socket.close_code is not None
    return socket.close_code


async def _read_on(socket: ClientConnection) -> list[dict[str, Any]]:
    """All that comes until the connection is closed."""
    seen: list[dict[str, Any]] = []
    async with asyncio.timeout(LIMIT_S):
        try:
            while True:
                seen.append(json.loads(await socket.recv()))
        except websockets.ConnectionClosed:
            return seen


async def test_websocket_resumes(live: Live, context: MemoryContext, app: GatewayApp, as_: As) -> None:
    async with _connect(live, as_(Role.VIEWER), "?since=0") as socket:
        seen = [json.loads(await socket.recv()) for _ in range(2)]
        context.emit("node.ready", node_id(1), "live")
        seen.append(json.loads(await socket.recv()))
    assert [event["revision"] for event in seen] == [revision for revision, _ in context.history]
    assert seen[-1]["message"] == "live"


async def test_websocket_takes_a_ticket_once(live: Live, app: GatewayApp, as_: As) -> None:
    async with httpx.AsyncClient(base_url=live.url, headers=as_(Role.VIEWER)) as client:
        ticket = (await client.post("/v1/auth/ticket")).json()["ticket"]
    async with _connect(live, {}, f"?since=0&ticket={ticket}") as socket:
        assert json.loads(await socket.recv())["type"] == "colony.founded"
    async with _connect(live, {}, f"?ticket={ticket}") as socket:
        assert await _closed(socket) == hub.TOKEN_ENDED


async def test_websocket_takes_the_token_as_first_message(live: Live, as_: As) -> None:
    async with _connect(live, {}, "?since=0") as socket:
        await socket.send(json.dumps({"token": as_(Role.VIEWER)["authorization"].split()[1]}))
        assert json.loads(await socket.recv())["type"] == "colony.founded"


@pytest.mark.parametrize("message", ['{"token": "nonsense"}', "{}", "no json", '{"token": 5}'])
async def test_websocket_refuses_strangers(live: Live, message: str) -> None:
    async with _connect(live, {}) as socket:
        await socket.send(message)
        assert await _closed(socket) == hub.TOKEN_ENDED


async def test_websocket_does_not_wait_for_a_token_for_ever(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "TOKEN_TIMEOUT_S", 0.05)
    async with _connect(live, {}) as socket:
        assert await _closed(socket) == hub.TOKEN_ENDED


async def test_websocket_says_what_is_wrong_with_the_start(live: Live, context: MemoryContext, as_: As) -> None:
    context.trim(100)
    async with _connect(live, as_(Role.VIEWER), "?since=5") as socket:
        assert await _closed(socket) == hub.TRIMMED
    async with _connect(live, as_(Role.VIEWER), "?since=x") as socket:
        assert await _closed(socket) == websocket.UNSUPPORTED


async def test_no_more_streams_than_there_is_room_for(live: Live, app: GatewayApp, as_: As) -> None:
    app.gateway.hub._most = 1
    async with events(live, as_(Role.VIEWER)):
        await _open(app, 1)
        async with events(live, as_(Role.VIEWER)) as second:
            assert second.response.status_code == 503
        async with _connect(live, as_(Role.VIEWER)) as socket:
            assert await _closed(socket) == hub.TRY_AGAIN_LATER


async def test_one_user_takes_no_others_streams(live: Live, app: GatewayApp, as_: As) -> None:
    app.gateway.hub._most_each = 2
    async with events(live, as_(Role.VIEWER)), _connect(live, as_(Role.VIEWER)) as second:
        await _open(app, 2)
        async with events(live, as_(Role.VIEWER)) as third:
            assert third.response.status_code == 429
            assert third.response.headers["retry-after"] == "5"
        async with _connect(live, as_(Role.VIEWER)) as socket:
            assert await _closed(socket) == hub.TRY_AGAIN_LATER
        async with events(live, as_(Role.ADMIN)) as other:
            assert other.response.status_code == 200
            await _open(app, 3)
        await second.close()
        await _open(app, 1)
        async with events(live, as_(Role.VIEWER)) as again:
            assert again.response.status_code == 200
    await _open(app, 0)
    assert not app.gateway.hub._of, "nobody is remembered"


async def test_who_asks_for_many_at_once_gets_no_more_than_his_share(app: GatewayApp) -> None:
    """All were told that there is room before the first one began."""
    app.gateway.hub._most_each = 3
    streams = [app.gateway.hub.follow(None, "", lambda: True, "vera") for _ in range(8)]
    starts = [asyncio.ensure_future(anext(items)) for items in streams]
    done, _ = await asyncio.wait(starts, timeout=5.0)
    ends = [task.result() for task in done if isinstance(task.result(), hub.End)]
    assert len(ends) == 5
    assert {end.code for end in ends} == {hub.TRY_AGAIN_LATER}  # type: ignore[union-attr]
    for task in starts:
        task.cancel()
    await asyncio.gather(*starts, return_exceptions=True)
    for items in streams:
        await items.aclose()


async def test_a_client_that_does_not_read_is_dropped(
    live: Live, context: MemoryContext, app: GatewayApp, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fills its socket and then its queue; others go on, memory stays bounded, it learns where to resume."""
    monkeypatch.setattr(websocket, "SEND_TIMEOUT_S", 0.3)
    monkeypatch.setattr(sse, "SEND_TIMEOUT_S", 0.3)
    slow = websockets.connect(
        f"{live.ws}/v1/events/ws", additional_headers=as_(Role.VIEWER), proxy=None, max_queue=1, max_size=None
    )
    async with slow as socket, events(live, as_(Role.ADMIN)) as reader:
        await _open(app, 2)
        big = "x" * 100_000
        sent = 0
        async with asyncio.timeout(30):
            while len(app.gateway.hub) == 2:
                context.emit("node.ready", node_id(1), big)
                sent += 1
                await reader.message()
        seen = await _read_on(socket)
        assert socket.close_code == hub.TOO_SLOW
        assert socket.close_reason
        resume = int(socket.close_reason.split(":")[0].removeprefix("resume after "))
        assert resume <= seen[-1]["revision"]
        assert [event["revision"] for event in seen] == [r for r, _ in context.history[2:]][: len(seen)]
        assert len(app.gateway.hub) == 1
    assert sent > 1


async def test_a_queue_that_overflows_ends_the_stream(context: MemoryContext, app: GatewayApp) -> None:
    items = app.gateway.hub.follow(0, EventFilter(), lambda: True, "vera")
    first = await anext(items)
    assert first
    for number in range(hub.MAX_QUEUED + 1):
        context.emit("node.ready", node_id(1), str(number))
    rest = [item async for item in items]
    end = rest[-1]
    assert isinstance(end, hub.End)
    assert end.code == hub.TOO_SLOW
    assert end.resume == context.history[1][0] or end.resume < context.history[-1][0]
    # Nothing was skipped: what follows the resume point was not delivered, what precedes it was.
    delivered = [line.revision for item in [first, *rest[:-1]] for line in item or []]  # type: ignore[union-attr]
    assert delivered == [revision for revision, _ in context.history if revision <= end.resume]


FILTER = {"type": ["node.*", "spec.changed"], "severity": "warning", "subject": "demo-*", "actor": "col*"}


def _busy(context: MemoryContext, number: int) -> int:
    """One write: an event that passes the filter, and one that does not. Its revision."""
    wanted = EventDraft("node.dead", "demo-2", f"wanted {number}", Severity.ERROR)
    return context.memory.emit(wanted, EventDraft("node.ready", "demo-2", "not wanted"))


async def test_a_filtered_stream_resumes_at_another_member_under_another_queen_without_gap_or_repeat(
    live: Live, context: MemoryContext, app: GatewayApp, as_: As
) -> None:
    headers, expected, seen, resume = as_(Role.VIEWER), [], [], context.projection.revision
    for round_ in range(4):
        expected += [_busy(context, round_)]
        context.emit("queen.elected", "demo-1", "not wanted")
        async with events(live, headers, since=resume, **FILTER) as reader:
            message = await reader.message()
            seen.append(int(message["id"]))
            expected += [_busy(context, round_)]
            seen.append(int((await reader.message())["id"]))
            resume = seen[-1]
        context.memory.begin_reign(round_ % 2)
    assert seen == expected
    async with _connect(live, headers, f"?since={expected[0] - 1}&type=node.*&severity=error") as socket:
        found = [json.loads(await socket.recv()) for _ in expected]
    assert [event["revision"] for event in found] == expected


async def test_signs_of_life_move_the_resume_point_past_what_is_not_wanted(
    live: Live, context: MemoryContext, app: GatewayApp, as_: As
) -> None:
    """However busy the colony is: what goes by need not be read again, and history may be trimmed meanwhile."""
    app.gateway.hub.heartbeat_s = 0.02
    headers = as_(Role.VIEWER)
    query = "?type=token.*"
    async with events(live, headers, type="token.*") as reader, _connect(live, headers, query) as socket:
        await _open(app, 2)
        last = [context.emit("node.ready", node_id(1), "not wanted") for _ in range(5)][-1]
        async with asyncio.timeout(LIMIT_S):
            while (alive := json.loads(await socket.recv()))["revision"] < last:
                assert alive["type"] == "aware.alive"
            while (line := await anext(reader._lines)) != f"id: {last}":
                assert line in ("", ": alive") or line.startswith("id: ")
    context.trim(last + 10)
    async with events(live, headers, since=last + 9, type="token.*") as reader:
        assert reader.response.status_code == 200
    async with events(live, headers, since=last - 5, type="token.*") as reader:
        assert reader.response.status_code == 410


async def test_a_busy_stream_ends_with_its_token_too(
    live: Live, context: MemoryContext, app: GatewayApp, as_: As
) -> None:
    app.gateway.hub.heartbeat_s = 0.05
    async with events(live, as_(Role.VIEWER), type="token.*") as reader:
        await _open(app, 1)
        context.delete(context.keys.key("users", "vera"))
        ended = asyncio.create_task(reader.message())
        async with asyncio.timeout(LIMIT_S):
            while not ended.done():
                context.emit("node.ready", node_id(1), "not wanted")
                await asyncio.sleep(0.005)
        assert "token" in json.loads(ended.result()["data"])["reason"]


async def test_events_of_a_caste(live: Live, context: MemoryContext, as_: As) -> None:
    """By id or name of a node, or by the caste's own."""
    since = context.projection.revision
    for subject in (node_id(1), "demo-3", node_id(3), "web", "demo"):
        context.emit("node.ready", subject, subject)
    async with httpx.AsyncClient(base_url=live.url, headers=as_(Role.VIEWER), timeout=LIMIT_S) as client:
        found = (await client.get("/v1/events", params={"since": since, "caste": "w*"})).json()["events"]
    assert [event["subject"] for event in found] == [node_id(1), "demo-3", "web"]


@pytest.mark.parametrize(
    "query", ["type=" + "x" * 101, "&".join(["actor=x"] * 17), "subject=" + "*" * 5, "severity=loud", "caste="]
)
async def test_a_giant_filter_is_refused(live: Live, as_: As, query: str) -> None:
    async with httpx.AsyncClient(base_url=live.url, headers=as_(Role.VIEWER), timeout=LIMIT_S) as client:
        for path in ("/v1/events", "/v1/events/stream"):
            response = await client.get(f"{path}?{query}")
            assert response.status_code == 422, response.text
            assert response.json()["field"] == query.partition("=")[0]
    async with _connect(live, as_(Role.VIEWER), f"?{query}") as socket:
        assert await _closed(socket) == websocket.UNSUPPORTED
