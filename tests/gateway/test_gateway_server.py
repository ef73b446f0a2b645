"""The server: a guest in somebody's event loop."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from pathlib import Path

import httpx
import pytest

from aware_agent.agent.settings import GatewaySettings
from aware_agent.colony.errors import AddressMissing, InvalidInput, PortInUse
from aware_agent.gateway.asgi import Receive, Scope, Send, answer
from aware_agent.gateway.server import GatewayServer


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/slow":
        await asyncio.sleep(60)
    await answer(send, 200, [(b"content-length", b"5")], b"hello")


async def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse) as refused:
            await GatewayServer(hello, "127.0.0.1", port).start()
    assert refused.value.exit_code == 17
    assert str(port) in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_what_is_no_address() -> None:
    with pytest.raises(InvalidInput):
        await GatewayServer(hello, "not an address", 0).start()


async def test_an_address_that_is_not_here_yet_may_come() -> None:
    with pytest.raises(AddressMissing) as missing:
        await GatewayServer(hello, "192.0.2.1", 0).start()
    assert missing.value.exit_code == 17, "the service manager tries again"


async def test_it_leaves_signals_alone_and_stops_twice() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    server = GatewayServer(hello, "127.0.0.1", 0)
    await server.start()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    async with httpx.AsyncClient() as client:
        response = await client.get(f"http://127.0.0.1:{server.port}/")
    assert response.text == "hello"
    assert "server" not in response.headers
    assert "date" in response.headers
    await server.stop()
    await server.stop()
    again = GatewayServer(hello, "127.0.0.1", server.port)
    await again.start()
    await again.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_stopping_does_not_wait_for_ever() -> None:
    server = GatewayServer(hello, "127.0.0.1", 0, grace_s=1.0)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
    await writer.drain()
    async with asyncio.timeout(10):
        await server.stop()
        assert b"hello" not in await reader.read()
    writer.close()


async def test_tls_1_2_or_newer(certificate: tuple[Path, Path]) -> None:
    server = GatewayServer(hello, "127.0.0.1", 0, certificate)
    await server.start()
    try:
        trusting = ssl.create_default_context(cafile=str(certificate[0]))
        async with httpx.AsyncClient(verify=trusting) as client:
            url = f"https://localhost:{server.port}/"
            assert (await client.get(url)).text == "hello"
            server.reload_tls()
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", server.port, ssl=old)
    finally:
        await server.stop()


async def test_a_certificate_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="certificate"):
        await GatewayServer(hello, "127.0.0.1", 0, (tmp_path / "no.crt", tmp_path / "no.key")).start()


async def test_the_first_answer_after_a_long_rest_has_todays_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody keeps the time of day while there is no connection; newcomers judge their clocks by it."""
    server = GatewayServer(hello, "127.0.0.1", 0)
    await server.start()
    try:
        await asyncio.sleep(0)  # it has looked at its watch, and rests
        monkeypatch.setattr("aware_agent.gateway.server.time.time", lambda: 4_000_000_000.0)
        async with httpx.AsyncClient() as client:
            first = await client.get(f"http://127.0.0.1:{server.port}/")
        assert first.headers["date"] == "Tue, 02 Oct 2096 07:06:40 GMT"
    finally:
        await server.stop()


async def test_a_client_that_says_nothing_is_swept_also_when_it_is_the_first_after_a_rest() -> None:
    settings = GatewaySettings(first_request_timeout_s=0.1)
    server = GatewayServer(hello, "127.0.0.1", 0, settings=settings)
    await server.start()
    try:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            async with asyncio.timeout(30):
                assert await reader.read() == b""
            writer.close()
            await asyncio.sleep(1.5)  # long enough for it to rest again
    finally:
        await server.stop()
