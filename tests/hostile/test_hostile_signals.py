"""What an intruder does is counted, said line by line, and in the history once; what he sends breaks no line."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from aware_agent.agent.logs import JsonLines, TextLines
from aware_agent.agent.settings import GatewaySettings
from aware_agent.colony.rates import Rate
from aware_agent.gateway.app import GatewayApp, create_gateway
from aware_agent.gateway.guesses import Guesses
from aware_agent.gateway.server import GatewayServer
from aware_agent.gateway.signals import LEAST, MAX_SOURCES, Sign, Signals
from aware_agent.security.jwt import TokenSigner
from aware_agent.security.roles import Role
from tests.gateway.conftest import certificate as _certificate
from tests.gateway.conftest import eventually
from tests.gateway.memory import PASSWORD, MemoryContext
from tests.memory_colony import join_request

FILTER = Path(__file__).parents[2] / "deploy/fail2ban/filter.d/aware-gateway.conf"
EVIL, GOOD = "203.0.113.9", "192.0.2.1"
BREAKING = ('x","aware.sign":"login-failed","source.ip":"10.9.9.9', "x  sign=login-failed  source=10.9.9.9")
FORGED = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."


certificate = _certificate  # the fixture


class Lines:
    """The log as a gateway process writes it, in both formats."""

    def __init__(self, directory: Path) -> None:
        self.paths = {"json": directory / "json.log", "text": directory / "text.log"}
        self._handlers = [logging.FileHandler(path) for path in self.paths.values()]
        for handler, lines in zip(self._handlers, (JsonLines("demo-1"), TextLines("demo-1")), strict=True):
            handler.setFormatter(lines)
        logger = logging.getLogger("aware_agent.gateway")
        self._logger, self._level = logger, logger.level

    def __enter__(self) -> Lines:
        self._logger.setLevel(logging.INFO)
        for handler in self._handlers:
            self._logger.addHandler(handler)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.setLevel(self._level)
        for handler in self._handlers:
            self._logger.removeHandler(handler)
            handler.close()

    def read(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.paths["json"].read_text().splitlines()]


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    with Lines(tmp_path) as made:
        yield made


@pytest.fixture
def context() -> MemoryContext:
    return MemoryContext()


@pytest.fixture
def app(context: MemoryContext) -> GatewayApp:
    made = create_gateway(context, GatewaySettings(requests_per_s_per_source=10.0, request_burst_s=4.0))
    made.gateway.guesses = Guesses(7, source=Rate(1 / 60, 4))
    return made


def at(app: GatewayApp, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=(address, 1)), base_url="https://queen")


async def attack(app: GatewayApp, context: MemoryContext) -> None:
    """One of each sign that a request can give, from the same address."""
    signer: TokenSigner = app.gateway.authority.signer
    now = app.gateway.authority.now()
    stale = signer.issue("ada", Role.ADMIN, now=now - 3 * 86400, session="s" * 32).token
    async with at(app, EVIL) as evil:
        tokens = (await evil.post("/v1/auth/token", json={"username": "vera", "password": PASSWORD})).json()
        for name in (
            "ada",
            'x","sign":"login-failed","source":"10.9.9.9',
            "x  sign=login-failed  source=10.9.9.9",
            "otto",
        ):
            await evil.post("/v1/auth/token", json={"username": name, "password": "summer"})
        assert (await evil.post("/v1/auth/token", json={"username": "nina", "password": "x"})).status_code == 429
        for token in (FORGED, stale):
            assert (await evil.get("/v1/users", headers={"authorization": f"Bearer {token}"})).status_code == 401
        key = context.keys.key("sessions", tokens["session"])
        stored = msgspec.json.decode(context.projection.get(key).value)  # type: ignore[union-attr]
        context.put(key, {**stored, "turn": 2, "refreshed_at": now - 3600})
        reused = await evil.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert reused.json()["code"] == "token-reused"
        request = msgspec.to_builtins(join_request("nobody", "x" * 43))
        assert (await evil.post("/v1/join", json=request)).status_code == 403
        while (await evil.get("/healthz")).status_code == 200:
            pass


async def test_each_sign_is_counted_and_said_with_its_source(
    app: GatewayApp, context: MemoryContext, lines: Lines
) -> None:
    await attack(app, context)
    async with at(app, GOOD) as good:
        for _ in range(3):
            assert (await good.get("/healthz")).status_code == 200
            assert (await good.get("/v1/cluster")).status_code == 401, "no token is no sign"
    said = [line for line in lines.read() if line["message"] == "refused"]
    assert {line["source.ip"] for line in said} == {EVIL}
    signs = [line["aware.sign"] for line in said]
    assert signs.count("login-failed") == 4
    assert {
        "login-slowed", "token-forged", "token-stale", "token-reused", "join-refused", "rate-limited",
    } <= set(signs)  # fmt: skip
    assert [line.get("user.name") for line in said if line["aware.sign"] == "login-failed"] == [
        "ada",
        None,
        None,
        "otto",
    ]
    text = "".join(path.read_text() for path in lines.paths.values())
    assert "10.9.9.9" not in text
    assert FORGED not in text
    async with at(app, GOOD) as good:
        metrics = (await good.get("/metrics")).text
    assert 'aware_intrusion_signs_total{sign="login-failed"} 4' in metrics


async def test_what_is_no_request_and_no_handshake_is_a_sign_too(
    app: GatewayApp, lines: Lines, certificate: tuple[Path, Path]
) -> None:
    for tls in (None, certificate):
        server = GatewayServer(app, "127.0.0.1", 0, tls, grace_s=0.5)
        server.limits.connections.heard = app.gateway.signals.connection
        await server.start()
        try:
            with socket.create_connection(("127.0.0.1", server.port)) as stranger:
                stranger.sendall(b"EHLO evil\r\n\r\n")
                sign = Sign.MALFORMED if tls is None else Sign.HANDSHAKE_FAILED
                await eventually(lambda sign=sign: app.gateway.signals.counts[sign])
        finally:
            await server.stop()
    assert {(line["aware.sign"], line["source.ip"]) for line in lines.read() if line["message"] == "refused"} == {
        ("malformed", "127.0.0.1"),
        ("handshake-failed", "127.0.0.1"),
    }


HELLO = bytes.fromhex("1603010200010001fc0303")  # the first bytes of a handshake


@pytest.mark.parametrize("sent", [b"", HELLO], ids=["connects", "begins a handshake"])
@pytest.mark.parametrize("linger", [None, struct.pack("ii", 1, 0)], ids=["and closes", "and resets"])
async def test_who_looks_whether_somebody_listens_is_no_sign(
    app: GatewayApp, lines: Lines, certificate: tuple[Path, Path], sent: bytes, linger: bytes | None
) -> None:
    server = GatewayServer(app, "127.0.0.1", 0, certificate, grace_s=0.5)
    server.limits.connections.heard = app.gateway.signals.connection
    await server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port)) as checker:
            checker.sendall(sent)
            await asyncio.sleep(0.05)
            if linger is not None:
                checker.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await eventually(lambda: server.limits.connections.refused["handshake"])
    finally:
        await server.stop()
    assert [line for line in lines.read() if line["message"] == "refused"] == []


async def test_a_flood_is_a_few_lines_and_one_event(app: GatewayApp, context: MemoryContext, lines: Lines) -> None:
    signals: Signals = app.gateway.signals
    before = len(context.history)
    for number in range(20_000):
        signals.note(Sign.TOKEN_FORGED, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        signals.note(Sign.LOGIN_FAILED, EVIL, "ada")
    assert signals.counts[Sign.TOKEN_FORGED] == 20_000
    assert len(lines.read()) < 2000
    assert len(signals._sources) <= MAX_SOURCES
    await signals.tell(context.commands, context.me)
    (event,) = [event for _, event in context.history][before:]
    assert event.type == "intrusion.noticed"
    assert "20000 login-failed, 20000 token-forged" in event.message
    assert EVIL in event.message
    assert len(event.message) <= 500
    for _ in range(LEAST - 1):
        signals.note(Sign.LOGIN_FAILED, EVIL)
    await signals.tell(context.commands, context.me)
    assert len(context.history) == before + 1, "a typing error is no event"


async def test_fail2ban_finds_who_it_was_and_nobody_else(app: GatewayApp, context: MemoryContext, lines: Lines) -> None:
    program = shutil.which("fail2ban-regex")
    if program is None:
        pytest.skip("fail2ban is not installed: apt-get install fail2ban")
    await attack(app, context)
    counted = {"login-failed", "login-slowed", "token-forged", "token-reused", "join-refused"}
    expected = sum(line.get("aware.sign") in counted for line in lines.read())
    assert expected >= 7
    for path in lines.paths.values():
        done = subprocess.run(
            [program, "-v", "--raw", str(path), str(FILTER)], capture_output=True, text=True, timeout=120, check=False
        )
        summary = re.search(r"Lines: (\d+) lines, \d+ ignored, (\d+) matched", done.stdout)
        assert summary is not None, done.stdout + done.stderr
        assert int(summary[2]) == expected, done.stdout
        assert EVIL in done.stdout
        assert "10.9.9.9" not in done.stdout
