"""openstack_cluster with an interface that fails, loses answers and goes away: a proxy between module and Nova."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

pytest.importorskip("openstack")

from provisioning import Project, project, reachable

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.skipif(not reachable(), reason="no test cloud here: make test-cloud"),
    pytest.mark.filterwarnings("ignore"),
]


class Faults:
    """What the proxy does to requests. ``refuse``: 503, Nova is not asked; ``lose``: Nova acts, nobody hears of it."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.chance = random.Random(11)
        self.refuse = self.lose = 0.0
        self.down_after_posts = -1  # so many creations, then 503 for everything
        self.posts = self.refused = self.lost = 0

    def verdict(self, method: str, path: str) -> str:
        """pass, refuse or lose."""
        if self.down_after_posts >= 0 and self.posts > self.down_after_posts:
            self.refused += 1
            return "refuse"
        draw = self.chance.random()
        if draw < self.refuse:
            self.refused += 1
            return "refuse"
        if draw < self.refuse + self.lose:
            self.lost += 1
            return "lose"
        return "pass"


class Handler(BaseHTTPRequestHandler):
    """Passes requests on, or does not."""

    protocol_version = "HTTP/1.1"
    faults: Faults

    def serve(self) -> None:
        """One request."""
        faults = self.faults
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "POST" and urlsplit(self.path).path.endswith("/servers"):
            faults.posts += 1
        verdict = faults.verdict(self.command, self.path)
        if verdict == "refuse":
            self.answer(
                503, b'{"message": "come back later"}', {"Retry-After": "1", "Content-Type": "application/json"}
            )
            return
        upstream = http.client.HTTPConnection(str(faults.target.hostname), faults.target.port, timeout=120)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        upstream.request(self.command, self.path, body or None, headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        if verdict == "lose":
            self.close_connection = True
            self.connection.close()
            return
        kept = {
            k: v
            for k, v in answer.getheaders()
            if k.lower() not in ("content-length", "connection", "transfer-encoding")
        }
        self.answer(answer.status, content, kept)

    do_GET = do_POST = do_PUT = do_DELETE = serve

    def answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        """Send it."""
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    """A lost answer is a broken pipe; that is meant."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def proxy(here: Project) -> Iterator[Faults]:
    """A proxy before Nova; the project's options go through it meanwhile."""
    faults = Faults(here.connection.compute.get_endpoint())
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"faults": faults}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    before = here.cloud
    path = faults.target.path.rstrip("/")
    here.cloud = {**before, "compute_endpoint_override": f"http://127.0.0.1:{server.server_port}{path}"}
    try:
        yield faults
    finally:
        here.cloud = before
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def here() -> Iterator[Project]:
    """One project for this file."""
    with project() as made:
        yield made


@pytest.mark.parametrize("many", [True, False])
def test_refused_requests_and_lost_answers(here: Project, many: bool) -> None:
    with proxy(here) as faults:
        faults.refuse, faults.lose = 0.15, 0.15
        here.good(4, multi_create=many)
        here.check(4)
        here.good(2)
        here.check(2)
        here.good(state="absent")
        here.empty()
    assert faults.refused > 0
    assert faults.lost > 0


def test_gone_half_way_and_back(here: Project) -> None:
    with proxy(here) as faults:
        faults.down_after_posts = 2
        result = here.run(4, multi_create=False, parallel=1, retry_timeout=6)
        assert result["failed"]
        assert "come back later" in result["msg"]
        assert "server bee-3" in result["msg"]
        assert len([step for step in result["done"] if step.startswith("create server bee-")]) == 2
        faults.down_after_posts = -1
        again = here.good(4, retry_timeout=6)
        assert [step for step in again["plan"] if step.startswith("create server")] == [
            "create server bee-3: spare",
            "create server bee-4: spare",
        ]
        here.check(4)
        here.good(state="absent")
        here.empty()
