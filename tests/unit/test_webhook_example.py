"""The receiver in the documentation runs as it stands there, and takes what a colony sends and nothing else."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from aware_agent.colony.event import Event
from aware_agent.colony.reach import Reach
from aware_agent.outgoing import Outgoing
from aware_agent.queen.webhooks.lane import call
from aware_agent.queen.webhooks.messages import Target
from aware_agent.security.webhook_signature import secret_text, signed_headers
from tests.patience import eventually

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
SECRET = b"s" * 32


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
    return found


def test_the_example_takes_what_is_signed_once_and_nothing_else(tmp_path: Path, port: int) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    (tmp_path / "receiver.py").write_text(example)
    (tmp_path / "secret").write_text(secret_text(SECRET) + "\n")
    command = [sys.executable, str(tmp_path / "receiver.py"), str(port)]
    environment = {"SECRET_FILE": str(tmp_path / "secret")}
    url = f"http://127.0.0.1:{port}/"
    event = Event(id="e1", time=1.0, term=1, actor="ada", type="node.dead", subject="demo-1", message="demo-1 is dead")

    async def deliver(*secrets: bytes) -> int:
        target = Target(id="w", url=url, secrets=secrets, ca="", retry_s=10)
        outgoing = Outgoing(url, Reach(http_to_loopback=True))
        try:
            attempt = await call(outgoing, "demo", target, event, 7)
        finally:
            await outgoing.aclose()
        assert attempt.answer is not None
        return attempt.answer.status

    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: _answers(port), "the example listens")
            assert asyncio.run(deliver(SECRET)) == 204
            assert asyncio.run(deliver(b"n" * 32, SECRET)) == 204  # while the secret is replaced
            assert asyncio.run(deliver(b"n" * 32)) == 401
            old = signed_headers([SECRET], "e2", int(time.time()) - 3600, b"{}")
            assert httpx.post(url, content=b"{}", headers=old).status_code == 401
            good = signed_headers([SECRET], "e3", int(time.time()), b"{}")
            assert httpx.post(url, content=b'{"changed": 1}', headers=good).status_code == 401
        finally:
            process.kill()
        said, _ = process.communicate()
    assert said.decode() == "demo-1 is dead\n"
