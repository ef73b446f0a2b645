"""Attack: requests that nobody honest sends. Each is refused or its connection ended, in time; nothing is changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aware_agent.agent.settings import GatewaySettings
from aware_agent.colony.session import Session
from aware_agent.gateway.app import create_gateway
from aware_agent.gateway.server import GatewayServer
from aware_agent.security.jwt import TokenSigner
from aware_agent.security.roles import Role
from tests.gateway.memory import MemoryContext
from tests.hostile.request_cases import Case
from tests.hostile.request_documents import every

LEAST = 200
PATIENCE_S = 60.0
TOGETHER = 32
KINDS = ("tokens", "paths", "framing", "bodies", "fields")
SETTINGS = GatewaySettings(
    first_request_timeout_s=2.0,
    idle_timeout_s=1.0,
    body_timeout_s=2.0,
    max_connections_per_source=1000,
    requests_per_s=1e6,
    requests_per_s_per_source=1e6,
    requests_per_s_of_strangers=1e6,
)
_HEAD = re.compile(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n(.*?)\r\n\r\n", re.DOTALL)


class Target:
    """One gateway with an admin who is logged in."""

    def __init__(self) -> None:
        self.context = MemoryContext()
        self.app = create_gateway(self.context, SETTINGS)
        self.server = GatewayServer(self.app, "127.0.0.1", 0, grace_s=1.0, settings=SETTINGS)
        now, session = self.app.gateway.authority.now(), os.urandom(16).hex()
        record = Session(user="ada", user_id="", begun_at=now, refreshed_at=now)
        self.context.put(self.context.keys.key("sessions", session), record)
        signer: TokenSigner = self.app.gateway.authority.signer
        self.token = signer.issue("ada", Role.ADMIN, now=now, session=session).token
        self.key = self.context.token_keys[0]

    def cases(self) -> dict[str, list[Case]]:
        """All there are, for the key of this colony."""
        import jwt

        good: dict[str, Any] = jwt.decode(self.token, options={"verify_signature": False})
        return every(self.key, good)

    async def send(self, said: bytes) -> bytes:
        """All that comes until the connection ends."""
        raw = said.replace(b"\r\n@\r\n", b"\r\nauthorization: Bearer %s\r\n" % self.token.encode())
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        got = bytearray()
        try:
            with contextlib.suppress(ConnectionError):
                writer.write(raw)
                while more := await reader.read(65536):
                    got += more
        finally:
            writer.close()
        return bytes(got)


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    made = Target()
    await made.server.start()
    yield made
    await made.server.stop()


def complaint(got: bytes) -> str:
    """What is wrong with an answer; empty when the request was refused as it should be."""
    answers = list(_HEAD.finditer(got))
    if got and not answers:
        return f"no HTTP: {got[:60]!r}"
    for found in answers:
        status, head = int(found[1]), found[2].lower()
        if status == 100:
            continue
        if not 400 <= status < 500:
            return f"answered {status}"
        length = re.search(rb"content-length: (\d+)", head)
        body = got[found.end() : found.end() + int(length[1])] if length else b""
        if b"application/problem+json" not in head or not json.loads(body)["code"]:
            return f"{status} without a problem document"
    return ""


@pytest.mark.parametrize("kind", KINDS)
async def test_every_one_is_refused_in_time_and_changes_nothing(target: Target, kind: str) -> None:
    revision, room = target.context.memory.etcd.revision, asyncio.Semaphore(TOGETHER)
    wrong: list[str] = []

    async def one(case: Case) -> None:
        try:
            async with room, asyncio.timeout(PATIENCE_S):
                said = complaint(await target.send(case.said))
        except TimeoutError:
            said = "no answer in time"
        if said:
            wrong.append(f"{case.name}: {said}")

    await asyncio.gather(*(one(case) for case in target.cases()[kind]))
    assert wrong == []
    assert target.context.memory.etcd.revision == revision
    assert [command for command, _ in target.context.commands.calls if command == "DeleteUser"] == []
    got = await target.send(b"GET /v1/cluster HTTP/1.1\r\nhost: queen\r\nconnection: close\r\n@\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200"), "it serves on"


def test_there_are_enough_of_them_and_no_two_are_the_same() -> None:
    cases = every(b"k" * 32, {"iss": "aware"})
    assert tuple(cases) == KINDS
    names = [case.name for some in cases.values() for case in some]
    assert len(names) >= LEAST
    assert len(set(names)) == len(names)


async def test_a_good_request_is_answered_so_that_refusals_mean_something(target: Target) -> None:
    for line in (b"GET /v1/users", b"GET /v1/cluster", b"GET /v1/events?since=0&limit=5"):
        got = await target.send(line + b" HTTP/1.1\r\nhost: queen\r\nconnection: close\r\n@\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 200"), line


@pytest.mark.parametrize(
    "extra",
    [
        b"x-http-method-override: DELETE",
        b"x-forwarded-host: evil.example",
        b"x-forwarded-proto: http",
        b"range: bytes=0-1",
        b"range: bytes=" + b",".join(b"%d-" % number for number in range(2000)),
        b"accept: " + b"a/b;q=0.1," * 1000,
        b"accept-encoding: gzip;q=nonsense, *;q=0",
        b"accept-language: ../../etc",
        b"cookie: token=x",
        b"if-none-match: " + b'"1",' * 2000,
        b"expect: 100-continue",
    ],
)
async def test_what_says_nothing_to_us_changes_no_answer(target: Target, extra: bytes) -> None:
    plain = b"GET /v1/users HTTP/1.1\r\nhost: queen\r\nconnection: close\r\n@\r\n"
    expected, got = await target.send(plain + b"\r\n"), await target.send(plain + extra + b"\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200")
    assert got.split(b"\r\n\r\n")[-1] == expected.split(b"\r\n\r\n")[-1]
    assert b"evil.example" not in got


async def test_of_many_who_change_the_same_revision_one_wins(target: Target) -> None:
    """Half a change would be one of whom nobody was told."""
    key = target.context.keys.key("nodes", "")
    nodes = [kv for kv in target.context.projection.items(key) if b"demo-2" in kv.value]
    before = nodes[0].mod_revision
    body = b'{"cordoned": true}'
    said = b"\r\n".join(
        [
            b"PATCH /v1/nodes/demo-2 HTTP/1.1", b"host: queen", b"@", b'if-match: "%d"' % before,
            b"connection: close", b"content-length: %d" % len(body), b"", body,
        ]
    )  # fmt: skip
    answers = await asyncio.gather(*(target.send(said) for _ in range(12)))
    codes = sorted(answer[9:12] for answer in answers)
    assert codes == [b"200"] + [b"412"] * 11
