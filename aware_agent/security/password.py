"""Passwords as scrypt hashes: ``scrypt$<log2 n>$<r>$<p>$<salt>$<hash>``, all plain stdlib.

Hashing takes tens of milliseconds and 16 MiB on purpose: run it in a thread.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from aware_agent.colony.errors import InvalidInput
from aware_agent.security.files import read_secret, write_atomic
from aware_agent.security.token import base64url, unbase64url

_RANDOM_BYTES = 24
MIN_LENGTH = 8
MAX_LENGTH = 1024  # bytes; bounds the work a stranger can ask for
# OWASP's equivalent of n=2^17,p=1 that needs 16 MiB instead of 128: log-ins must not double a queen's memory.
_LOG2_N, _R, _P = 14, 8, 5
_SALT_BYTES, _HASH_BYTES = 16, 32
_FORMAT = re.compile(r"scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})")
# Room for stronger defaults later, none for a planted hash that keeps the queen busy.
_MAX_LOG2_N, _MAX_P, _MAX_MEMORY = 18, 16, 64 << 20
# Verified when the user is unknown, so that a guess costs the same and tells nothing.
_DUMMY = f"scrypt${_LOG2_N}${_R}${_P}${'A' * 22}${'A' * 43}"


def ensure_password(path: Path) -> bool:
    """Make a random password in ``path`` when there is none; returns whether it did."""
    if read_secret(path) is not None:
        return False
    write_atomic(path, secrets.token_urlsafe(_RANDOM_BYTES).encode() + b"\n")
    return True


def hash_password(password: str, salt: bytes | None = None) -> str:
    """Hash ``password``. Raises :class:`InvalidInput` when it is too short or too long."""
    raw = password.encode("utf-8", "surrogatepass")
    if len(password) < MIN_LENGTH or len(raw) > MAX_LENGTH:
        raise InvalidInput(f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters", field="password")
    salt = os.urandom(_SALT_BYTES) if salt is None else salt
    digest = _scrypt(raw, salt, _LOG2_N, _R, _P)
    return f"scrypt${_LOG2_N}${_R}${_P}${base64url(salt)}${base64url(digest)}"


def verify_password(password: str, stored: str | None) -> bool:
    """Whether ``password`` is the one hashed in ``stored``, in constant time.

    ``stored=None`` (unknown user) and a damaged hash cost as much as a wrong password and return False.
    """
    raw = password.encode("utf-8", "surrogatepass")
    match = _FORMAT.fullmatch(stored or "")
    usable = match is not None and len(raw) <= MAX_LENGTH
    log2_n, r, p, salt, digest = (match if match and usable else _dummy()).groups()
    try:
        actual = _scrypt(raw[:MAX_LENGTH], unbase64url(salt), int(log2_n), int(r), int(p))
    except ValueError:  # parameters nobody chooses: a damaged or planted hash
        return False
    return hmac.compare_digest(actual, unbase64url(digest)) and usable


def _dummy() -> re.Match[str]:
    match = _FORMAT.fullmatch(_DUMMY)
    assert match is not None
    return match


def _scrypt(password: bytes, salt: bytes, log2_n: int, r: int, p: int) -> bytes:
    if log2_n > _MAX_LOG2_N or p > _MAX_P:
        raise ValueError("more work than any hash of ours asks for")
    return hashlib.scrypt(password, salt=salt, n=1 << log2_n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=_HASH_BYTES)
