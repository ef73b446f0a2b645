"""Receivers of syslog over TLS: rsyslog itself, and one of our own that can behave badly."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import eventually
from tests.tls_support import server_pair

RSYSLOGD = shutil.which("rsyslogd") or shutil.which("rsyslogd", path="/usr/sbin")
needs_rsyslog = pytest.mark.skipif(
    RSYSLOGD is None or not list(Path("/usr/lib").glob("*/rsyslog/lmnsd_gtls.so")),
    reason="needs rsyslog and rsyslog-gnutls",
)
_DOCS = Path(__file__).parents[1] / "docs" / "audit.md"
_RAW = """
template(name="raw" type="string" string="%rawmsg%\\n")
global(workDirectory="{home}")
"""


def _configuration(home: Path, port: int) -> str:
    """What docs/audit.md says, with files below ``home``, and beside it what came as it came."""
    (block,) = re.findall(r"```sh\n(global\(.*?)```", _DOCS.read_text(), flags=re.DOTALL)
    for there in ("/etc/rsyslog.d/", "/var/log/aware-"):
        assert there in block
        block = block.replace(there, f"{home}/")
    raw = f'  action(type="omfile" file="{home}/raw" template="raw")\n}}'
    assert "\n}" in block
    assert 'port="6514"' in block
    block = block.replace("\n}", f"\n{raw}").replace('port="6514"', f'address="127.0.0.1" port="{port}"')
    return _RAW.format(home=home) + block


class Rsyslog:
    """The real one, with its file of messages; :meth:`stop` and :meth:`start` as often as a test likes."""

    def __init__(self, home: Path, port: int) -> None:
        self.port, self.file, self.raw = port, home / "audit.jsonl", home / "raw"
        self.ca, _certificate, _key = server_pair(home, "localhost")
        (home / "ca.pem").write_bytes(self.ca.read_bytes())
        self._configuration, self._pid = home / "rsyslog.conf", home / "pid"
        self._configuration.write_text(_configuration(home, port))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        assert RSYSLOGD is not None
        self._process = subprocess.Popen([RSYSLOGD, "-n", "-f", self._configuration, "-i", self._pid])
        eventually(self._listens, "rsyslog does not listen")

    def kill(self) -> None:
        """As when its host dies."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def lines(self) -> list[bytes]:
        """What it has, in the order it came."""
        return self.file.read_bytes().splitlines() if self.file.exists() else []

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1.0):
            return True
        return False

    @contextlib.contextmanager
    def running(self) -> Iterator[Rsyslog]:
        """Until the end."""
        self.start()
        try:
            yield self
        finally:
            self.kill()


class Receiver:
    """Reads frames of RFC 5425 strictly. ``breaks``: so many connections are reset after their first frame.

    ``clients``: the CA whose certificates it wants to see.
    """

    def __init__(self, pair: Path, key: Path | None = None, *, breaks: int = 0, clients: Path | None = None) -> None:
        self.messages: list[bytes] = []
        self.connections = self.broken = 0
        self.trouble: list[str] = []
        self._breaks = breaks
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair, key)
        if clients is not None:
            self._context.load_verify_locations(clients)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    @contextlib.contextmanager
    def running(self) -> Iterator[Receiver]:
        """Until the end."""
        threading.Thread(target=self._serve, daemon=True).start()
        try:
            yield self
        finally:
            self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(raw,), daemon=True).start()

    def _one(self, raw: socket.socket) -> None:
        try:
            with self._context.wrap_socket(raw, server_side=True) as connection, connection.makefile("rb") as stream:
                while True:
                    length = b""
                    while not length.endswith(b" "):
                        digit = stream.read(1)
                        if not digit:
                            return
                        length += digit
                    assert re.fullmatch(rb"[1-9][0-9]*", length[:-1]), length
                    if self.broken < self._breaks:
                        self.broken += 1
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return
                    self.messages.append(stream.read(int(length)))
        except (OSError, AssertionError) as error:
            self.trouble.append(str(error))
