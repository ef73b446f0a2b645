"""Every secret this machine holds of a colony, so that none of them leaves it in an archive for support."""

from __future__ import annotations

import base64
import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from aware_agent.agent.settings import load_settings
from aware_agent.cli.context import Context
from aware_agent.colony.decoding import UNDECODABLE, from_json, from_msgpack
from aware_agent.colony.errors import AwareError
from aware_agent.security.redact import is_secret_name
from aware_agent.security.regular import read_regular
from aware_agent.security.token import PREFIX, parse_token

_BLOCK = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----(.+?)-----END", re.DOTALL)
_WORD = re.compile(rb"[A-Za-z0-9+/_-]{20,}")
# Of the state directory, what holds a secret.
STATE = (
    "admin.password",
    "node.key",
    "node.key.old",
    "colony.json",
    "colony.json.old",
    "gateway.keys",
    "etcd/etcd.key",
)
_STANDARD = bytes.maketrans(b"-_", b"+/")
_LEAST = 12  # bytes: shorter strings in a file with secrets are its names and numbers


def known_secrets(context: Context | None, config: Path | None) -> list[bytes]:
    """All of them. What cannot be read cannot get into the archive either, and is left out."""
    found = [value.encode(errors="replace") for name, value in os.environ.items() if is_secret_name(name)]
    if context is not None:
        with contextlib.suppress(AwareError):
            found += [context.token().encode(), context.refresh_token().encode()]
    for path in _files(config):
        try:
            raw = read_regular(path)
        except OSError:
            continue
        found += _in_file(raw)
    return [secret for secret in found if len(secret) >= _LEAST]


def _files(config: Path | None) -> Iterator[Path]:
    if config is None:
        return
    try:
        settings = load_settings(config, os.environ)
    except AwareError:
        return
    yield from (Path(settings.state_dir) / name for name in STATE)
    backup, gateway = settings.backup, settings.gateway
    named = (settings.token_file, settings.founding_key_file, gateway.metrics_token_file, backup.key_file,
             backup.s3_access_key_file, backup.s3_secret_key_file)  # fmt: skip
    yield from (Path(name) for name in named if name)


def _in_file(raw: bytes) -> Iterator[bytes]:
    """The whole, the keys in it, and every word that is long enough to be a secret of its own."""
    yield raw.strip()
    if raw.startswith(PREFIX.encode()):
        with contextlib.suppress(AwareError):  # its other parts are public
            token = parse_token(raw.decode(errors="replace"))
            yield from (token.secret.encode(), token.secret_bytes)
            return
    for block in _BLOCK.findall(raw):
        yield from block.split()
        with contextlib.suppress(ValueError):
            der = base64.b64decode(block)
            yield der
            yield from _scalar(der)
    if raw[:1] == b"{":
        with contextlib.suppress(*UNDECODABLE):
            yield from _values(from_json(raw, object))
    elif b"-----BEGIN" not in raw[:4096]:
        with contextlib.suppress(*UNDECODABLE):
            yield from _values(from_msgpack(raw, object))
        for word in _WORD.findall(raw) if raw.isascii() else ():
            yield from _text(word)


def _values(value: object, depth: int = 8) -> Iterator[bytes]:
    """Every text and every run of bytes in a document, and what texts are the base64 of."""
    if isinstance(value, bytes):
        yield from _in_file(value) if b"PRIVATE KEY" in value else (value,)
    elif isinstance(value, str):
        yield from _text(value.encode())
    elif depth and isinstance(value, dict):
        for inner in value.values():
            yield from _values(inner, depth - 1)
    elif depth and isinstance(value, list | tuple):
        for inner in value:
            yield from _values(inner, depth - 1)


def _text(word: bytes) -> Iterator[bytes]:
    """``word`` and what it is the base64 of, if it is that: names and addresses are not."""
    padded = word.translate(_STANDARD) + b"=" * (-len(word) % 4)
    with contextlib.suppress(ValueError):
        yield base64.b64decode(padded, validate=True)
        yield word


def _scalar(der: bytes) -> Iterator[bytes]:
    """The number that is the key: the 32 or 48 bytes after OCTET STRING in ECPrivateKey (RFC 5915)."""
    for mark, size in ((b"\x02\x01\x01\x04\x20", 32), (b"\x02\x01\x01\x04\x30", 48)):
        at = der.find(mark)
        if at >= 0:
            yield der[at + len(mark) : at + len(mark) + size]
