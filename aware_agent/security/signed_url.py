"""Signed URLs: a request somebody else may send once (or a few times), without an account and without a header.

A signed URL is a secret and a permission in one: the HMAC covers method, path and the whole query, and the query says
what may be done, until when, how often, and who answers for it. Spending the nonce is the queen's part; this module
knows no store and no clock.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import msgspec

from aware_agent.colony.errors import AwareError
from aware_agent.colony.hook import HookOperation, Order
from aware_agent.colony.numbers import whole
from aware_agent.security.derive import derive
from aware_agent.security.token import base64url

CURRENT_KEY = "1"
MAX_TTL_S = 366 * 24 * 3600
MAX_USES = 100
NONCE_BYTES = 16
CLOCKS_S = 60  # how far the signer's clock may be ahead of the checker's: queens change
_MAX_QUERY = 1024
_VERSION = b"aware-signed-url-1"
_MOST = 10**11 - 1
_NONCE = re.compile(r"[A-Za-z0-9_-]{22}\Z")
_FIELDS = ("by", "caste", "delta", "exp", "iat", "kid", "max", "nonce", "op", "uses")  # "sig" is none of them
_NO_KEY = b"\0" * 32


class SignatureRefused(AwareError):
    """The URL is not one this colony signed, or it holds no more; nothing was changed."""

    code = "signature-refused"
    exit_code = 3
    status = 401


class Permit(msgspec.Struct, frozen=True, kw_only=True):
    """What a signed URL allows."""

    order: Order  # the most that may be asked for; without a reference
    actor: str  # user who had it signed, and answers for it
    nonce: str  # 16 random bytes, base64url
    issued_at: int  # Unix seconds
    expires_at: int
    uses: int = 1
    key_id: str = CURRENT_KEY

    def __repr__(self) -> str:
        """Safe to log: the nonce is of no use without the signature, but nobody needs it either."""
        return f"Permit({self.order.operation}, by {self.actor!r})"


def signing_keys(colony_secret: bytes) -> Mapping[str, bytes]:
    """Keys by id. A second id is how the key is changed without breaking what was signed with the first."""
    return {CURRENT_KEY: derive(colony_secret, f"signed-url/{CURRENT_KEY}")}


def sign(keys: Mapping[str, bytes], method: str, path: str, permit: Permit) -> str:
    """``path`` with the query that allows ``permit``."""
    values = _values(permit)
    signature = base64url(_mac(keys[permit.key_id], method, path, values))
    return f"{path}?{urlencode({**values, 'sig': signature})}"


def verify(keys: Mapping[str, bytes], method: str, path: str, query: bytes, now: float) -> Permit:
    """The permit in a request's query. Raises :class:`SignatureRefused`.

    Whether something is unknown, damaged or forged is not told apart; that a genuine one has expired is said.
    """
    values = _parse(query)
    signature = values.pop("sig", "")
    known = keys.get(values.get("kid", ""))
    expected = base64url(_mac(known or _NO_KEY, method, path, values))
    if not hmac.compare_digest(expected.encode(), signature.encode()) or known is None:
        raise _damaged()
    permit = _permit(values)
    if now >= permit.expires_at:
        raise SignatureRefused("this signed URL has expired", hint="make a new one: aware hooks sign")
    if permit.issued_at > now + CLOCKS_S:
        raise SignatureRefused("this signed URL was made in the future", hint="check the clocks of the nodes")
    return permit


def _mac(key: bytes, method: str, path: str, values: Mapping[str, str]) -> bytes:
    """Newlines cannot occur: paths come without, and urlencode escapes them."""
    text = "\n".join((method.upper(), path, urlencode(sorted(values.items()))))
    return hmac.digest(key, _VERSION + b"\n" + text.encode(), "sha256")


def _values(permit: Permit) -> dict[str, str]:
    order = permit.order
    values = {
        "by": permit.actor,
        "exp": str(permit.expires_at),
        "iat": str(permit.issued_at),
        "kid": permit.key_id,
        "nonce": permit.nonce,
        "op": str(order.operation),
        "uses": str(permit.uses),
    }
    if order.operation is HookOperation.SCALE:
        values |= {"caste": order.caste, "delta": str(order.delta), "max": str(order.max_size)}
    return values


def _parse(query: bytes) -> dict[str, str]:
    """Names and values, each name once and known. Raises :class:`SignatureRefused`."""
    if len(query) > _MAX_QUERY:
        raise _damaged()
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=16
        )
    except ValueError as error:
        raise _damaged() from error
    values = dict(pairs)
    if len(values) != len(pairs) or not values.keys() <= {*_FIELDS, "sig"} or not all(map(_plain, values.values())):
        raise _damaged()
    return values


def _plain(text: str) -> bool:
    return text.isascii() and (text.isprintable() or not text)


def _permit(values: Mapping[str, str]) -> Permit:
    """Of values whose signature holds. A wrong one here was signed by a version that knew more than we do."""
    try:
        if not _NONCE.match(values["nonce"]):
            raise _damaged()
        order = Order(
            operation=HookOperation(values["op"]),
            delta=_number(values.get("delta", "0")),
            caste=values.get("caste", ""),
            max_size=_number(values.get("max", "0")),
        )
        return Permit(
            order=order,
            actor=values["by"],
            nonce=values["nonce"],
            issued_at=_number(values["iat"]),
            expires_at=_number(values["exp"]),
            uses=_number(values["uses"]),
            key_id=values["kid"],
        )
    except (KeyError, ValueError) as error:
        raise _damaged() from error


def _number(text: str) -> int:
    return whole(text, -_MOST, _MOST)


def _damaged() -> SignatureRefused:
    return SignatureRefused("this is no URL this colony signed", hint="copy all of it again, or: aware hooks sign")
