"""A package index over TLS, as a company runs one: a directory of wheels, in the form of PEP 503.

python -m tests.package_index WHEELS ADDRESS PORT DIRECTORY    until its input ends; DIRECTORY/ca.crt is its CA
"""

from __future__ import annotations

import contextlib
import re
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aware_agent.security import pki


def project_of(wheel: str) -> str:
    """The normalized name of a wheel's project."""
    return re.sub(r"[-_.]+", "-", wheel.split("-", maxsplit=1)[0]).lower()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wheels: Path

    def do_GET(self) -> None:
        match self.path.strip("/").split("/"):
            case ["simple", project]:
                names = sorted(file.name for file in self.wheels.glob("*.whl") if project_of(file.name) == project)
                links = "".join(f'<a href="/wheels/{name}">{name}</a>\n' for name in names)
                self._answer(HTTPStatus.OK if names else HTTPStatus.NOT_FOUND, links.encode(), "text/html")
            case ["wheels", name] if (self.wheels / name).is_file():
                self._answer(HTTPStatus.OK, (self.wheels / name).read_bytes(), "application/zip")
            case _:
                self._answer(HTTPStatus.NOT_FOUND, b"", "text/html")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def package_index(wheels: Path, address: str, port: int, work: Path, name: str) -> Iterator[tuple[str, str]]:
    """Serve ``wheels``; gives the index's URL and the certificate of the CA that signed it, as PEM.

    Those who ask know ``address`` as ``name``: pip 25 verifies no certificate of a bare address.
    """
    ca = pki.create_ca("index", time.time())
    pair = pki.issue(ca, pki.make_key(), common_name="index", sans=[name], now=time.time())
    file = work / "index.pem"
    file.touch(mode=0o600)
    file.write_bytes(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with ThreadingHTTPServer((address, port), type("Handler", (_Handler,), {"wheels": wheels})) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"https://{name}:{port}/simple", ca.certificate.decode()
        finally:
            server.shutdown()
            thread.join()


def main(wheels: str, address: str, port: str, directory: str, name: str) -> None:
    """Serve until standard input ends."""
    with package_index(Path(wheels), address, int(port), Path(directory), name) as (url, ca):
        Path(directory, "ca.crt").write_text(ca)
        print(url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
