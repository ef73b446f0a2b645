"""A receiver of webhooks on loopback that behaves as a test says: takes, refuses, hangs, resets, never ends."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

RESET, HANG, ENDLESS = -1, -2, -3
HANG_S = 60.0


class Call(NamedTuple):
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Of the event."""
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        """The event."""
        found: dict[str, Any] = json.loads(self.body)["data"]
        return found


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Callers hang up, or are killed: not worth a word."""


class Receiver:
    """``behave`` is asked with each call and says the status, or one of the above. ``taken`` are those answered 2xx."""

    def __init__(self, behave: Callable[[Call], int] = lambda _: 204, tls: ssl.SSLContext | None = None) -> None:
        self.behave = behave
        self.calls: list[Call] = []
        self.taken: list[Call] = []
        self.headers: dict[str, str] = {}  # of the answer
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    def ids(self) -> list[str]:
        """Events that were taken, each where it came first."""
        with self._lock:
            return list(dict.fromkeys(call.id for call in self.taken))

    @contextlib.contextmanager
    def running(self) -> Iterator[Receiver]:
        """Listen until the end."""
        self._thread.start()
        try:
            yield self
        finally:
            self._over.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def _take(self, call: Call) -> int:
        with self._lock:
            self.calls.append(call)
            status = self.behave(call)
            if 200 <= status < 300:
                self.taken.append(call)
            return status

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                with contextlib.suppress(OSError):
                    length = int(self.headers["content-length"])
                    body = self.rfile.read(length)
                    if len(body) < length:  # who called was killed in the middle of it
                        self.close_connection = True
                        return
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    self._answer(receiver._take(Call(headers, body)))

            def _answer(self, status: int) -> None:
                if status == RESET:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                elif status == HANG:
                    receiver._over.wait(HANG_S)
                    self.close_connection = True
                elif status == ENDLESS:
                    self._endless()
                else:
                    self.send_response(status)
                    for name, value in receiver.headers.items():
                        self.send_header(name, value)
                    said = b"" if status == 204 else b"thank you"
                    self.send_header("content-length", str(len(said)))
                    self.end_headers()
                    self.wfile.write(said)

            def _endless(self) -> None:
                self.send_response(200)
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                while not receiver._over.is_set():
                    self.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
