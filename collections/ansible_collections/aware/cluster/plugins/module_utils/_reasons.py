# -*- coding: utf-8 -*-
# Copyright: (c) 2026, The AWARE founders
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Failures in words a user can act on: connections, files, and what nobody thought of. The command line says the same."""

from __future__ import annotations

import socket
import ssl
from typing import Any, Mapping

from ansible.module_utils.common.text.converters import to_native

# Numbers of OpenSSL's X509_V_ERR_*; its own words for them name neither the host nor the way out.
_BY_CODE = {
    7: "its certificate is not signed by this colony's CA",
    9: "its certificate is not valid yet: is the clock of this machine right?",
    10: "its certificate has expired, or that of the CA has",
    18: "its certificate is signed by itself, not by this colony's CA",
    19: "its certificate is signed by another CA than this colony's",
    20: "its certificate is not signed by this colony's CA",
    21: "its certificate is not signed by this colony's CA",
    26: "its certificate is not one for servers",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}
STALE_CA = "were its CAs rotated meanwhile? copy state/ca.crt of any of its nodes to %s, then aware login"
_OTHER_CA = (7, 18, 19, 20, 21)
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE")
_MAX_SHOWN = 20
_MAX_TEXT = 500


def reason_of(exc: BaseException) -> str:
    """What went wrong with a connection, as the rest of a sentence that begins with the host."""
    for cause in reversed(chain_of(exc)):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _BY_CODE.get(cause.verify_code, "its certificate is refused: %s" % cause.verify_message)
        if isinstance(cause, ssl.SSLError):
            if cause.reason in _NO_TLS:
                return "it does not speak TLS: something else answers there"
            return "TLS failed: %s" % (cause.reason or "the connection was cut off")
        if isinstance(cause, OSError) and cause.strerror:
            return str(cause.strerror)
        if isinstance(cause, socket.timeout):
            return "timed out"
    return line_of(exc)[:200]


def is_stranger(exc: BaseException) -> bool:
    """Whether somebody answered whose certificate another CA signed: one that this client does not believe."""
    return any(
        isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_code in _OTHER_CA for cause in chain_of(exc)
    )


def chain_of(exc: BaseException) -> list:
    """``exc`` and what it wraps, from outside to inside. URLError hides its cause in a field of its own."""
    found: list = []
    inner: Any = exc
    while isinstance(inner, BaseException) and inner not in found:
        found.append(inner)
        wrapped = getattr(inner, "reason", None)
        inner = wrapped if isinstance(wrapped, BaseException) else inner.__cause__ or inner.__context__
    return found


def listed(reasons: Mapping) -> str:
    """All hosts, each with its reason."""
    told = ["%s: %s" % (host, reason) for host, reason in reasons.items()]
    more = "; and %d more" % (len(told) - _MAX_SHOWN) if len(told) > _MAX_SHOWN else ""
    return "; ".join(told[:_MAX_SHOWN]) + more


def line_of(exc: BaseException) -> str:
    """The text of an exception on one line, or its kind when it has none."""
    return " ".join(to_native(exc).split())[:_MAX_TEXT] or type(exc).__name__


def unforeseen(exc: BaseException) -> str:
    """One sentence for an exception nobody raised on purpose."""
    if isinstance(exc, OSError) and exc.strerror:
        names = [to_native(name) for name in (exc.filename, exc.filename2) if name]
        return "%s%s" % (exc.strerror, ": " + " -> ".join(names) if names else "")
    if isinstance(exc, MemoryError):
        return "there is not enough memory"
    return "%s: %s (a bug in aware.cluster: please report it; -vvv shows where)" % (type(exc).__name__, line_of(exc))
