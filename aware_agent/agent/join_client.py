"""One gateway's door, as a newcomer meets it: who is behind it, and may we come in?

Blocking, on the standard library: it runs in a thread.
"""

from __future__ import annotations

import email.utils
import ssl
from collections.abc import Callable
from urllib.parse import urljoin

import msgspec

from aware_agent.agent.council import council_urls
from aware_agent.agent.https import Reply, Unreachable, Untrusted, anonymous_context, exchange, trusting_context
from aware_agent.colony.addresses import AddressRefused
from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.colony.names import council_host
from aware_agent.colony.numbers import whole
from aware_agent.discovery.errors import ClockSkew
from aware_agent.discovery.replay import WINDOW_S
from aware_agent.security import pki
from aware_agent.security.joining import (
    CA_PATH,
    JOIN_PATH,
    MAX_ANSWER_BYTES,
    CaPinMismatch,
    JoinAnswer,
    JoinFailed,
    JoinRequest,
    KeyDenied,
    NameTaken,
    ThroughBalancer,
    parse_join_answer,
    parse_problem,
)
from aware_agent.security.token import JoinToken, TokenRefused

MAX_REDIRECTS = 3
# OpenSSL's names for these are X509_V_ERR_CERT_NOT_YET_VALID, _CERT_HAS_EXPIRED and _HOSTNAME_MISMATCH.
_NOT_YET_VALID, _EXPIRED, _OTHER_NAME = 9, 10, 62


class NotNow(Exception):
    """Worth trying again, or elsewhere."""

    def __init__(self, url: str, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(f"{url}: {reason}")
        self.retry_after_s = retry_after_s


class JoinClient:
    """Knocks at gateways for one join request."""

    def __init__(self, request: JoinRequest, token: JoinToken, key: bytes, wall: Callable[[], float]) -> None:
        self._request, self._token, self._key, self._wall = request, token, key, wall
        self._body = msgspec.json.encode(request)
        self._server_name = council_host(request.colony)

    def join_at(self, url: str, timeout_s: float) -> JoinAnswer:
        """Join through the gateway at ``url``."""
        ca = self._fetch_ca(url, timeout_s)
        trouble: Exception | None = None
        for base in council_urls(url, trusting_context(ca, named=False), timeout_s):
            try:
                return self._join_at(base, ca, timeout_s)
            except (NotNow, CaPinMismatch) as error:
                trouble = trouble or error
        raise trouble or NotNow(url, "it knows nobody of the council")

    def _join_at(self, url: str, ca: bytes, timeout_s: float) -> JoinAnswer:
        """Show the token to the member at ``url`` and to whom it redirects, each verified by the council's name."""
        context = trusting_context(ca)
        target = urljoin(url, JOIN_PATH)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                reply = self._exchange("POST", target, context=context, timeout_s=timeout_s, body=self._body)
            except Untrusted as error:
                raise self._judge(target, error) from error
            if reply.status not in (307, 308):
                return self._answer(target, reply, ca)
            target = urljoin(target, reply.headers.get("location", ""))
        raise NotNow(url, "redirects in a circle")

    def _fetch_ca(self, url: str, timeout_s: float) -> bytes:
        """The CA certificate that has the token's pin. It is public: nothing is believed but the comparison."""
        reply = self._exchange("GET", urljoin(url, CA_PATH), context=anonymous_context(), timeout_s=timeout_s)
        if reply.status != 200:
            raise NotNow(url, f"no CA certificate (HTTP {reply.status})", _retry_after(reply))
        ca = pki.find_pinned(reply.body, self._token.ca_pin)
        if ca is None:
            raise CaPinMismatch(
                f"{url} is not of the colony the join token is for: its CA has another pin",
                hint="the token is of another colony, or somebody is in between; it was not shown",
            )
        self._check_clock(reply)
        return ca

    def _check_clock(self, reply: Reply) -> None:
        """Seeds and remembered members answer no beacon, so their HTTP date tells whether our clock is right."""
        try:
            theirs = email.utils.parsedate_to_datetime(reply.headers["date"]).timestamp()
        except (KeyError, ValueError, TypeError, OverflowError):
            return
        skew = self._wall() - theirs
        if abs(skew) > WINDOW_S + 1:  # the date is in whole seconds
            raise ClockSkew(skew, WINDOW_S)

    def _answer(self, url: str, reply: Reply, ca: bytes) -> JoinAnswer:
        if reply.status not in (200, 201):
            raise _refusal(url, reply)
        try:
            answer = parse_join_answer(reply.body)
            pki.check_certificate(answer.certificate.encode(), key=self._key, ca=ca, common_name=self._request.node_id)
            if pki.find_pinned(answer.ca.encode(), self._token.ca_pin) is None:
                raise ValueError("its CA bundle lacks the CA")
        except (InvalidInput, ValueError) as error:
            raise JoinFailed(
                f"{url} answered a join with something else: {error}", hint="which version runs there?"
            ) from error
        return answer

    def _exchange(
        self, method: str, url: str, *, context: ssl.SSLContext, timeout_s: float, body: bytes | None = None
    ) -> Reply:
        try:
            return exchange(
                method,
                url,
                context=context,
                server_name=self._server_name,
                timeout_s=timeout_s,
                limit=MAX_ANSWER_BYTES,
                body=body,
                source=self._request.address,
            )
        except Unreachable as error:
            raise NotNow(url, str(error)) from error

    def _judge(self, url: str, error: Untrusted) -> AwareError:
        if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
            return JoinFailed(
                f"the certificate of {url} is not valid now: {error}", hint="is this machine's clock right?"
            )
        if error.verify_code == _OTHER_NAME:
            return CaPinMismatch(
                f"{url} is not of the council of colony {self._request.colony!r}",
                hint="check the name of the colony; a worker lets nobody in",
            )
        return CaPinMismatch(
            f"{url} has a certificate the colony's CA did not sign ({error})",
            hint="somebody is in between; the join token was not shown",
        )


def _refusal(url: str, reply: Reply) -> Exception:
    """What an error answer of a verified member means to us."""
    problem = parse_problem(reply.body)
    detail = problem.detail or problem.title or f"HTTP {reply.status}"
    for kind in (TokenRefused, NameTaken, AddressRefused, KeyDenied):
        if problem.code == kind.code:
            return kind(detail, hint=problem.hint)
    if reply.status == 429 or reply.status >= 500 or problem.code == ThroughBalancer.code:
        return NotNow(url, detail, _retry_after(reply))
    return JoinFailed(f"{url} refused the join: {detail}", hint=problem.hint)


_MOST_S = 10**6  # who asked pauses for less in any case


def _retry_after(reply: Reply) -> float:
    try:
        return float(whole(reply.headers.get("retry-after", ""), most=_MOST_S))
    except ValueError:
        return 0.0
