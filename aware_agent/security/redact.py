"""Removes secrets from text and documents before they leave for somebody else's eyes.

Two ways together: what looks like a secret (tokens, keys, passwords by the name of their field), and every secret that
is known here, as it is and as base64, base64url or hexadecimal. What is removed leaves :data:`REMOVED` behind.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

REMOVED = "[removed]"
_LEAST = 8  # bytes: what is shorter is no secret, and would make holes everywhere
_DEPTH = 20
_NAMES = (
    r"(?:password|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential|authorization|"
    r"cookie|signature|client[-_]?secret|refresh[-_]?token|access[-_]?token)"
)
# A field whose name ends so tells where a secret is, how long it may be or how many there are: not the secret.
_HARMLESS = re.compile(
    r"(?:_file|_id|_ids|_s|_ttl|_count|_length|_name|_names|_path|_at|_left|_ends)$|^min_", re.IGNORECASE
)
_SECRET_NAME = re.compile(rf"(?:^|[-_.]){_NAMES}s?(?:$|[-_.])|{_NAMES}$", re.IGNORECASE)
_PATTERNS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"),  # JSON Web Tokens
    re.compile(r"\baware-(?:found1|backup-key)\.\S+"),
    re.compile(r"(?<=://)[^/\s:@\"']+:[^/\s@\"']+(?=@)"),  # user and password in a URL
    re.compile(r"(?i)(?<=\bbearer )[^\s\"',]+|(?<=\bbasic )[A-Za-z0-9+/=_-]{8,}"),
    re.compile(r"(?<=[?&](?:sig|key)=)[^&\s\"']+|(?<=[?&](?:token|state)=)[^&\s\"']+|(?<=[?&]signature=)[^&\s\"']+"),
)
_JOIN_TOKEN = re.compile(r"\b(aware1\.[0-9a-f]{16})\.[A-Za-z0-9_.-]+")
_ASSIGNED = re.compile(rf"(?i)(\b[\w.-]*{_NAMES}s?[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;}}\]]+)")


class Redactor:
    """``secrets``: what is known to be one, as bytes; too short ones are left out."""

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= _LEAST for form in _forms(secret)}
        # Longest first: a secret inside another one must not leave the other's rest behind.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, ordered)), re.IGNORECASE) if ordered else None

    def __repr__(self) -> str:
        """Without what it knows."""
        return "Redactor()"

    def known(self, text: str) -> str:
        """``text`` without the secrets that are known; what is no secret stays as it is, so that JSON stays JSON."""
        return self._known.sub(REMOVED, text) if self._known is not None else text

    def text(self, text: str) -> str:
        """``text`` without secrets."""
        text = self.known(text)
        text = _JOIN_TOKEN.sub(rf"\1.{REMOVED}", text)
        for pattern in _PATTERNS:
            text = pattern.sub(REMOVED, text)
        return _ASSIGNED.sub(_assigned, text)

    def document(self, value: Any, depth: int = _DEPTH) -> Any:
        """JSON-like ``value`` without secrets: the values of fields that are named like one, and text in all others."""
        if not depth:
            return REMOVED
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._field(str(key), inner, depth) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.document(inner, depth - 1) for inner in value]
        return self.text(value) if isinstance(value, str) else value

    def _field(self, name: str, value: Any, depth: int) -> Any:
        secret = isinstance(value, str | list | tuple) and value and is_secret_name(name)
        return REMOVED if secret else self.document(value, depth - 1)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None and _HARMLESS.search(name) is None


def _assigned(match: re.Match[str]) -> str:
    name = re.split(r"[\s\"'=:]", match[1].strip(), maxsplit=1)[0]
    return f"{match[1]}{REMOVED}" if is_secret_name(name) else match[0]


def _forms(secret: bytes) -> Iterable[str]:
    """The ways ``secret`` may be written: as text, in hexadecimal, in base64 wherever it begins in what was encoded."""
    with contextlib.suppress(UnicodeDecodeError):
        yield secret.decode("utf-8")
    yield secret.hex()
    for shift in range(3):
        # Of the first and the last group some bits belong to neighbours: only what is the secret's alone is looked for.
        inner = base64.b64encode(bytes(shift) + secret).decode().rstrip("=")
        inner = inner[(0, 2, 3)[shift] : len(inner) - (1 if (shift + len(secret)) % 3 else 0)]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
