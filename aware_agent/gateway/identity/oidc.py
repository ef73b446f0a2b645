"""One OpenID Connect provider: its metadata and keys, where to log in, and what a code or a token of it is worth.

Metadata and keys are kept for an hour. A key that is not known is looked for once in a while, so that a provider may
change its keys and nobody can make the gateway ask it all the time. Errors: see :mod:`.errors`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit, urlunsplit

import msgspec

from aware_agent.gateway.identity import tokens
from aware_agent.gateway.identity.errors import IdentityRefused, NoRole, ProviderUnreachable
from aware_agent.gateway.identity.requests import Requests, is_url_with_query
from aware_agent.security.providers import Identity, OidcProvider, Rule, role_of

KEEP_S = 3600.0
RETRY_S = 10.0  # so long nobody asks again after a failure, or for a key that was not there
_LOGIN_S = 900.0  # an ID token that answers a login was made since


class _Metadata(msgspec.Struct, frozen=True, kw_only=True):
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    names_itself: bool  # in its answers to the browser (RFC 9207)
    by_body: bool  # takes the client's secret in the body only


class Kept:
    """A document that is fetched when needed, by one for all who wait, and not again at once when that failed."""

    def __init__(self, fetch: Callable[[], Any], clock: Callable[[], float]) -> None:
        self._fetch, self._clock = fetch, clock
        self._value: Any = None
        self._at = float("-inf")
        self._asked = float("-inf")
        self._lock = asyncio.Lock()
        self._error: ProviderUnreachable | None = None

    async def get(self, *, fresh: bool = False) -> Any:
        """The document; ``fresh``: newer than it was, where that is not asked too often."""
        seen = self._at
        async with self._lock:
            now = self._clock()
            good = self._value is not None and 0 <= now - self._at < KEEP_S
            if good and (not fresh or self._at != seen or 0 <= now - self._asked < RETRY_S):
                return self._value
            if self._error is not None and 0 <= now - self._asked < RETRY_S:
                raise ProviderUnreachable(self._error.message, hint=self._error.hint)
            self._asked = now
            try:
                self._value, self._error = await self._fetch(), None
            except ProviderUnreachable as error:
                self._error = error
                raise
            self._at = now
            return self._value


class OidcClient:
    """Asks one provider. ``secret`` opens its client secret; ``clock`` shows Unix time."""

    def __init__(self, provider: OidcProvider, secret: Callable[[], str], clock: Callable[[], float]) -> None:
        self._provider, self._secret, self._clock = provider, secret, clock
        self._requests = Requests(provider.issuer, provider.hosts, provider.ca)
        self._metadata = Kept(self._fetch_metadata, clock)
        self._keys = Kept(self._fetch_keys, clock)

    async def close(self) -> None:
        """End all connections."""
        await self._requests.close()

    async def login_url(self, *, redirect: str, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes."""
        endpoint = str((await self._metadata.get()).authorization_endpoint)
        asked = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": redirect,
            "scope": " ".join(self._provider.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        parts = urlsplit(endpoint)
        return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(asked))))))

    async def check_sender(self, issuer: str | None) -> None:
        """That an answer to the browser is of this provider and not of another one (RFC 9207)."""
        if issuer is None and not (await self._metadata.get()).names_itself:
            return
        if issuer != self._provider.issuer:
            raise IdentityRefused("this answer is another provider's", hint="begin the login again")

    async def redeem(self, code: str, *, redirect: str, nonce: str, verifier: str) -> Identity:
        """Whom the provider named in a login."""
        metadata = await self._metadata.get()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        }
        headers = self._prove(form, by_body=metadata.by_body)
        status, document = await self._requests.document(
            "POST", metadata.token_endpoint, headers=headers, form=form, wanted=(200, 400, 401)
        )
        token = document.get("id_token")
        if status != 200 or not isinstance(token, str):
            reason = document.get("error")
            said = reason if isinstance(reason, str) and reason.isidentifier() and len(reason) < 64 else "no ID token"
            raise IdentityRefused(f"the provider did not take the login: {said}", hint="begin the login again")
        claims, everything = await self._verified(token, (self._provider.client_id,))
        if claims.azp and claims.azp != self._provider.client_id:
            raise IdentityRefused("this token was made for another client")
        if not tokens.same(claims.nonce, nonce):
            raise IdentityRefused("this token answers another login", hint="begin the login again")
        if self._clock() - claims.iat > _LOGIN_S:
            raise IdentityRefused("this token is older than the login", hint="begin the login again")
        return self._identity(claims, everything)

    async def exchange(self, token: str) -> Identity:
        """Whom a token names that a program shows."""
        if not self._provider.audiences:
            raise IdentityRefused("this provider's tokens are not exchanged", hint="an admin may set its audiences")
        claims, everything = await self._verified(token, self._provider.audiences)
        return self._identity(claims, everything)

    def _prove(self, form: dict[str, str], *, by_body: bool) -> dict[str, str]:
        """That it is our client who asks: in the header, or added to ``form``."""
        secret = self._secret()
        if secret and not by_body:
            pair = f"{quote_plus(self._provider.client_id)}:{quote_plus(secret)}"
            return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        form["client_id"] = self._provider.client_id
        if secret:
            form["client_secret"] = secret
        return {}

    async def _verified(self, token: str, audiences: tuple[str, ...]) -> tuple[tokens.Claims, dict[str, Any]]:
        shown = tokens.look(token)
        key = tokens.fitting(shown, await self._keys.get())
        if key is None:
            key = tokens.fitting(shown, await self._keys.get(fresh=True))
        if key is None:
            raise IdentityRefused("this token is signed with a key that is not the provider's")
        claims, everything = tokens.verify(shown, key)
        tokens.check_claims(claims, issuer=self._provider.issuer, audiences=audiences, now=self._clock())
        return claims, everything

    def _identity(self, claims: tokens.Claims, everything: dict[str, Any]) -> Identity:
        return judged(claims.sub, everything, self._provider.rules, everything.get(self._provider.name_claim))

    async def _fetch_metadata(self) -> _Metadata:
        url = self._provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
        _, found = await self._requests.document("GET", url)
        if found.get("issuer") != self._provider.issuer:
            raise ProviderUnreachable("the provider calls itself otherwise than the configured issuer")
        login = found.get("authorization_endpoint")  # browsers go there, this process does not
        if not isinstance(login, str) or not is_url_with_query(login):
            raise ProviderUnreachable("the provider says nowhere to log in")
        methods = found.get("token_endpoint_auth_methods_supported")
        by_body = isinstance(methods, list) and "client_secret_basic" not in methods and "client_secret_post" in methods
        return _Metadata(
            authorization_endpoint=login,
            token_endpoint=self._requests.check(found.get("token_endpoint"), "token endpoint"),
            jwks_uri=self._requests.check(found.get("jwks_uri"), "key set"),
            names_itself=found.get("authorization_response_iss_parameter_supported") is True,
            by_body=by_body,
        )

    async def _fetch_keys(self) -> list[dict[str, Any]]:
        _, found = await self._requests.document("GET", (await self._metadata.get()).jwks_uri)
        keys = found.get("keys")
        if not isinstance(keys, list):
            raise ProviderUnreachable("the provider has no key set")
        return [key for key in keys[: tokens.MAX_KEYS] if isinstance(key, dict)]


def judged(subject: str, claims: dict[str, Any], rules: tuple[Rule, ...], display: object) -> Identity:
    """What the rules make of a user. Raises :class:`NoRole`."""
    role = role_of(rules, claims)
    if role is None:
        raise NoRole("you are known, and no rule of this provider gives you a role", hint="ask an admin for one")
    shown = display if isinstance(display, str) and display.isprintable() else ""
    return Identity(subject=subject, role=role, display=shown[:128])


def challenge(verifier: str) -> str:
    """What a verifier is announced by (RFC 7636, S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
