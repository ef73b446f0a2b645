"""Requests from the gateway to identity providers: to named hosts, verified, no redirects, bounded.

Whatever leads to one, a stranger's login or a token with an unknown key, costs the provider and this process little.
An admin said where providers are, so private networks count; clouds' metadata services never do.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from aware_agent import __version__, outgoing
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.gateway.errors import Busy
from aware_agent.gateway.identity.errors import ProviderUnreachable
from aware_agent.security.providers import REACH, is_url

REQUEST_S = 10.0
MAX_ANSWER = 1 << 20
MAX_WAITING = 32
_AT_ONCE = 4


class Requests:
    """Requests to one provider. ``hosts`` are ``host`` or ``host:port``, beside that of ``url``."""

    def __init__(self, url: str, hosts: tuple[str, ...], ca: str) -> None:
        self._hosts = {_place(url), *(_place(f"https://{host}") for host in hosts)}
        self._ca = ca
        self._calls: outgoing.Calls | None = None
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._closed = False

    def check(self, url: object, what: str) -> str:
        """``url`` when requests may go there. Raises :class:`ProviderUnreachable`."""
        if not isinstance(url, str) or not is_url_with_query(url) or _place(url) not in self._hosts:
            raise ProviderUnreachable(
                f"the provider's {what} is not at one of its hosts", hint="name further ones in its field hosts"
            )
        return url

    async def close(self) -> None:
        """End all connections."""
        self._closed = True
        if self._calls is not None:
            await self._calls.aclose()

    async def document(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        wanted: tuple[int, ...] = (200,),
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of an answer. Raises :class:`ProviderUnreachable`, and Busy when too many wait."""
        self.check(url, "address")
        if self._waiting >= MAX_WAITING:
            raise Busy("too many requests to the identity provider wait already", retry_after=5)
        self._waiting += 1
        try:
            async with asyncio.timeout(REQUEST_S), self._slots:
                status, raw = await self._exchange(method, url, dict(headers or {}), form)
        except TimeoutError:
            raise ProviderUnreachable(f"the identity provider did not answer within {REQUEST_S:.0f} s") from None
        except outgoing.CallRefused as refused:  # a stranger may have asked: addresses are nothing for him
            raise ProviderUnreachable(
                "the identity provider's name means an address that is never asked",
                hint="a cloud's metadata service, a link-local or a multicast address is no provider",
            ) from refused
        except outgoing.CallFailed as error:
            raise ProviderUnreachable("the identity provider cannot be reached") from error
        finally:
            self._waiting -= 1
        if status not in wanted:
            raise ProviderUnreachable(f"the identity provider answered with {status}")
        try:
            return status, from_json(raw, dict[str, Any])
        except UNDECODABLE:
            raise ProviderUnreachable("the identity provider did not answer with JSON") from None

    async def _exchange(
        self, method: str, url: str, headers: dict[str, str], form: Mapping[str, str] | None
    ) -> tuple[int, bytes]:
        if self._calls is None:
            trust = await asyncio.to_thread(_trust, self._ca)
            self._calls = self._calls or outgoing.Calls(REACH, trust, at_once=_AT_ONCE)  # another may have been faster
        if self._closed:
            raise ProviderUnreachable("the identity provider was changed meanwhile", hint="begin again")
        headers |= {"accept": "application/json", "user-agent": f"aware/{__version__}"}
        if form is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        body = urlencode(form).encode() if form else b""
        came = await self._calls.exchange(method, url, headers, body, at_most=MAX_ANSWER + 1)
        if len(came.body) > MAX_ANSWER:
            raise ProviderUnreachable(f"the identity provider answered with more than {MAX_ANSWER} bytes")
        return came.status, came.body


def _trust(ca: str) -> ssl.SSLContext:
    try:
        return outgoing.trust(ca)
    except outgoing.CallRefused as error:
        raise ProviderUnreachable("the provider's CA cannot be read", hint="PEM, in its field ca") from error


def is_url_with_query(url: str) -> bool:
    """As :func:`is_url`; endpoints may have a query."""
    return is_url(url.partition("?")[0])


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
