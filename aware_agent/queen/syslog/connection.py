"""One connection to a syslog receiver, over TLS. Blocking: for a process that does nothing else.

Syslog has no acknowledgement (RFC 5425, section 5.5 leaves it to others). What can be known is what the receiver's host
acknowledged, which the kernel tells (``SIOCOUTQ``), and that the connection stood.
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import socket
import ssl
import termios
from types import TracebackType

from aware_agent.colony.errors import AwareError
from aware_agent.outgoing import CallFailed, addresses
from aware_agent.queen.syslog.messages import Begin

CONNECT_S = 10.0
STALL_MS = 30_000  # the receiver's host acknowledged nothing for so long: the kernel gives the connection up
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 4))


class ReceiverClosed(AwareError):
    """The receiver ended the connection, or says something, which no receiver of syslog does."""

    code = "receiver-closed"
    status = 502


class Connection:
    """Open while it is entered. Every method raises OSError (TLS and time-outs among them) or AwareError."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    def __enter__(self) -> Connection:
        """Connect, to an address that was judged, and verify whom that is."""
        begin = self._begin
        context = _context(begin)
        try:
            self._socket = context.wrap_socket(self._connected(), server_hostname=begin.host)
        except ssl.SSLCertVerificationError as error:
            raise CallFailed(f"its certificate is not to be believed: {error.verify_message}") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Hand all of it to the kernel."""
        self._socket.sendall(data)

    def unacknowledged(self) -> int:
        """Bytes that the receiver's host has not acknowledged."""
        told = array.array("i", [0])
        fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, told)
        return told[0]

    def look(self) -> None:
        """Raise when the other end is gone."""
        self._socket.setblocking(False)
        try:
            said = self._socket.recv(1)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        finally:
            self._socket.settimeout(STALL_MS / 1000)
        raise ReceiverClosed("the receiver said something" if said else "the receiver closed the connection")

    def _connected(self) -> socket.socket:
        """Raises the last address's error when none answers."""
        begin, trouble = self._begin, OSError(f"{self._begin.host} has no address")
        for address in asyncio.run(addresses(begin.host, begin.port, begin.reach)):
            try:
                made = socket.create_connection((address, begin.port), timeout=CONNECT_S)
            except OSError as error:
                trouble = error
                continue
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALL_MS)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE:
                made.setsockopt(socket.IPPROTO_TCP, option, value)
            return made
        raise CallFailed(trouble.strerror or str(trouble)) from None


def _context(begin: Begin) -> ssl.SSLContext:
    """Whom to believe and who we are, as the files have it now."""
    try:
        context = ssl.create_default_context(cafile=begin.ca_file or None)
    except OSError:
        raise CallFailed("audit.syslog_ca_file is no file of certificates that can be read") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if begin.certificate_file:
        try:
            context.load_cert_chain(begin.certificate_file, begin.key_file)
        except OSError:
            raise CallFailed("audit.syslog_certificate_file and syslog_key_file are no pair that can be read") from None
    return context
