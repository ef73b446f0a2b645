"""One TCP socket that listens, for the gateway and for channels: whatever is wrong with the port is one clear line."""

from __future__ import annotations

import errno
import ipaddress
import socket

from aware_agent.colony.errors import AddressMissing, AwareError, InvalidInput, PortInUse

_BACKLOG = 1024


def listen(host: str, port: int, section: str, *, silence_s: float = 60.0) -> socket.socket:
    """A socket that listens on ``host``, an IP address; port 0 picks a free one. ``section`` of the settings is named
    in what is wrong. Whoever takes no byte for ``silence_s`` is cut off.

    Raises :class:`PortInUse`, AddressMissing for an address that may still come, InvalidInput for what never works.
    """
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        raise InvalidInput(f"{section}: {host!r} is not an IP address to listen on", field=f"{section}.bind") from None
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by connections: whoever takes no byte for so long is gone, whatever its kernel says.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(silence_s * 1000))
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _refused(error, host, port, section) from error
    listener.setblocking(False)
    return listener


def _refused(error: OSError, host: str, port: int, section: str) -> AwareError:
    if error.errno == errno.EADDRINUSE:
        return PortInUse(f"port {port} on {host} is in use by another process", hint=f"choose another [{section}] port")
    if error.errno == errno.EADDRNOTAVAIL:
        return AddressMissing(
            f"no interface of this machine has {host} now",
            hint=f"it is tried again; or correct address, or {section}.bind",
        )
    why = error.strerror or "error"
    return InvalidInput(f"cannot listen on {host} port {port}: {why}", field=f"{section}.port")
