"""What a gateway's address is: one judge for settings, joins, clients and beacons. Pure.

One spelling for each address, so that comparing texts compares hosts: ``https://host:port``, host in lower case, IPv6
in brackets, the port always there. The collection has the same rules in its ``module_utils/_context.py``.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

MAX_URL = 256
# Names as DNS has them and addresses; what only looks like one of them, every resolver refuses in its own words.
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?")


def origin(url: str) -> str:
    """Where ``url`` leads, as ``https://host:port``; "" when that is no https address. A path is left out."""
    parts = _split(url)
    return _spelt(parts) if parts else ""


def gateway_url(text: str) -> str:
    """``text`` in its one spelling when it is ``https://host[:port]`` and nothing more; else ""."""
    parts = _split(text) if len(text) <= MAX_URL else None
    if parts is None or parts.path not in ("", "/") or parts.query or parts.fragment:
        return ""
    return _spelt(parts)


def host_of(url: str) -> str:
    """Host of an https address, an IPv6 address without brackets; "" when there is none."""
    parts = _split(url)
    return (parts.hostname or "") if parts and _spelt(parts) else ""


def _split(url: str) -> SplitResult | None:
    if not url.isprintable() or " " in url:
        return None
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _spelt(parts: SplitResult) -> str:
    try:
        port = 443 if parts.port is None else parts.port
    except ValueError:
        return ""
    host = parts.hostname or ""
    if parts.scheme != "https" or "@" in parts.netloc or port == 0 or not _is_host(host):
        return ""
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _is_host(text: str) -> bool:
    if ":" in text or re.fullmatch(r"[0-9.]+", text):
        try:
            return bool(ipaddress.ip_address(text))
        except ValueError:
            return False
    return len(text) <= 253 and _HOST.fullmatch(text) is not None
