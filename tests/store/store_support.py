"""A TCP proxy that can be told to misbehave, certificates, and bounded waiting."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from aware_agent.store.connections import Credentials
from aware_agent.store.embedded import TlsFiles

WAIT_S = 30.0  # generous: a busy machine must not fail a test, a hang must


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str = "the condition") -> None:
    """Wait until ``condition`` holds; fail after a generous time."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        result = condition()
        if await result if not isinstance(result, bool) else result:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{what} did not come true in {WAIT_S:g} s")


class Proxy:
    """Forwards TCP to one target. ``frozen``: connections stay open and silent. ``mute``: replies are swallowed.

    :meth:`mute_present` and :meth:`freeze_present` do so to the connections there are, not to those that come.
    """

    def __init__(self, target: str) -> None:
        host, port = target.rsplit(":", 1)
        self._target = host, int(port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0
        self._frozen: set[int] = set()
        self._muted: set[int] = set()
        self._serial = 0
        self.frozen = False
        self.mute = False

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Proxy:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def open(self) -> None:
        """Accept connections (again, at the same port)."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def freeze_present(self) -> None:
        """Black-hole what is connected now."""
        self._frozen = set(range(self._serial))

    def mute_present(self) -> None:
        """Swallow the replies on what is connected now."""
        self._muted = set(range(self._serial))

    async def cut(self) -> None:
        """Break all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for _ in range(5):  # one that was accepted a moment ago is served only now, and would be left open otherwise
            await asyncio.sleep(0)
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        number, self._serial = self._serial, self._serial + 1
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            self._writers.add(far_writer)
            try:
                await asyncio.gather(
                    self._pump(number, reader, far_writer, lambda: False),
                    self._pump(number, far_reader, writer, lambda: self.mute or number in self._muted),
                )
            finally:
                self._writers.discard(far_writer)
                far_writer.transport.abort()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, swallow: Callable[[], bool]
    ) -> None:
        while data := await reader.read(65536):
            while self.frozen or number in self._frozen:
                await asyncio.sleep(0.02)
            if swallow():
                continue
            writer.write(data)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        raise ConnectionResetError


class Authority:
    """A throw-away CA that writes files and credentials."""

    def __init__(self, directory: Path) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test CA")])
        self._cert = self._build(self._name, self._key.public_key(), ca=True)
        self.ca = self._pem(self._cert)

    def credentials(self, common_name: str) -> Credentials:
        """Client credentials whose CN is ``common_name``."""
        cert, key = self._issue(common_name)
        return Credentials(ca=self.ca, cert=cert, key=key)

    def server_files(self) -> TlsFiles:
        """Certificate and key of an etcd on loopback."""
        cert, key = self._issue("etcd")
        files = TlsFiles(
            ca=self._directory / "ca.crt", cert=self._directory / "etcd.crt", key=self._directory / "etcd.key"
        )
        for path, data in ((files.ca, self.ca), (files.cert, cert), (files.key, key)):
            path.write_bytes(data)
        return files

    def _issue(self, common_name: str) -> tuple[bytes, bytes]:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self._pem(self._build(name, key.public_key(), ca=False)), pem

    def _build(self, name, public_key, *, ca):  # type: ignore[no-untyped-def]
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
            usage = [x509.ExtendedKeyUsageOID.SERVER_AUTH, x509.ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    @staticmethod
    def _pem(cert) -> bytes:  # type: ignore[no-untyped-def]
        from cryptography.hazmat.primitives import serialization

        return cert.public_bytes(serialization.Encoding.PEM)
