"""One look at a gateway: who answers there, with which certificate, at what time, and how it says it is.

No credential is shown, so nothing is believed but what is public; TLS is verified with the CAs of the colony.
"""

from __future__ import annotations

import email.utils
import socket
import ssl
import time
from typing import Any, NamedTuple

import httpx

from aware_agent.cli.reasons import reason_of
from aware_agent.colony.decoding import UNDECODABLE, json_to_show

LOOK_S = 5.0
MOST_BYTES = 8 << 20
_SILENT = "it does not answer"


class Shown(NamedTuple):
    """A certificate as TLS verified it: Unix seconds and what it names."""

    begins: float
    ends: float
    names: tuple[str, ...]


class Look(NamedTuple):
    """``trouble``: why there is nothing else. ``ahead_s``: its clock before ours; ``segment``: bytes of a TCP segment.

    ``page``: its readiness, ``ready`` the reason why it is not; "" when it is.
    """

    trouble: str = ""
    ahead_s: float | None = None
    segment: int | None = None
    certificate: Shown | None = None
    ready: str = ""
    page: dict[str, Any] = {}  # noqa: RUF012 - never changed


def look(url: str, tls: ssl.SSLContext) -> Look:
    """Read ``/readyz`` of the gateway at ``url``. Raises nothing."""
    try:
        with httpx.Client(verify=tls, trust_env=False, follow_redirects=False, timeout=LOOK_S) as http:
            before = time.time()
            with http.stream("GET", f"{url}/readyz") as answer:
                now = (before + time.time()) / 2
                stream = answer.extensions["network_stream"]
                certificate = _shown(stream.get_extra_info("ssl_object"))
                segment = _segment(stream.get_extra_info("socket"))
                body = _bounded(answer, MOST_BYTES)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Look(trouble=reason_of(error) or _SILENT)
    page = _page(body)
    ready = "" if page.get("ready") is True else str(page.get("reason") or f"it answers {answer.status_code}")[:200]
    return Look("", _ahead(answer.headers.get("date", ""), now), segment, certificate, ready, page)


def fetch_text(url: str, path: str, tls: ssl.SSLContext, *, most: int = MOST_BYTES, limit_s: float = LOOK_S) -> str:
    """What ``path`` of ``url`` holds, cut at ``most`` bytes. Raises httpx.HTTPError, also for a status of 4xx."""
    with (
        httpx.Client(verify=tls, trust_env=False, follow_redirects=False, timeout=limit_s) as http,
        http.stream("GET", url + path) as answer,
    ):
        answer.raise_for_status()
        return _bounded(answer, most).decode(errors="replace")


def arrives(url: str, path: str, tls: ssl.SSLContext) -> bool:
    """Whether all of ``path`` comes through."""
    try:
        fetch_text(url, path, tls)
    except httpx.HTTPStatusError:
        return True  # an answer as well
    except httpx.HTTPError:
        return False
    return True


def _bounded(answer: httpx.Response, most: int) -> bytes:
    body = bytearray()
    for chunk in answer.iter_raw():
        body += chunk
        if len(body) > most:
            break
    return bytes(body[:most])


def _page(body: bytes) -> dict[str, Any]:
    try:
        page = json_to_show(body)
    except UNDECODABLE:
        return {}
    return page if isinstance(page, dict) else {}


def _ahead(date: str, now: float) -> float | None:
    """Seconds the sender of ``date`` is ahead. Dates are cut to whole seconds: half of one is what that costs."""
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() + 0.5 - now
    except (ValueError, TypeError, OverflowError):
        return None


def _segment(sock: Any) -> int | None:
    try:
        return int(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
    except (OSError, AttributeError, TypeError):
        return None


def _shown(tls: Any) -> Shown | None:
    found = tls.getpeercert() if tls is not None else None
    if not found:
        return None
    names = tuple(str(value) for kind, value in found.get("subjectAltName", ()) if kind in ("DNS", "IP Address"))
    return Shown(ssl.cert_time_to_seconds(found["notBefore"]), ssl.cert_time_to_seconds(found["notAfter"]), names)
