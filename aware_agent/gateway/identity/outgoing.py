"""Requests from the gateway to identity providers: to named hosts, verified, no redirects, bounded.

Whatever leads to one, a stranger's login or a token with an unknown key, costs the provider and this process little.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.gateway.errors import Busy
from aware_agent.gateway.identity.errors import ProviderUnreachable
from aware_agent.security.providers import is_url

REQUEST_S = 10.0
MAX_ANSWER = 1 << 20
MAX_WAITING = 32
_AT_ONCE = 4


class Outgoing:
    """A client for one provider. ``hosts`` are ``host`` or ``host:port``, beside that of ``url``."""

    def __init__(self, url: str, hosts: tuple[str, ...], ca: str) -> None:
        self._hosts = {_place(url), *(_place(f"https://{host}") for host in hosts)}
        self._ca = ca
        self._client: httpx.AsyncClient | None = None
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
        if self._client is not None:
            await self._client.aclose()

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
        # RuntimeError: the client was closed under it, as its provider changed.
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, RuntimeError) as error:
            raise ProviderUnreachable(f"the identity provider cannot be reached: {type(error).__name__}") from error
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
        if self._closed:
            raise ProviderUnreachable("the identity provider was changed meanwhile", hint="begin again")
        if self._client is None:
            trust = await asyncio.to_thread(_trust, self._ca)
            self._client = httpx.AsyncClient(verify=trust, trust_env=False, follow_redirects=False, timeout=REQUEST_S)
        headers["accept"] = "application/json"
        async with self._client.stream(method, url, headers=headers, data=form) as answer:
            raw = bytearray()
            async for piece in answer.aiter_bytes():
                raw += piece
                if len(raw) > MAX_ANSWER:
                    raise ProviderUnreachable(f"the identity provider answered with more than {MAX_ANSWER} bytes")
            return answer.status_code, bytes(raw)


def _trust(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=ca or None)
    except (ssl.SSLError, ValueError) as error:
        raise ProviderUnreachable("the provider's CA cannot be read", hint="PEM, in its field ca") from error


def is_url_with_query(url: str) -> bool:
    """As :func:`is_url`; endpoints may have a query."""
    return is_url(url.partition("?")[0])


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
