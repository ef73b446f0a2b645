"""A gateway that is only as clever as a test makes it, on real TLS over loopback."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aware_agent.ports import free_port
from aware_agent.security import pki

COLONY = "demo"


class Ask:
    """One request as the fake got it."""

    def __init__(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Any) -> None:
        self.method, self.path, self.query, self.headers, self.body = method, path, query, headers, body


class Reply:
    """What the fake answers: JSON, or ``raw`` lines; ``cut`` closes the connection after them."""

    def __init__(
        self,
        data: Any = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
        cut: bool = False,
    ) -> None:
        self.data, self.status, self.headers, self.raw, self.cut = data, status, headers or {}, raw, cut


def problem(status: int, code: str, detail: str = "no", **extra: Any) -> Reply:
    """A problem document as the gateway sends it."""
    headers = {"Retry-After": "1"} if status == 503 else {}
    return Reply({"title": code, "status": status, "detail": detail, "code": code, **extra}, status, headers)


Route = Callable[[Ask], Reply]


class Authority:
    """A CA and server certificates in files."""

    def __init__(self, directory: Path, colony: str = COLONY, key: bytes | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        now = time.time()
        ca = pki.create_ca(colony, now, key=key)
        self.ca_file = directory / "ca.crt"
        self.ca_file.write_bytes(ca.certificate)
        self.pair_file, self.worker_file = directory / "pair.pem", directory / "worker.pem"
        for file, eligible in ((self.pair_file, True), (self.worker_file, False)):
            sans = pki.node_sans(colony, "n", ["127.0.0.1"], eligible=eligible)
            leaf = pki.issue(ca, pki.make_key(), common_name="n", sans=sans, now=now)
            file.write_bytes(leaf.certificate + leaf.key)


class FakeGateway:
    """Serves ``routes`` (``"GET /v1/queen"`` to a function); what has no route is 404. Keeps what it was asked."""

    def __init__(self, authority: Authority, name: str = "demo-1", *, worker: bool = False) -> None:
        self.name = name
        self.routes: dict[str, Route] = {}
        self.asked: list[Ask] = []
        self.redirect_to = ""
        self._server = _Server(("127.0.0.1", free_port()), _handler(self))
        self.certify(authority, worker=worker)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def say(self, route: str, data: Any, status: int = 200) -> None:
        """Answer ``route`` always the same."""
        self.routes[route] = lambda _: Reply(data, status)

    def certify(self, authority: Authority, *, worker: bool = False) -> None:
        """Show a certificate of ``authority`` from the next connection on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.worker_file if worker else authority.pair_file)
        self._server.tls = context

    def paths(self) -> list[str]:
        """Method and path of every request so far."""
        return [f"{ask.method} {ask.path}" for ask in self.asked]

    def close(self) -> None:
        """Stop serving; the port refuses connections from now on."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    tls: ssl.SSLContext

    def get_request(self) -> tuple[Any, Any]:
        """Accept; the handshake is done later, by the thread of the connection."""
        raw, address = super().get_request()
        return self.tls.wrap_socket(raw, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that refuses our certificate is what some tests are about."""


def _handler(fake: FakeGateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def log_message(self, *_: Any) -> None:
            """Silent."""

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            ask = Ask(self.command, parts.path, query, dict(self.headers.items()), body)
            fake.asked.append(ask)
            self._write(_reply(fake, ask, self.path))

        def _write(self, reply: Reply) -> None:
            if reply.cut and reply.raw is None:
                self.close_connection = True
                return
            content = reply.raw if reply.raw is not None else json.dumps(reply.data).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("X-Aware-Node", fake.name)
            if reply.cut:  # a stream that breaks: more was promised than comes
                self.send_header("Content-Length", str(len(content) + 1))
                self.close_connection = True
            else:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _serve

    return Handler


def _reply(fake: FakeGateway, ask: Ask, target: str) -> Reply:
    if fake.redirect_to:
        return Reply({}, 307, {"Location": fake.redirect_to + target})
    route = fake.routes.get(f"{ask.method} {ask.path}")
    return route(ask) if route else problem(404, "not-found", f"nothing at {ask.path}")


class Colony:
    """Fakes that share a CA, and a context file that names some of them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority(directory)
        self.context_file = directory / "context.json"
        self.token_file = directory / "token"
        self.token_file.write_text("good-token\n")
        self.fakes: list[FakeGateway] = []

    def gateway(self, authority: Authority | None = None, *, worker: bool = False) -> FakeGateway:
        """One more node, of the council unless it is a ``worker``."""
        fake = FakeGateway(authority or self.authority, f"demo-{len(self.fakes) + 1}", worker=worker)
        self.fakes.append(fake)
        return fake

    def context(self, *endpoints: str) -> Path:
        """Write the context file."""
        document = {"colony": COLONY, "endpoints": list(endpoints), "ca_file": "ca.crt", "token_file": "token"}
        self.context_file.write_text(json.dumps(document))
        return self.context_file

    def close(self) -> None:
        """Stop all fakes that still serve."""
        for fake in self.fakes:
            fake.close()


@contextlib.contextmanager
def colony(directory: Path) -> Iterator[Colony]:
    """A :class:`Colony` that is closed at the end."""
    made = Colony(directory)
    try:
        yield made
    finally:
        made.close()


def node(name: str, url: str = "https://127.0.0.1:1", **changes: Any) -> dict[str, Any]:
    """A node as ``/v1/nodes`` shows it."""
    return {
        "id": f"01J00000000000000000000{name[-1] * 3}",
        "name": name,
        "address": "127.0.0.1",
        "url": url,
        "role": "worker",
        "status": "ready",
        "status_since": 1.0,
        "caste": "spare",
        "pinned": [],
        "eligible": True,
        "candidate": True,
        "priority": 100,
        "rank": None,
        "cordoned": False,
        "drained": False,
        "away": None,
        "labels": {},
        "capabilities": {"vcpus": 2, "ram_mib": 4, "disk_gib": 1, "zone": ""},
        "version": "0.1.0",
        "joined_at": 1.0,
        "process": "x",
        "origin": "broadcast",
        "config_version": 0,
        "config_applied": True,
        "revision": 7,
        **changes,
    }


def queen_document(url: str, name: str = "demo-1", term: int = 7) -> dict[str, Any]:
    """The answer of ``/v1/queen``."""
    heir = {"id": "h", "name": "demo-2"}
    return {"id": "q", "name": name, "url": url, "term": term, "since": 1.0, "heir": heir}


def cluster_document(url: str) -> dict[str, Any]:
    """The answer of ``/v1/cluster``."""
    return {
        "colony": COLONY,
        "revision": 42,
        "term": 7,
        "status": "healthy",
        "reason": "",
        "queen": queen_document(url),
        "heir": {"id": "h", "name": "demo-2"},
        "size": {"wanted": 2, "ready": 2, "suspect": 0, "dead": 0, "left": 0, "away": 0, "cordoned": 1, "total": 2},
        "castes": [{"name": "web", "wanted": 1, "assigned": ["demo-2"], "missing": 0}],
        "version": "0.1.0",
    }
