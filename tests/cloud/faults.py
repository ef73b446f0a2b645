"""A proxy between openstack_cluster and one service of the cloud.

It fails, loses answers, goes away, or lets a test act in between.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from provisioning import Project


class Faults:
    """What the proxy does to requests. ``refuse``: 503, Nova is not asked; ``lose``: Nova acts, nobody hears of it."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.chance = random.Random(11)
        self.refuse = self.lose = 0.0
        self.down_after_posts = -1  # so many creations, then 503 for everything
        self.burst_s = 0.0  # after the first creation, 503 for everything for so long
        self.before_post: Callable[[int], None] = lambda number: None
        self.posts = self.refused = self.lost = 0
        self._burst_end = 0.0

    def verdict(self, method: str, path: str) -> str:
        """pass, refuse or lose."""
        if self.down_after_posts >= 0 and self.posts > self.down_after_posts:
            self.refused += 1
            return "refuse"
        if self.posts and self.burst_s:
            self._burst_end, self.burst_s = time.monotonic() + self.burst_s, 0.0
            return "pass"
        if time.monotonic() < self._burst_end:
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
            faults.before_post(faults.posts)
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
def proxy(
    here: Project, service: str = "compute", before_post: Callable[[int], None] = lambda number: None
) -> Iterator[Faults]:
    """A proxy before Nova (or ``network``: Neutron); the project's options go through it meanwhile.

    ``before_post`` is called with 1, 2, ... before each request that creates servers is passed on.
    """
    faults = Faults(getattr(here.connection, service).get_endpoint())
    faults.before_post = before_post
    server = Server(("127.0.0.1", 0), type("Bound", (Handler,), {"faults": faults}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    before = here.cloud
    path = faults.target.path.rstrip("/")
    here.cloud = {**before, f"{service}_endpoint_override": f"http://127.0.0.1:{server.server_port}{path}"}
    try:
        yield faults
    finally:
        here.cloud = before
        server.shutdown()
        server.server_close()
