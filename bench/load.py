"""HTTP load: wrk where it is installed, else a small client of our own. Closed loop, keep-alive, the same GET."""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import ssl
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import msgspec

from aware_agent.colony.decoding import UNDECODABLE
from bench.harness import percentile

_SCRIPT = """done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("BENCH %d %d %d %f %f %f\\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of one load. Latencies in milliseconds."""

    rate: float  # requests per second
    p50: float
    p95: float
    p99: float
    requests: int
    errors: int
    tool: str


async def load(url: str, *, connections: int, seconds: float, headers: Mapping[str, str]) -> Load:
    """Load ``url``. Raises RuntimeError when the tool fails; errors of requests are counted."""
    wrk = shutil.which("wrk")
    return await (_wrk(wrk, url, connections, seconds, headers) if wrk else _own(url, connections, seconds, headers))


async def _wrk(wrk: str, url: str, connections: int, seconds: float, headers: Mapping[str, str]) -> Load:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT)
        for name, value in headers.items():
            script.write(f'wrk.headers["{name}"] = "{value}"\n')  # not in argv: it may be a token
        script.flush()
        argv = [
            wrk,
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--timeout=10s",
            f"-s{script.name}",
            url,
        ]
        said = await _output(argv)
    match = re.search(r"BENCH (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+) ([\d.]+)", said)
    if match is None:
        raise RuntimeError(f"wrk said: {said[-300:]}")
    requests, micros, errors = (int(match[i]) for i in (1, 2, 3))
    p50, p95, p99 = (float(match[i]) / 1000 for i in (4, 5, 6))
    return Load(
        rate=requests / (micros / 1e6),
        p50=p50,
        p95=p95,
        p99=p99,
        requests=requests,
        errors=errors,
        tool="wrk, 1 thread",
    )


async def _own(url: str, connections: int, seconds: float, headers: Mapping[str, str]) -> Load:
    """In a process of its own, as wrk is; it may well be the slower side, and says so."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(msgspec.json.encode(dict(headers)).decode())
        file.flush()
        argv = [sys.executable, "-m", "bench.load", url, str(connections), str(seconds), file.name]
        said = await _output(argv)
    try:
        return msgspec.json.decode(said, type=Load)
    except UNDECODABLE:
        raise RuntimeError(f"the load client said: {said[-300:]}") from None


async def _output(argv: list[str]) -> str:
    from bench.lab import ROOT

    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*argv, stdout=pipe, stderr=asyncio.subprocess.STDOUT, cwd=ROOT)
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said.decode(errors="replace")


class _Client(asyncio.Protocol):
    """One connection. All answers must be as long as the first."""

    def __init__(self, request: bytes, latencies: list[float], errors: list[str]) -> None:
        self._request = request
        self._latencies = latencies
        self._errors = errors
        self._length = 0
        self._got = 0
        self._head = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._send()

    def data_received(self, data: bytes) -> None:
        self._got += len(data)
        if not self._length:
            self._head += data
            self._learn()
        if self._length and self._got >= self._length:
            self._latencies.append(time.perf_counter() - self._sent)
            self._got = 0
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._errors.append(str(exc))

    def _learn(self) -> None:
        head, separator, _ = self._head.partition(b"\r\n\r\n")
        if separator:
            match = re.search(rb"\r\ncontent-length: *(\d+)", head.lower())
            if match is None or b" 200 " not in head[:15]:
                self._errors.append(head[:100].decode("latin-1"))
                assert self._transport is not None
                self._transport.abort()
                return
            self._length = len(head) + 4 + int(match[1])

    def _send(self) -> None:
        assert self._transport is not None
        self._sent = time.perf_counter()
        self._transport.write(self._request)


async def _run_own(url: str, connections: int, seconds: float, headers: Mapping[str, str]) -> Load:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 0
    tls: ssl.SSLContext | None = None
    if parts.scheme == "https":
        tls = ssl.create_default_context()
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE  # as wrk; the load is on loopback
    lines = [f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", *(f"{k}: {v}" for k, v in headers.items())]
    request = "\r\n".join([*lines, "", ""]).encode()
    latencies: list[float] = []
    errors: list[str] = []
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    made = [
        await loop.create_connection(lambda: _Client(request, latencies, errors), host, port, ssl=tls)
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - start
    for transport, _ in made:
        transport.abort()
    p50, p95, p99 = (percentile(latencies, p) * 1000 for p in (50, 95, 99)) if latencies else (0.0, 0.0, 0.0)
    return Load(
        rate=len(latencies) / elapsed,
        p50=p50,
        p95=p95,
        p99=p99,
        requests=len(latencies),
        errors=len(errors),
        tool="own client",
    )


def _main() -> None:
    import uvloop

    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("headers", type=Path)
    options = parser.parse_args()
    headers = msgspec.json.decode(options.headers.read_bytes(), type=dict[str, str])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(_run_own(options.url, options.connections, options.seconds, headers))
    print(msgspec.json.encode(outcome).decode())


if __name__ == "__main__":
    _main()
