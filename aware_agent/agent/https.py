"""The smallest HTTPS client a newcomer needs, on the standard library: it runs once, before anything else is loaded.

Every exchange is bounded in time as a whole (not only between two bytes) and in size.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

DEFAULT_PORT = 443
_CANNOT_COME_FROM_THERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL)


class Reply(NamedTuple):
    """What came back. Header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Unreachable(Exception):
    """No usable answer; the text says why in a few words. The request may have arrived."""


class Untrusted(Exception):
    """TLS refused the other side's certificate: nothing was sent. ``verify_code`` is OpenSSL's."""

    def __init__(self, verify_code: int, reason: str) -> None:
        super().__init__(reason)
        self.verify_code = verify_code


def anonymous_context() -> ssl.SSLContext:
    """TLS that believes nothing: only for fetching a CA certificate that is then compared with a pin."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def trusting_context(ca: bytes, *, named: bool = True) -> ssl.SSLContext:
    """TLS that believes this CA (PEM) alone. Without ``named`` any of its certificates will do: show no credential."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = named
    context.load_verify_locations(cadata=ca.decode("ascii"))
    return context


def exchange(
    method: str,
    url: str,
    *,
    context: ssl.SSLContext,
    server_name: str,
    timeout_s: float,
    limit: int,
    body: bytes | None = None,
    source: str = "",
    token: str = "",
    trace: str = "",
) -> Reply:
    """One request on a connection of its own; ``server_name`` is what the certificate must be for.

    ``token``: a bearer token, for a server that proved a name that only those have who may see it.
    ``trace``: a ``traceparent``.
    ``source``: the address to come from, where this machine has it. The other side may know us by it.
    Blocking: call it in a thread. Raises :class:`Unreachable` and :class:`Untrusted`.
    """
    host, port, path = _split(url)
    connection = _Connection(host, port, context, server_name, timeout_s, source=source)
    guard = threading.Timer(timeout_s, connection.abort)
    guard.daemon = True
    guard.start()
    try:
        headers = {"Accept": "application/json", **({"Content-Type": "application/json"} if body else {})}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"traceparent": trace} if trace else {}
        connection.request(method, path, body=body, headers=headers)
        # Closed by hand: a response cut off at the limit would keep the socket open.
        with contextlib.closing(connection.getresponse()) as response:
            content = response.read(limit + 1)
            missing = response.length if len(content) <= limit else 0
    except ssl.SSLCertVerificationError as error:
        raise Untrusted(error.verify_code, error.verify_message) from error
    except OSError as error:
        raise Unreachable(error.strerror or str(error) or type(error).__name__) from error
    except (http.client.HTTPException, ValueError) as error:  # ValueError: a host or path that cannot be sent
        raise Unreachable(f"no HTTP answer ({type(error).__name__})") from error
    finally:
        guard.cancel()
        connection.close()
    if len(content) > limit:
        raise Unreachable(f"an answer of more than {limit} bytes")
    if connection.aborted or missing:  # http.client takes the end of the connection for the end of the answer
        raise Unreachable(f"no whole answer within {timeout_s:.1f} s" if connection.aborted else "an answer cut short")
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, content)


def _split(url: str) -> tuple[str, int, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError as error:
        raise Unreachable("not an address") from error
    if parts.scheme != "https" or not host:
        raise Unreachable("not an https address")
    return host, port, parts.path or "/"


class _Connection(http.client.HTTPConnection):
    """HTTP over TLS where the name in the certificate need not be the name in the URL."""

    def __init__(
        self, host: str, port: int, context: ssl.SSLContext, server_name: str, timeout_s: float, *, source: str
    ) -> None:
        super().__init__(host, port, timeout=timeout_s)
        self._context = context
        self._server_name = server_name
        self._source = source
        self.aborted = False

    def connect(self) -> None:
        """Connect and shake hands; the socket is in place before, so that ``abort`` can end a slow handshake."""
        raw = self._dial()
        secure = self._context.wrap_socket(
            raw,
            server_hostname=self._server_name or None,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,  # who cuts the wire must not choose where an answer ends
        )
        self.sock = secure
        secure.do_handshake()

    def _dial(self) -> socket.socket:
        if self._source:
            try:
                return socket.create_connection((self.host, self.port), self.timeout, (self._source, 0))
            except OSError as error:
                if not isinstance(error, socket.gaierror) and error.errno not in _CANNOT_COME_FROM_THERE:
                    raise
        return socket.create_connection((self.host, self.port), self.timeout)

    def abort(self) -> None:
        """Cut the connection from another thread; whoever reads from it sees its end at once."""
        self.aborted = True
        with contextlib.suppress(OSError, AttributeError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
