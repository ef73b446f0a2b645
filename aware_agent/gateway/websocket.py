"""Events over WebSocket: one JSON document a message, close codes that say from where to resume."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.colony.event_filter import EventFilter, event_filter
from aware_agent.colony.numbers import whole
from aware_agent.gateway import hub
from aware_agent.gateway.documents import StreamAlive
from aware_agent.gateway.errors import HistoryTrimmed, RevisionAhead
from aware_agent.gateway.hub import Alive, End
from aware_agent.gateway.race import until_either
from aware_agent.gateway.state import Gateway
from aware_agent.security.judging import permit
from aware_agent.security.jwt import Principal, Unauthenticated

TOKEN_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 20.0
UNSUPPORTED = 1003
_MAX_REASON = 123


class _FirstMessage(msgspec.Struct, frozen=True):
    token: str


async def serve_events(socket: WebSocket, gateway: Gateway) -> None:
    """Serve one client until the stream ends or it goes."""
    await socket.accept()
    try:
        principal = await _principal(socket, gateway)
        permit(principal, "events:read")
        since, wanted = _parameters(socket)
        await gateway.hub.check(since or 0, principal.name)
    except AwareError as error:
        await _close(socket, _code(error), error.message)
        return
    except (WebSocketDisconnect, KeyError):
        return
    pump = _pump(socket, gateway, since, wanted, principal)
    await until_either(pump, _gone(socket), (WebSocketDisconnect, OSError))


async def _pump(socket: WebSocket, gateway: Gateway, since: int | None, wanted: EventFilter, who: Principal) -> None:
    resume = since or 0
    items = gateway.hub.follow(since, wanted, lambda: gateway.authority.holds(who), who.name)
    async with aclosing(items):
        async for item in items:
            if isinstance(item, End):
                await _close(socket, item.code, f"resume after {item.resume}: {item.reason}")
                return
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    if isinstance(item, Alive):
                        await socket.send_text(msgspec.json.encode(StreamAlive(revision=item.revision)).decode())
                        resume = item.revision
                        continue
                    for line in item:
                        await socket.send_text(line.data.decode())
                        resume = line.revision - 1  # others of this revision may follow
            except TimeoutError:
                await _close(socket, hub.TOO_SLOW, f"resume after {resume}: too slow")
                return
            resume = item[-1].revision


async def _principal(socket: WebSocket, gateway: Gateway) -> Principal:
    authorization = socket.headers.get("authorization")
    if authorization is not None:
        return gateway.authority.authenticate(authorization.encode("latin-1"))
    ticket = socket.query_params.get("ticket")
    if ticket is not None:
        return gateway.authority.redeem(ticket)
    try:
        async with asyncio.timeout(TOKEN_TIMEOUT_S):
            message = from_json(await socket.receive_text(), _FirstMessage)
    except TimeoutError:
        raise Unauthenticated("no token came") from None
    except UNDECODABLE as error:
        raise Unauthenticated('the first message is not {"token": "..."}') from error
    return gateway.authority.verify(message.token)


def _parameters(socket: WebSocket) -> tuple[int | None, EventFilter]:
    since = socket.query_params.get("since")
    try:
        start = whole(since) if since is not None else None
    except ValueError:
        raise InvalidInput("since is not a revision", field="since") from None
    many = socket.query_params.getlist
    wanted = event_filter(many("type"), many("subject"), many("caste"), many("actor"), many("severity")[-1:])
    return start, wanted


def _code(error: AwareError) -> int:
    if isinstance(error, HistoryTrimmed | RevisionAhead):
        return hub.TRIMMED
    if error.status == 401:
        return hub.TOKEN_ENDED
    return hub.TRY_AGAIN_LATER if error.status in (429, 503) else UNSUPPORTED


async def _gone(socket: WebSocket) -> None:
    """Returns when the client goes. What it says meanwhile has no meaning."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    """Close; bounded, because a client that does not read does not let us write either."""
    with suppress(WebSocketDisconnect, OSError, TimeoutError):
        async with asyncio.timeout(1):
            await socket.close(code, reason.encode()[:_MAX_REASON].decode("utf-8", "ignore"))
