"""A login on its way through the browser, kept nowhere but in what the browser carries, sealed.

Out goes ``state``: whom it is for, what was asked, and which browser (by a cookie) may come back with it. Back to the
program that began comes a ``code`` of ours, good for a minute, for it alone (by PKCE), and once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections import OrderedDict
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import InvalidInput
from aware_agent.gateway.identity.errors import IdentityRefused
from aware_agent.gateway.identity.oidc import challenge
from aware_agent.gateway.identity.tokens import same
from aware_agent.security.providers import is_loopback
from aware_agent.security.sealed import SealBroken, Sealer

FLOW_S = 600.0
CODE_S = 60.0
MAX_SEALED = 8192
MAX_STATE = 256
MAX_USED = 4096
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
T = TypeVar("T")


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for when a login began."""

    provider: str
    revision: int  # of the provider's record
    until: float
    browser: str  # hash of its cookie
    nonce: str
    verifier: str  # ours, for the provider
    back: str  # where the program waits
    challenge: str  # the program's
    state: str  # the program's


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """What the program gets: the provider's code and all that is needed to redeem it."""

    provider: str
    revision: int
    until: float
    code: str
    nonce: str
    verifier: str
    challenge: str


class Flows:
    """Begins and ends logins. ``sealer`` is that of client secrets: all members have it."""

    def __init__(self) -> None:
        self._used: OrderedDict[bytes, float] = OrderedDict()

    def begin(
        self, sealer: Sealer, *, provider: str, revision: int, back: str, program: str, state: str, now: float
    ) -> tuple[Flow, str, str]:
        """The flow, its sealed form for the provider, and the browser's cookie."""
        cookie = secrets.token_urlsafe(32)
        flow = Flow(
            provider=provider,
            revision=revision,
            until=now + FLOW_S,
            browser=_mark(cookie),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            back=back,
            challenge=program,
            state=state,
        )
        return flow, _seal(sealer, flow, b"flow"), cookie

    def returned(self, sealer: Sealer, sealed: str, cookie: str, *, provider: str, now: float) -> Flow:
        """The flow a browser comes back with. Raises :class:`IdentityRefused` where it is not its own, or too old."""
        flow = _open(sealer, sealed, b"flow", Flow)
        if flow is None or flow.provider != provider or not same(flow.browser, _mark(cookie)):
            raise IdentityRefused("this is not the answer to a login of this browser", hint="begin the login again")
        if now >= flow.until:
            raise IdentityRefused("this login took too long", hint="begin it again")
        return flow

    def code(self, sealer: Sealer, flow: Flow, code: str, now: float) -> str:
        """What the program shows at ``POST /v1/auth/exchange``."""
        ours = Code(
            provider=flow.provider,
            revision=flow.revision,
            until=now + CODE_S,
            code=code,
            nonce=flow.nonce,
            verifier=flow.verifier,
            challenge=flow.challenge,
        )
        return _seal(sealer, ours, b"code")

    def redeem(self, sealer: Sealer, sealed: str, verifier: str, now: float) -> Code:
        """The code, used up by this. Raises :class:`IdentityRefused`."""
        code = _open(sealer, sealed, b"code", Code)
        if code is None or not _VERIFIER.fullmatch(verifier) or not same(code.challenge, challenge(verifier)):
            raise IdentityRefused("this code is not one of ours, or another program's", hint="begin the login again")
        if now >= code.until:
            raise IdentityRefused("this code is too old", hint="begin the login again")
        mark = hashlib.sha256(code.nonce.encode()).digest()
        self._used = OrderedDict((key, until) for key, until in self._used.items() if until > now)
        if mark in self._used:
            raise IdentityRefused("this code was used already", hint="begin the login again")
        while len(self._used) >= MAX_USED:  # a crowd shuts nobody out: the provider takes its code once as well
            self._used.popitem(last=False)
        self._used[mark] = code.until
        return code


def check_program(back: str, program: str, state: str, public_url: str) -> None:
    """Where a code may go: to a program on the user's machine (RFC 8252), or to the page of this gateway.

    Raises :class:`InvalidInput`.
    """
    if not _CHALLENGE.fullmatch(program):
        raise InvalidInput("code_challenge is none of method S256", field="code_challenge")
    if len(state) > MAX_STATE or not state.isprintable() or not state.isascii():
        raise InvalidInput(f"state is not printable text of at most {MAX_STATE} characters", field="state")
    try:
        parts = urlsplit(back)
        loopback = parts.scheme == "http" and is_loopback(parts.hostname or "") and parts.port is not None
    except ValueError:
        parts, loopback = None, False
    plain = back.isascii() and back.isprintable() and " " not in back and len(back) <= MAX_STATE and "\\" not in back
    if parts is None or not plain or parts.query or parts.fragment or "@" in parts.netloc:
        loopback = False
    if not loopback and not (plain and back == f"{public_url}/"):
        raise InvalidInput(
            "redirect_uri leads somewhere else",
            field="redirect_uri",
            hint="http://127.0.0.1:PORT/ of a program on the user's machine, or the gateway's own page",
        )


def back_to(flow: Flow, **said: str) -> str:
    """Where the browser goes at the end."""
    return f"{flow.back}?{urlencode({**said, 'state': flow.state})}"


def _mark(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()


def _seal(sealer: Sealer, value: Flow | Code, purpose: bytes) -> str:
    raw = sealer.seal(msgspec.json.encode(value), b"login/" + purpose)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _open(sealer: Sealer, sealed: str, purpose: bytes, kind: type[T]) -> T | None:
    if len(sealed) > MAX_SEALED:
        return None
    try:
        raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        return from_json(sealer.open(raw, b"login/" + purpose), kind)
    except (SealBroken, binascii.Error, ValueError, *UNDECODABLE):
        return None
