"""Why a host could not be asked, in words a user can act on. The collection's ``_reasons`` says the same."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping

_CLOCK = "is the clock of this machine right?"
# Numbers of OpenSSL's X509_V_ERR_*; its own words for them name neither the host nor the way out.
_BY_CODE = {
    7: "its certificate is not signed by this colony's CA",
    9: f"its certificate is not valid yet: {_CLOCK}",
    10: "its certificate has expired, or that of the CA has",
    18: "its certificate is signed by itself, not by this colony's CA",
    19: "its certificate is signed by another CA than this colony's",
    20: "its certificate is not signed by this colony's CA",
    21: "its certificate is not signed by this colony's CA",
    26: "its certificate is not one for servers",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}
_OTHER_CA = (7, 18, 19, 20, 21)
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE")
_MAX_SHOWN = 20


def reason_of(error: BaseException) -> str:
    """What went wrong with a connection, as the rest of a sentence that begins with the host."""
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _BY_CODE.get(cause.verify_code, f"its certificate is refused: {cause.verify_message}")
        if isinstance(cause, ssl.SSLError):
            if cause.reason in _NO_TLS:
                return "it does not speak TLS: something else answers there"
            return f"TLS failed: {cause.reason or 'the connection was cut off'}"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return str(error) or type(error).__name__


def is_stranger(error: BaseException) -> bool:
    """Whether somebody answered whose certificate another CA signed: one that this client does not believe."""
    return any(
        isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in _OTHER_CA for cause in _chain(error)
    )


def listed(reasons: Mapping[str, str]) -> str:
    """All hosts, each with its reason."""
    told = [f"{host}: {reason}" for host, reason in reasons.items()]
    more = f"; and {len(told) - _MAX_SHOWN} more" if len(told) > _MAX_SHOWN else ""
    return "; ".join(told[:_MAX_SHOWN]) + more


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The innermost cause first: what is outside only wraps it."""
    found: list[BaseException] = []
    inner: BaseException | None = error
    while inner is not None and inner not in found:
        found.append(inner)
        inner = inner.__cause__ or inner.__context__
    return reversed(found)
