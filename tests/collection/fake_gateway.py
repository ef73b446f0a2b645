"""A stand-in for one member of a colony, as a process of its own: real sockets, real TLS, kill-able.

``python fake_gateway.py DIRECTORY PORT`` serves what DIRECTORY/state.json says, read anew for each request:
``role`` queen|worker|lost|torn|slow|broken, ``queen`` (base URL workers redirect to), ``routes`` ("GET /v1/x" ->
[status, document]), ``council`` (what it says at /v1/council), ``etag``, ``inventory`` (name of a file with the
document). Each request becomes a line in requests.log: method, path, whether a token came, If-None-Match, body.
"""

from __future__ import annotations

import gzip
import json
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FOLDER = Path(sys.argv[1])


class Member(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Silent: the tests read requests.log."""

    def _answer(self) -> None:
        state = json.loads((FOLDER / "state.json").read_text())
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode() if length else ""
        self._note(body)
        if self.path == "/v1/council" and "council" in state:
            return self._send(200, {"colony": "demo", "term": 1, **state["council"]}, {})
        role = state.get("role", "queen")
        if role == "worker":
            return self._send(307, {"title": "elsewhere"}, {"Location": state["queen"] + self.path})
        if role == "lost":
            return self._send(503, {"detail": "there is no queen now", "code": "no-queen"}, {"Retry-After": "1"})
        if role == "broken":
            return self._send(200, b"{ no json", {})
        if role == "slow":
            time.sleep(30)
        return self._as_queen(state, role)

    def _note(self, body: str) -> None:
        line = [
            self.command,
            self.path,
            bool(self.headers.get("Authorization")),
            self.headers.get("If-None-Match"),
            self.headers.get("If-Match"),
            body,
        ]
        with (FOLDER / "requests.log").open("a") as log:
            log.write(json.dumps(line) + "\n")

    def _as_queen(self, state: dict[str, Any], role: str) -> None:
        if state.get("token") and self.headers.get("Authorization") != "Bearer " + state["token"]:
            return self._send(401, {"detail": "this token is not valid", "code": "unauthorized"}, {})
        route = state.get("routes", {}).get(f"{self.command} {self.path}")
        if route:
            return self._send(route[0], route[1], {})
        if self.path == "/v1/inventory" and "inventory" in state:
            if state.get("etag") and self.headers.get("If-None-Match") == state["etag"]:
                return self._send(304, b"", {"ETag": state["etag"]})
            return self._send(
                200, (FOLDER / state["inventory"]).read_bytes(), {"ETag": state.get("etag", '"0"')}, torn=role == "torn"
            )
        return self._send(404, {"detail": "no such thing", "code": "not-found"}, {})

    def _send(self, status: int, document: Any, headers: dict[str, str], *, torn: bool = False) -> None:
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        if "gzip" in self.headers.get("Accept-Encoding", "") and len(raw) > 500:
            raw = gzip.compress(raw, 1)
            self.send_header("Content-Encoding", "gzip")
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if torn:
            raw = raw[: len(raw) // 2]
            self.close_connection = True
        self.wfile.write(raw)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the game."""


def main() -> None:
    server = Server(("127.0.0.1", int(sys.argv[2])), Member)
    if (FOLDER / "server.pem").exists():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(FOLDER / "server.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    (FOLDER / "ready").touch()
    server.serve_forever()


if __name__ == "__main__":
    main()
