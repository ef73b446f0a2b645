"""The benchmarks' HTTP client against a server that answers from a list."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from bench.client import ColonyClient, Unreachable


@contextlib.asynccontextmanager
async def serving(answer):
    """A server; ``answer(method, path, headers, body)`` gives the bytes to send, or None to hang up."""

    handlers = set()

    async def handle(reader, writer):
        handlers.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = dict(line.split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                said = answer(method, path, headers, body)
                if said is None:
                    break
                writer.write(said)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.gather(*handlers)


def reply(status, body=b"{}", *headers):
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def test_follows_the_redirect_to_the_queen_and_stays_there():
    asked = []

    def queen(method, path, headers, body):
        asked.append((method, path, headers["authorization"], body))
        return reply(200, b'{"term": 7}')

    redirects = 0

    async with serving(queen) as queen_url:

        def worker(*_):
            nonlocal redirects
            redirects += 1
            return reply(307, b"", f"location: {queen_url}/v1/x")

        async with serving(worker) as worker_url, ColonyClient([worker_url, queen_url], token="t") as client:
            for _ in range(3):
                answer = await client.call("PUT", "/v1/x", {"a": 1})
                assert (answer.ok, answer.json(), answer.endpoint) == (True, {"term": 7}, queen_url)
    assert asked == [("PUT", "/v1/x", "Bearer t", b'{"a":1}')] * 3
    assert redirects == 1


async def test_a_token_goes_to_no_stranger():
    def stranger(*_):
        raise AssertionError("asked")

    async with (
        serving(stranger) as elsewhere,
        serving(lambda *_: reply(307, b"", f"location: {elsewhere}/v1/x")) as worker,
        ColonyClient([worker], token="t") as client,
    ):
        with pytest.raises(Unreachable, match="no member"):
            await client.call("GET", "/v1/x", deadline_s=0.05)


async def test_tries_again_while_there_is_no_queen():
    answers = iter([reply(503), None, reply(503), reply(200, b'{"term": 8}')])
    async with serving(lambda *_: next(answers)) as url, ColonyClient([url]) as client:
        answer = await client.call("GET", "/v1/queen")
    assert answer.json() == {"term": 8}


async def test_a_refusal_is_an_answer():
    async with serving(lambda *_: reply(409, b'{"code": "conflict"}')) as url, ColonyClient([url]) as client:
        answer = await client.call("PATCH", "/v1/nodes/x", {})
    assert (answer.status, answer.ok) == (409, False)


async def test_nobody_there_is_said_after_the_deadline():
    async with serving(lambda *_: None) as url, ColonyClient([url]) as client:
        with pytest.raises(Unreachable, match="no answer to GET /v1/queen"):
            await client.call("GET", "/v1/queen", deadline_s=0.05)


async def test_reads_chunked_answers():
    body = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    async with serving(lambda *_: body) as url, ColonyClient([url]) as client:
        answer = await client.once(url, "GET", "/metrics")
    assert answer.body == b"abcde"


async def test_a_connection_that_the_server_closed_while_idle_is_opened_anew():
    closed = asyncio.Event()

    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(200))
        await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        closed.set()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, ColonyClient([url]) as client:
        for _ in range(3):
            closed.clear()
            assert (await client.once(url, "GET", "/v1/x")).ok
            await closed.wait()
            connection = client._connections[url]
            async with asyncio.timeout(10):
                while not connection._reader.at_eof():
                    await asyncio.sleep(0)
